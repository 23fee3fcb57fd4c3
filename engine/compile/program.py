"""A pipeline ready to run: kernels and scorers in order.

The same kernels run a block of rows and one row; only where their columns lie differs.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.drive import Drive
from engine.compile.kernel import Kernel, plan_kernel, vocabulary
from engine.compile.layout import Layout
from engine.compile.row import RowProgram
from engine.expr.interpret import Leaf, interpret
from engine.schema import Kind
from engine.stage import Scorer
from engine.values import Categories, Stored, Values

_DTYPES = {
    Kind.NUMBER: np.float64,
    Kind.BOOLEAN: np.bool_,
    Kind.CATEGORY: np.int32,
    Kind.TIMESTAMP: np.int64,
}


_INTERPRETED = 4096
"""Rows that are interpreted before the next are."""


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
        if not interpreted:
            kernels = [
                Kernel(plan_kernel(segment.roots, segment.width, layout.vocabularies))
                for segment in layout.segments
            ]
            self._segments = list(zip(layout.segments, kernels, strict=True))
            self._drive = Drive(self._segments, layout, scorers)
        self._here = threading.local()

    def many(self, rows: int, columns: Mapping[str, Values | Stored]) -> dict[str, Values]:
        """Score rows.

        Parameters
        ----------
        rows : int
        columns : mapping of str to Values or Stored
            The inputs in ``layout.reads``, ``rows`` long each, categories coded by ``layout.vocabularies``.

        Returns
        -------
        dict of str to Values
            ``layout.computed``, by name, in order.
        """
        out: dict[str, NDArray[Any]] = {
            column.name: np.empty(rows, _DTYPES[node.kind])
            for column, node in self.layout.computed
            if node.op != "score"
        }
        flat = {name: _flat(columns[name]) for name in self.layout.reads}
        scores = self._interpret(rows, flat, out) if self.interpreted else self._drive.run(rows, flat, out)
        for column, node in self.layout.computed:
            if node.op == "score":
                label, i = node.data
                out[column.name] = scores[label][i]
        return {
            column.name: Categories(out[column.name], tuple(vocabulary(node, self.layout.vocabularies)))
            if node.kind is Kind.CATEGORY
            else out[column.name]
            for column, node in self.layout.computed
        }

    def _interpret(
        self, rows: int, columns: Mapping[str, NDArray[Any] | Stored], out: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[np.float32]]:
        """What `Drive.run` does, from the expressions as they were traced."""
        scores = {
            segment.point.label: np.empty((self._scorers[segment.point.label].n_outputs, rows), np.float32)
            for segment in self.layout.segments
            if segment.point
        }
        plain: dict[str, Any] = {
            name: v.plain() if isinstance(v, Stored) else v for name, v in columns.items()
        }
        for start in range(0, rows, _INTERPRETED):
            part = slice(start, min(start + _INTERPRETED, rows))
            leaves: dict[Leaf, Values] = {}
            for name, values in plain.items():
                texts = self.layout.vocabularies.get(name)
                leaves["input", name] = values[part] if texts is None else Categories(values[part], texts)
            for segment in self.layout.segments:
                results = interpret([root.expr for root in segment.roots], leaves, part.stop - start)
                if not segment.point:
                    for root, found in zip(segment.roots, results, strict=True):
                        out[root.name][part] = found.codes if isinstance(found, Categories) else found
                    continue
                features: Any = np.full((part.stop - start, segment.width), np.nan, np.float32)
                with np.errstate(over="ignore"):
                    for root, found in zip(segment.roots, results, strict=True):
                        features[:, root.slot] = found
                label = segment.point.label
                scores[label][:, part] = self._scorers[label].many(features).T
                for i, column in enumerate(scores[label]):
                    leaves["score", (label, i)] = column[part]
        return scores

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
            row = here.row = RowProgram(self.layout, self._segments, self._scorers)
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


def _flat(values: Values | Stored) -> NDArray[Any] | Stored:
    if isinstance(values, Stored):
        return values
    return np.ascontiguousarray(values.codes if isinstance(values, Categories) else values)
