"""A pipeline ready to run: kernels and scorers in order.

The same kernels run a block of rows and one row; only where their columns lie differs.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.drive import Drive
from engine.compile.kernel import Kernel, plan_kernel, vocabulary
from engine.compile.layout import Layout, Segment
from engine.compile.room import DTYPES, Room
from engine.compile.row import RowProgram
from engine.expr.derived import InputKey
from engine.expr.interpret import Leaf, interpret
from engine.schema import Kind
from engine.stage import Scorer
from engine.values import Categories, Stored, Values

_INTERPRETED = 4096
"""Rows that are interpreted before the next are."""


NO_GROUPS: Mapping[str | None, NDArray[np.int64]] = MappingProxyType({})


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

    def many(self, rows: int, columns: Mapping[Any, Values | Stored]) -> dict[str, Values]:
        """Score rows, those that filters refuse among them; each is a group of its own.

        Parameters and what it returns are those of `answer`.
        """
        groups = dict.fromkeys(self.layout.groups, np.arange(rows, dtype=np.int64))
        return self.answer(rows, columns, groups)[0]

    def answer(
        self,
        rows: int,
        columns: Mapping[Any, Values | Stored],
        groups: Mapping[str | None, NDArray[np.int64]] = NO_GROUPS,
    ) -> tuple[dict[str, Values], NDArray[np.int64] | None]:
        """Score rows.

        Parameters
        ----------
        rows : int
        columns : mapping of InputKey to Values or Stored
            The inputs in ``layout.reads``, ``rows`` long each, categories coded by ``layout.vocabularies``.
        groups : mapping of (str or None) to int64 array, shape (n_rows,)
            The number of each row's group, for every ``by`` in ``layout.groups``; it never decreases.

        Returns
        -------
        dict of str to Values
            ``layout.computed``, by name, in order. What a refused row has there means nothing.
        int64 array, shape (n_rows,), or None
            Which of ``layout.refusals`` is why a row is refused; -1: it isn't. None: there are no filters.
        """
        room = Room(self.layout, self._scorers, rows, groups)
        flat = {name: _flat(columns[name]) for name in self.layout.reads}
        if self.interpreted:
            self._interpret(rows, flat, room)
        else:
            self._drive.run(rows, flat, room)
        found: dict[str, Values] = {}
        for column, node in self.layout.computed:
            if node.op == "score":
                label, i = node.data
                found[column.name] = room.scores[label][i]
            elif node.kind is Kind.CATEGORY:
                texts = tuple(vocabulary(node, self.layout.vocabularies))
                found[column.name] = Categories(room.out["", column.name], texts)
            else:
                found[column.name] = room.out["", column.name]
        return found, room.refused(rows)

    def _interpret(self, rows: int, columns: Mapping[InputKey, NDArray[Any] | Stored], room: Room) -> None:
        """What `Drive.run` does, from the expressions as they were traced."""
        plain: dict[InputKey, Any] = {
            name: v.plain() if isinstance(v, Stored) else v for name, v in columns.items()
        }
        for segment in self.layout.segments:
            for start in range(0, rows, _INTERPRETED):
                self._interpret_block(segment, slice(start, min(start + _INTERPRETED, rows)), plain, room)
            if segment.compute and segment.compute.grouped:
                room.compute(segment, 0, rows)

    def _interpret_block(
        self, segment: Segment, part: slice, plain: Mapping[InputKey, Any], room: Room
    ) -> None:
        rows = part.stop - part.start
        leaves: dict[Leaf, Values] = {}
        for name, values in plain.items():
            texts = self.layout.vocabularies.get(name) if isinstance(name, str) else None
            leaves["input", name] = values[part] if texts is None else Categories(values[part], texts)
        for kind, found in (("score", room.scores), ("made", room.made)):
            for label, columns in found.items():
                leaves |= {(kind, (label, i)): column[part] for i, column in enumerate(columns)}
        results = interpret([root.expr for root in segment.roots], leaves, rows)
        if segment.point:
            features: Any = np.full((rows, segment.width), np.nan, np.float32)
            with np.errstate(over="ignore"):
                for root, result in zip(segment.roots, results, strict=True):
                    features[:, root.slot] = result
            label = segment.point.label
            room.scores[label][:, part] = self._scorers[label].many(features).T
            return
        for root, result in zip(segment.roots, results, strict=True):
            room.out[root.key][part] = result.codes if isinstance(result, Categories) else result
        if segment.compute and not segment.compute.grouped:
            room.compute(segment, part.start, part.stop)

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
            ``layout.computed`` in order: float, bool, int µs, or category code; then for each of
            ``layout.refusals`` whether it holds.
        """
        if self.interpreted:
            return self._one_by_many(values)
        here = self._here
        # taken out while it is used: a stage in Python may score by the same pipeline
        row: RowProgram | None = here.__dict__.pop("row", None)
        if row is None:
            row = RowProgram(self.layout, self._segments, self._scorers)
        try:
            return row.score(values)
        finally:
            here.row = row

    def _one_by_many(self, values: bytes) -> tuple[Any, ...]:
        columns: dict[InputKey, Values] = {}
        for i, name in enumerate(self.layout.reads):
            kind = self.layout.kinds[name]
            array: NDArray[Any] = np.frombuffer(values, DTYPES[kind], 1, 8 * i)
            columns[name] = (
                Categories(array, self.layout.vocabularies[str(name)]) if kind is Kind.CATEGORY else array
            )
        groups = dict.fromkeys(self.layout.groups, np.zeros(1, np.int64))
        out, refused = self.answer(1, columns, groups)
        found = [(v.codes if isinstance(v, Categories) else v)[0].item() for v in out.values()]
        holds = [] if refused is None else [i == refused[0] for i in range(len(self.layout.refusals))]
        return *found, *holds


def _flat(values: Values | Stored) -> NDArray[Any] | Stored:
    if isinstance(values, Stored):
        return values
    return np.ascontiguousarray(values.codes if isinstance(values, Categories) else values)
