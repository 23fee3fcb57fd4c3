"""A pipeline ready to run: kernels and scorers in order.

The same kernels run a block of rows and one row; only where their columns lie differs.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.drive import Drive
from engine.compile.kernel import Kernel, plan_kernel, vocabulary
from engine.compile.layout import Layout, Segment
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
_SLOTS = {Kind.NUMBER: "d", Kind.BOOLEAN: "?7x", Kind.CATEGORY: "i4x", Kind.TIMESTAMP: "q"}
"""`struct` formats of a value in an 8-byte slot."""


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

    def one(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Score one row.

        Parameters
        ----------
        values : sequence
            A float, int µs or category code for each of ``layout.reads``, in that order.

        Returns
        -------
        tuple
            ``layout.computed`` in order: float, bool, int µs, or category code.
        """
        if self.interpreted:
            return self._one_by_many(values)
        row = getattr(self._here, "row", None)
        if row is None:
            row = self._here.row = _Row(self.layout, self._segments, self._scorers)
        found: tuple[Any, ...] = row(values)
        return found

    def _one_by_many(self, values: Sequence[Any]) -> tuple[Any, ...]:
        columns: dict[str, Values] = {}
        for name, value in zip(self.layout.reads, values, strict=True):
            kind = self.layout.kinds[name]
            array: NDArray[Any] = np.array([value], _DTYPES[kind])
            columns[name] = (
                Categories(array, self.layout.vocabularies[name]) if kind is Kind.CATEGORY else array
            )
        out = self.many(1, columns)
        return tuple((v.codes if isinstance(v, Categories) else v)[0].item() for v in out.values())


class _Row:
    """One thread's memory for one row: addresses that never change.

    ``memory`` holds an 8-byte slot for each input, a slot for each computed output, then the scores of
    every model, float32.
    """

    def __init__(
        self, layout: Layout, segments: Sequence[tuple[Segment, Kernel]], scorers: Mapping[str, Scorer]
    ) -> None:
        computed = layout.computed
        points = [segment.point for segment, _ in segments if segment.point]
        widths = [scorers[point.label].n_outputs for point in points]
        n_inputs, n_roots = len(layout.reads), sum(1 for _, node in computed if node.op != "score")
        memory = np.zeros(n_inputs + n_roots + (sum(widths) + 1) // 2 + 1, np.int64)
        self._memory = memory.data
        base = memory.ctypes.data
        floats = memory.view(np.float32)[2 * (n_inputs + n_roots) :]
        self._pack = struct.Struct(
            "=" + "".join(_SLOTS[layout.kinds[name]] for name in layout.reads)
        ).pack_into
        formats = "".join(_SLOTS[node.kind] for _, node in computed if node.op != "score")
        self._unpack = struct.Struct(f"={formats}{sum(widths)}f").unpack_from
        self._offset = 8 * n_inputs
        where: dict[Leaf, int] = {("input", name): base + 8 * i for i, name in enumerate(layout.reads)}
        position: dict[Any, int] = {}
        at = 0
        scores: dict[str, NDArray[np.float32]] = {}
        for point, width in zip(points, widths, strict=True):
            scores[point.label] = floats[at : at + width]
            for i in range(width):
                where["score", (point.label, i)] = scores[point.label].ctypes.data + 4 * i
                position[point.label, i] = n_roots + at + i
            at += width
        order, root = [], 0
        for _, node in computed:
            order.append(position[node.data] if node.op == "score" else root)
            root += node.op != "score"
        self._order: Callable[[tuple[Any, ...]], Any] = (
            itemgetter(*order) if len(order) > 1 else lambda found: tuple(found[i] for i in order)
        )
        self._held: list[Any] = []
        self._calls = [
            self._bind(segment, kernel, where, base + self._offset, scorers, scores)
            for segment, kernel in segments
        ]

    def _bind(
        self,
        segment: Segment,
        kernel: Kernel,
        where: Mapping[Leaf, int],
        outputs_at: int,
        scorers: Mapping[str, Scorer],
        scores: Mapping[str, NDArray[np.float32]],
    ) -> tuple[Any, ...]:
        features = np.full(max(1, segment.width), np.nan, np.float32)[: segment.width]
        columns = np.array([where[leaf] for leaf in kernel.plan.columns] or [0], np.int64)
        slots = 1 + np.arange(len(segment.roots))
        outputs = np.concatenate([[features.ctypes.data], outputs_at + 8 * (slots - 1)]).astype(np.int64)
        scratch = kernel.new_scratch()
        integers = kernel.plan.integers
        label = segment.point.label if segment.point else ""
        score = scorers[label].one if label else None
        walks: Any = scorers.get(label)
        if segment.roots and hasattr(walks, "row_address"):
            # the model walks within the kernel
            integers = kernel.with_walk(walks.row_address, walks.row_model)
            outputs = np.array([features.ctypes.data, scores[label].ctypes.data], np.int64)
            score = None
        self._held += [features, columns, outputs, scratch, integers]
        arguments = (
            1, columns.ctypes.data, outputs.ctypes.data, kernel.numbers, integers.ctypes.data,
            scratch.ctypes.data,
        )  # fmt: skip
        return (kernel.call, arguments, score, features, scores.get(label))

    def __call__(self, values: Sequence[Any]) -> tuple[Any, ...]:
        self._pack(self._memory, 0, *values)
        for call, arguments, score, features, scores in self._calls:
            call(*arguments)
            if score is not None:
                score(features, scores)
        found: tuple[Any, ...] = self._order(self._unpack(self._memory, self._offset))
        return found


def _flat(values: Values | Stored) -> NDArray[Any] | Stored:
    if isinstance(values, Stored):
        return values
    return np.ascontiguousarray(values.codes if isinstance(values, Categories) else values)
