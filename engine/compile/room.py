"""The columns of one call of a program that kernels and Python hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.layout import Layout, Segment
from engine.compile.passes import Key
from engine.plan.points import DTYPES as MADE
from engine.plan.points import ComputePoint
from engine.schema import Kind
from engine.stage import Scorer

DTYPES: Mapping[Kind, Any] = {**MADE, Kind.CATEGORY: np.int32}
"""How a column of each kind lies in memory: what stages make, and codes."""


class Room:
    """What one call computes, but for the models' features.

    Parameters
    ----------
    layout : Layout
    scorers : mapping of str to Scorer
    rows : int
    groups : mapping of (str or None) to int64 array, shape (n_rows,)
        The number of each row's group, for every ``by`` in ``layout.groups``; it never decreases.

    Attributes
    ----------
    out : dict of Key to array, shape (n_rows,)
        What kernels write: output columns, what stages take, and where rows are refused.
    scores : dict of str to float32 array, shape (n_outputs, n_rows)
        By the label of the model.
    made : dict of str to list of array, shape (n_rows,)
        By the label of the stage that made them.
    """

    def __init__(
        self,
        layout: Layout,
        scorers: Mapping[str, Scorer],
        rows: int,
        groups: Mapping[str | None, NDArray[np.int64]],
    ) -> None:
        self._refusals = layout.refusals
        self._groups = groups
        self.out: dict[Key, NDArray[Any]] = {}
        self.scores: dict[str, NDArray[np.float32]] = {}
        self.made: dict[str, list[NDArray[Any]]] = {}
        for segment in layout.segments:
            if segment.point:
                label = segment.point.label
                self.scores[label] = np.empty((scorers[label].n_outputs, rows), np.float32)
                continue
            for root in segment.roots:
                self.out[root.key] = np.empty(rows, DTYPES[root.expr.kind])
            if segment.compute:
                self.made[segment.compute.label] = segment.compute.new(rows)

    def compute(self, segment: Segment, start: int, stop: int) -> None:
        """Have a stage compute with NumPy, for those of these rows that no filter before it refuses."""
        point = segment.compute
        assert point is not None
        part = slice(start, stop)
        columns = {name: self.out[point.label, name][part] for name, _ in point.inputs}
        refused = self._refused(segment.guards, part)
        rows: Any = None
        if refused is not None and refused.any():
            rows = np.flatnonzero(~refused)
            columns = {name: column[rows] for name, column in columns.items()}
        for column in columns.values():
            column.flags.writeable = False
        count = stop - start if rows is None else len(rows)
        if not count:
            return
        found = point.compute(columns, count, self._starts(point, part, rows))
        for array, result in zip(self.made[point.label], found, strict=True):
            array[part if rows is None else start + rows] = result

    def _starts(self, point: ComputePoint, part: slice, rows: Any) -> NDArray[np.int64]:
        if not point.grouped:
            return np.zeros(1, np.int64)
        numbers = self._groups[point.by][part]
        numbers = numbers if rows is None else numbers[rows]
        return np.concatenate([[0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1]).astype(np.int64)

    def _refused(self, guards: int, part: slice) -> NDArray[np.bool_] | None:
        """Which rows the first filters refuse."""
        refused: NDArray[np.bool_] | None = None
        for refusal in self._refusals[:guards]:
            here = self.out[refusal.key][part]
            refused = here if refused is None else refused | here
        return refused

    def refused(self, rows: int) -> NDArray[np.int64] | None:
        """Which of ``layout.refusals`` is the first that holds for each row, -1: none. None: no filter."""
        if not self._refusals:
            return None
        found = np.full(rows, -1, np.int64)
        for number in range(len(self._refusals) - 1, -1, -1):
            found[self.out[self._refusals[number].key]] = number
        return found
