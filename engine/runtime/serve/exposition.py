"""The counts of all workers in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.runtime.serve.board import Board
from engine.runtime.serve.counts import Counts, Histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

TOTALS = {
    "requests": ("Requests answered.", ("route", "status")),
    "rows_read": ("Rows whose inputs were looked at; what missing and unseen are counted in.", ()),
    "rows": ("Rows that were answered.", ()),
    "rejected_rows": ("Rows that inputs or filters refused.", ("code",)),
    "ignored_keys": ("Keys of rows that are no inputs.", ()),
    "missing": ("Values that were missing, of inputs that the model needs.", ("input",)),
    "unseen": ("Categories that no stage knows.", ("input",)),
    "refused_requests": ("Requests that were not begun.", ("reason",)),
    "cut_off": ("Connections that were closed because their request took too long to come.", ()),
    "swaps": ("Versions that were taken.", ()),
    "predictions_logged": ("Rows of the prediction log.", ("outcome",)),
    "worker_restarts": ("Workers that died and were started again.", ()),
    "versions_refused": ("Versions that were not taken.", ()),
    "cpu_seconds": ("Processor time.", ("worker",)),
}
_KNOWN: dict[str, list[tuple[str, ...]]] = {
    "refused_requests": [("busy",), ("gone",), ("http",), ("timeout",), ("too_large",)],
    "rejected_rows": [("missing",), ("invalid",), ("unknown",), ("filtered",)],
    "predictions_logged": [("written",), ("dropped",), ("failed",)],
}
"""Labels that are there from the start."""
HISTOGRAMS = {
    "request_seconds": ("From a request's head to its answer.", ("route",)),
    "stage_seconds": ("Where a prediction's time goes.", ("stage",)),
    "score": ("Scores.", ("column",)),
}
GAUGES = {
    "in_flight": ("Requests that are begun and not answered.", ("worker",)),
    "connections": ("Open connections.", ("worker",)),
    "ready": ("Whether a worker takes requests.", ("worker",)),
    "resident_bytes": ("Memory.", ("worker",)),
    "version": ("Workers that answer with a version.", ("version",)),
}


def gather(board: Board, own: tuple[int, Counts] | None = None) -> Counts:
    """What all workers counted; ``own`` are the place and the counts of the one that is asked."""
    found = Counts()
    for place in range(board.places):
        published = own[1].plain() if own is not None and place == own[0] else board.read(place)
        if published is not None:
            found.merge(published)
    for name, (_, labels) in TOTALS.items():
        # an alert sees a count grow only where it was there before
        for values in _KNOWN.get(name, [()] if not labels else []):
            found.add(name, values, 0)
    return found


def exposition(counts: Counts, accept: str) -> tuple[bytes, bytes]:
    """The text, and its media type: Prometheus's, or OpenMetrics where that is accepted."""
    from prometheus_client.exposition import choose_encoder

    class _All:
        def collect(self) -> Iterator[Metric]:
            return _metrics(counts)

    encode, kind = choose_encoder(accept)
    return encode(_All()), kind.encode()


def _metrics(counts: Counts) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    for name, (help_, labels) in TOTALS.items():
        total = CounterMetricFamily(f"engine_{name}", help_, labels=labels)
        for (found, values), value in sorted(counts.totals.items()):
            if found == name:
                total.add_metric(values, value)
        yield total
    for name, (help_, labels) in GAUGES.items():
        gauge = GaugeMetricFamily(f"engine_{name}", help_, labels=labels)
        for (found, values), value in sorted(counts.gauges.items()):
            if found == name:
                gauge.add_metric(values, value)
        yield gauge
    for name, (help_, labels) in HISTOGRAMS.items():
        histogram = HistogramMetricFamily(f"engine_{name}", help_, labels=labels)
        for (found, values), held in sorted(counts.histograms.items(), key=lambda item: item[0]):
            if found == name:
                histogram.add_metric(values, _buckets(held), sum_value=held.total)
        yield histogram


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    found, running = [], 0
    for edge, count in zip((*histogram.edges, float("inf")), histogram.counts, strict=True):
        running += count
        found.append(("+Inf" if edge == float("inf") else repr(edge), float(running)))
    return found
