"""A pipeline ready to run: kernels and scorers in order.

The same kernels run a block of rows and one row; only where their columns lie differs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.compile.kernel import Kernel, plan_kernel, vocabulary
from engine.compile.layout import Layout, Segment
from engine.compile.row import RowProgram
from engine.expr.interpret import Leaf, interpret
from engine.schema import Kind
from engine.stage import Scorer
from engine.values import Categories, Values

ROWS = 4096
"""Rows of one block: XGBoost needs that many to be fast."""

_DTYPES = {
    Kind.NUMBER: np.float64,
    Kind.BOOLEAN: np.bool_,
    Kind.CATEGORY: np.int32,
    Kind.TIMESTAMP: np.int64,
}


class _Runner(Protocol):
    """Computes a segment for a block of rows: a matrix of features, or columns into ``out``."""

    segment: Segment

    def run(
        self, rows: int, block: Mapping[Leaf, NDArray[Any]], out: Mapping[str, NDArray[Any]], start: int
    ) -> NDArray[np.float32]: ...


class Program:
    """A pipeline ready to run; safe to call from several threads.

    Parameters
    ----------
    layout : Layout
    scorers : mapping of str to Scorer
        By the label of the score stage.
    interpreted : bool
        Evaluate the same expressions by the interpreter instead: the oracle of the kernels, and the way
        out where numba can't run.
    """

    def __init__(self, layout: Layout, scorers: Mapping[str, Scorer], *, interpreted: bool = False) -> None:
        self.layout = layout
        self.interpreted = interpreted
        self._scorers = scorers
        make: Callable[[Segment, Layout], _Runner] = _Interpreted if interpreted else _Compiled
        self._runners = [make(segment, layout) for segment in layout.segments]
        self._here = threading.local()

    def many(self, rows: int, columns: Mapping[str, Values]) -> dict[str, Values]:
        """Score rows.

        Parameters
        ----------
        rows : int
        columns : mapping of str to Values
            The inputs in ``layout.reads``, ``rows`` long each, categories coded by ``layout.vocabularies``.

        Returns
        -------
        dict of str to Values
            ``layout.computed``, by name, in order.
        """
        out: dict[str, NDArray[Any]] = {
            column.name: np.empty(rows, np.float32 if column.single else _DTYPES[node.kind])
            for column, node in self.layout.computed
        }
        direct = {column.name: node.data for column, node in self.layout.computed if node.op == "score"}
        flat: dict[Leaf, NDArray[Any]] = {}
        for name in self.layout.reads:
            values = columns[name]
            flat["input", name] = np.ascontiguousarray(
                values.codes if isinstance(values, Categories) else values
            )
        for start in range(0, rows, ROWS):
            stop = min(start + ROWS, rows)
            block = {leaf: values[start:stop] for leaf, values in flat.items()}
            for runner in self._runners:
                features = runner.run(stop - start, block, out, start)
                if runner.segment.point:
                    label = runner.segment.point.label
                    scores = self._scorers[label].many(features)
                    for i in range(scores.shape[1]):
                        block["score", (label, i)] = np.ascontiguousarray(scores[:, i])
            for name, leaf in direct.items():
                out[name][start:stop] = block["score", leaf]
        return {
            column.name: Categories(out[column.name], tuple(vocabulary(node, self.layout.vocabularies)))
            if node.kind is Kind.CATEGORY
            else out[column.name]
            for column, node in self.layout.computed
        }

    def one(self, values: bytes) -> tuple[Any, ...]:
        """Score one row.

        Parameters
        ----------
        values : bytes
            A float, int µs or category code for each of ``layout.reads``, in that order, in slots of 8 bytes
            (`engine.values.SLOTS`).

        Returns
        -------
        tuple
            ``layout.computed`` in order: float, bool, int µs, or category code.
        """
        if self.interpreted:
            return self._one_by_many(values)
        here = self._here
        try:
            row: RowProgram = here.row
        except AttributeError:
            row = here.row = RowProgram(self.layout, self._runners, self._scorers)
        return row.score(values)

    def _one_by_many(self, values: bytes) -> tuple[Any, ...]:
        columns: dict[str, Values] = {}
        for i, name in enumerate(self.layout.reads):
            kind = self.layout.kinds[name]
            array: NDArray[Any] = np.frombuffer(values, _DTYPES[kind], 1, 8 * i)
            columns[name] = (
                Categories(array, self.layout.vocabularies[name]) if kind is Kind.CATEGORY else array
            )
        out = self.many(1, columns)
        return tuple((v.codes if isinstance(v, Categories) else v)[0].item() for v in out.values())


class _Compiled:
    """A segment as machine code."""

    def __init__(self, segment: Segment, layout: Layout) -> None:
        self.segment = segment
        self.kernel = Kernel(plan_kernel(segment.roots, segment.width, layout.vocabularies))
        self._here = threading.local()

    def run(
        self, rows: int, block: Mapping[Leaf, NDArray[Any]], out: Mapping[str, NDArray[Any]], start: int
    ) -> NDArray[np.float32]:
        here = self._here
        if not hasattr(here, "scratch"):
            here.scratch = self.kernel.new_scratch()
            # features that no split uses keep this NaN for good
            here.features = np.full((ROWS, self.segment.width), np.nan, np.float32)
        features: NDArray[np.float32] = here.features[:rows]
        columns = np.array([block[leaf].ctypes.data for leaf in self.kernel.plan.columns] or [0], np.int64)
        outputs = np.zeros(1 + len(self.segment.roots), np.int64)
        outputs[0] = features.ctypes.data
        if not self.segment.point:
            for root in self.segment.roots:
                column = out[root.name]
                outputs[root.slot] = column.ctypes.data + start * column.itemsize
        self.kernel(rows, columns.ctypes.data, outputs.ctypes.data, here.scratch.ctypes.data)
        return features


class _Interpreted:
    """A segment by the interpreter, from the expressions as they were traced."""

    def __init__(self, segment: Segment, layout: Layout) -> None:
        self.segment = segment
        self._vocabularies = layout.vocabularies

    def run(
        self, rows: int, block: Mapping[Leaf, NDArray[Any]], out: Mapping[str, NDArray[Any]], start: int
    ) -> NDArray[np.float32]:
        leaves: dict[Leaf, Values] = {
            leaf: Categories(values, self._vocabularies[leaf[1]])
            if leaf[0] == "input" and leaf[1] in self._vocabularies
            else values
            for leaf, values in block.items()
        }
        results = interpret([root.expr for root in self.segment.roots], leaves, rows)
        features = np.full((rows, self.segment.width), np.nan, np.float32)
        with np.errstate(over="ignore"):
            for root, values in zip(self.segment.roots, results, strict=True):
                if self.segment.point and not isinstance(values, Categories):
                    features[:, root.slot] = values
                elif isinstance(values, Categories):
                    out[root.name][start : start + rows] = values.codes
                else:
                    out[root.name][start : start + rows] = values
        return features
