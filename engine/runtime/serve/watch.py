"""What the metrics say of inputs and scores: how many are missing or unseen, and how scores lie."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from engine.answer.live import Observer
from engine.expr.derived import InputKey
from engine.pipeline import Pipeline
from engine.runtime.serve.counts import Counts
from engine.schema import Kind
from engine.values import MISSING, NAT, UNKNOWN, Categories, Stored, Values

_WAITING = 512
"""Rows that wait to be counted together: counted one by one they would cost as much as they take to score."""
_PROBABILITIES = tuple(round(0.05 * i, 2) for i in range(1, 20))
_MOST_SCORES = 32


class Watch(Observer):
    """Counts what one version of a pipeline sees; safe to use from several threads.

    Parameters
    ----------
    pipeline : Pipeline
    counts : Counts
        Is touched by `flush` alone.
    """

    def __init__(self, pipeline: Pipeline, counts: Counts) -> None:
        self._counts = counts
        self._lock = threading.Lock()
        kinds = {item.name: item.kind for item in pipeline.plan.inputs}
        live = pipeline.live()
        self._columns = [
            (place, name, kinds[name]) for place, name in enumerate(live.decoded) if isinstance(name, str)
        ]
        self._width = len(live.decoded)
        scores = [column.name for point in pipeline.trace.scores for column in point.columns]
        outputs = pipeline.outputs
        self._scores = tuple(name for name in scores if outputs.get(name, "").startswith("float"))[
            :_MOST_SCORES
        ]
        self._edges = {name: _edges(pipeline, name) for name in self._scores}
        self._packed: list[bytes] = []
        self._found: list[tuple[Any, ...]] = []
        self._later: list[Callable[[], None]] = []
        self.row = self._packed.append  # type: ignore[assignment, method-assign] # a call less for each row

    def answer(self, answer: Mapping[str, Any]) -> None:
        """See `Observer`."""
        self._found.append(tuple([answer[name] for name in self._scores]))

    def columns(self, columns: Mapping[InputKey, Values | Stored]) -> None:
        """See `Observer`."""
        gone: dict[str, tuple[int, int]] = {}
        rows = 0
        for _, name, kind in self._columns:
            values = columns[name]
            plain = values.plain() if isinstance(values, Stored) else values
            codes = plain.codes if isinstance(plain, Categories) else plain
            gone[name] = _gone(codes, kind)
            rows = len(codes)
        self._later.append(lambda: self._add(rows, gone))

    def answers(self, batch: pa.RecordBatch) -> None:
        """See `Observer`."""
        found = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in self._scores}
        rows = batch.num_rows

        def add() -> None:
            self._counts.add("rows", (), rows)
            for name, values in found.items():
                self._histogram(name).add_many(values.astype(np.float64))

        self._later.append(add)

    def refused(self, code: str) -> None:
        """See `Observer`."""
        self._later.append(lambda: self._counts.add("rejected_rows", (code,)))

    def ignored(self, keys: int) -> None:
        """See `Observer`."""
        self._later.append(lambda: self._counts.add("ignored_keys", (), keys))

    @property
    def full(self) -> bool:
        """Whether so much waits that `flush` is due."""
        return len(self._packed) >= _WAITING or len(self._later) >= _WAITING

    def flush(self) -> None:
        """Count what waits."""
        with self._lock:
            packed, found, later = _taken(self._packed), _taken(self._found), _taken(self._later)
            for add in later:
                add()
            if packed:
                self._count_rows(packed)
            if found:
                self._counts.add("rows", (), len(found))
                for name, values in zip(self._scores, zip(*found, strict=True), strict=True):
                    self._histogram(name).add_many(np.array(values, np.float64))

    def _count_rows(self, packed: list[bytes]) -> None:
        slots = np.frombuffer(b"".join(packed), np.int64).reshape(len(packed), self._width)
        gone = {}
        for place, name, kind in self._columns:
            column = np.ascontiguousarray(slots[:, place])
            if kind is Kind.NUMBER:
                column = column.view(np.float64)
            elif kind in (Kind.CATEGORY, Kind.TEXT):
                column = column.astype(np.int32)  # the code lies in the lower half
            gone[name] = _gone(column, kind)
        self._add(len(packed), gone)

    def _add(self, rows: int, gone: Mapping[str, tuple[int, int]]) -> None:
        self._counts.add("rows_read", (), rows)
        for name, (missing, unseen) in gone.items():
            self._counts.add("missing", (name,), missing)
            if unseen:
                self._counts.add("unseen", (name,), unseen)

    def _histogram(self, name: str) -> Any:
        return self._counts.histogram("score", (name,), self._edges[name])


def _taken(waiting: list[Any]) -> list[Any]:
    """What waits; others may append meanwhile."""
    found = waiting[:]
    del waiting[: len(found)]
    return found


def _gone(values: np.ndarray[Any, Any], kind: Kind) -> tuple[int, int]:
    """How many are missing, and how many texts no stage knows."""
    if kind is Kind.NUMBER:
        return int(np.count_nonzero(np.isnan(values))), 0
    if kind is Kind.TIMESTAMP:
        return int(np.count_nonzero(values == NAT)), 0
    return int(np.count_nonzero(values == MISSING)), int(np.count_nonzero(values == UNKNOWN))


def _edges(pipeline: Pipeline, name: str) -> tuple[float, ...]:
    """Where a score's histogram is cut: every 0.05 of a probability, else at quantiles of its golden rows."""
    golden = pipeline.fitted.golden if pipeline.fitted else None
    if golden is None or not golden.num_rows or name not in _fields(golden):
        return _PROBABILITIES
    answers = pa.Table.from_struct_array(golden.column("answer").combine_chunks())
    values = answers.column(name).to_numpy().astype(np.float64)
    values = values[np.isfinite(values)]
    if not len(values) or (values.min() >= 0 and values.max() <= 1):
        return _PROBABILITIES
    found = np.unique(np.quantile(values, np.linspace(0.05, 0.95, 19)))
    return tuple(float(f"{edge:.3g}") for edge in found)


def _fields(golden: pa.Table) -> list[str]:
    return [field.name for field in golden.schema.field("answer").type]
