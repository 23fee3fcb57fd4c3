"""What a worker counts: totals and histograms, by name and labels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Labels: TypeAlias = tuple[str, ...]

SECONDS = (
    0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


class Histogram:
    """How many values lie below each edge.

    Parameters
    ----------
    edges : sequence of float
        Ascending; a value that equals one counts below it.

    Examples
    --------
    >>> seconds = Histogram((0.1, 1.0))
    >>> for value in (0.05, 0.1, 3.0):
    ...     seconds.add(value)
    >>> seconds.counts, seconds.total
    ([2, 0, 1], 3.15)
    """

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = tuple(edges)
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.edges, value)] += 1
        self.total += value

    def add_many(self, values: np.ndarray[Any, Any]) -> None:
        """Count values; NaN is none."""
        values = values[~np.isnan(values)]
        places = np.searchsorted(self.edges, values, side="left")
        for place, count in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
            self.counts[place] += count
        self.total += float(values[np.isfinite(values)].sum())


class Counts:
    """Totals and histograms; used by one thread at a time.

    Attributes
    ----------
    totals : dict of (str, labels) to float
        Only grow.
    histograms : dict of (str, labels) to Histogram
    gauges : dict of (str, labels) to float
        How things stand; those of a worker that died count for nothing.
    """

    def __init__(self) -> None:
        self.totals: dict[tuple[str, Labels], float] = {}
        self.histograms: dict[tuple[str, Labels], Histogram] = {}
        self.gauges: dict[tuple[str, Labels], float] = {}

    def add(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        """Add to a total."""
        key = name, labels
        self.totals[key] = self.totals.get(key, 0) + amount

    def histogram(self, name: str, labels: Labels = (), edges: Sequence[float] = SECONDS) -> Histogram:
        """A histogram; it begins anew where its edges are others."""
        key = name, labels
        found = self.histograms.get(key)
        if found is None or found.edges != tuple(edges):
            found = self.histograms[key] = Histogram(edges)
        return found

    def gauge(self, name: str, value: float, labels: Labels = ()) -> None:
        """Say how something stands."""
        self.gauges[name, labels] = value

    def plain(self) -> dict[str, Any]:
        """Everything as plain values: what `restore` takes."""
        return {
            "totals": [[*key, value] for key, value in self.totals.items()],
            "gauges": [[*key, value] for key, value in self.gauges.items()],
            "histograms": [[*key, h.edges, h.counts, h.total] for key, h in self.histograms.items()],
        }

    def restore(self, plain: dict[str, Any]) -> None:
        """Go on from totals and histograms that were published; gauges are not taken."""
        for name, labels, value in plain["totals"]:
            self.add(name, tuple(labels), value)
        self._add_histograms(plain)

    def merge(self, plain: dict[str, Any]) -> None:
        """Add everything that another worker published."""
        self.restore(plain)
        for name, labels, value in plain["gauges"]:
            key = name, tuple(labels)
            self.gauges[key] = self.gauges.get(key, 0) + value

    def _add_histograms(self, plain: dict[str, Any]) -> None:
        for name, labels, edges, counts, total in plain["histograms"]:
            found = self.histograms.get((name, tuple(labels)))
            if found is not None and found.edges != tuple(edges):
                continue  # a worker that hasn't taken the newest version yet
            found = found or self.histogram(name, tuple(labels), edges)
            found.counts = [mine + more for mine, more in zip(found.counts, counts, strict=True)]
            found.total += total
