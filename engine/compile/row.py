"""A program for one row: everything that can be decided beforehand is, so that little is left to Python."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.compile.kernel import Kernel
from engine.compile.layout import Layout, Segment
from engine.compile.room import DTYPES
from engine.expr.interpret import Leaf
from engine.jit.direct import drive, entry
from engine.schema import Kind
from engine.stage import Scorer
from engine.values import SLOTS

_Call: TypeAlias = tuple[Kernel, tuple[int, ...]]


class RowProgram:
    """One thread's memory for one row: addresses that never change.

    ``memory`` holds an 8-byte slot for each input, then the scores of every model, float32, then an 8-byte
    slot for each column that kernels write: outputs, what stages take, and refusals; then one for each
    column that such stages make.
    """

    def __init__(
        self, layout: Layout, segments: Sequence[tuple[Segment, Kernel]], scorers: Mapping[str, Scorer]
    ) -> None:
        computed = layout.computed
        points = [segment.point for segment, _ in segments if segment.point]
        widths = [scorers[point.label].n_outputs for point in points]
        roots = [root for segment, _ in segments if not segment.point for root in segment.roots]
        computes = [segment.compute for segment, _ in segments if segment.compute]
        n_inputs, n_scores = len(layout.reads), sum(widths)
        scores_at = 8 * n_inputs
        roots_at = scores_at + 8 * ((n_scores + 1) // 2)
        made_at = roots_at // 8 + len(roots)
        memory = np.zeros(made_at + sum(len(point.columns) for point in computes) + 1, np.int64)
        self._slots = memory
        self._memory = memory.data
        self._inputs = memory.view(np.uint8).data[:scores_at]
        self._outputs_at = scores_at
        base = memory.ctypes.data
        floats = memory.view(np.float32)[scores_at // 4 :]
        formats = f"={n_scores}f{n_scores % 2 * 4}x" + "".join(SLOTS[root.expr.kind] for root in roots)
        self._unpack = struct.Struct(formats).unpack_from
        where: dict[Leaf, int] = {("input", name): base + 8 * i for i, name in enumerate(layout.reads)}
        position: dict[Any, int] = {}
        at = 0
        scores: dict[str, NDArray[np.float32]] = {}
        for point, width in zip(points, widths, strict=True):
            scores[point.label] = floats[at : at + width]
            for i in range(width):
                where["score", (point.label, i)] = scores[point.label].ctypes.data + 4 * i
                position[point.label, i] = at + i
            at += width
        self._slot_of = {root.key: roots_at // 8 + i for i, root in enumerate(roots)}
        for stage in computes:
            for i in range(len(stage.columns)):
                where["made", (stage.label, i)] = base + 8 * (made_at + i)
            made_at += len(stage.columns)
        first = roots_at // 8 - n_scores
        order = [
            position[node.data] if node.op == "score" else self._slot_of["", column.name] - first
            for column, node in computed
        ]
        self._refusals = [self._slot_of[refusal.key] for refusal in layout.refusals]
        order += [slot - first for slot in self._refusals]
        self._order: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
        if order != list(range(n_scores + len(roots))):
            # itemgetter gives no tuple for a single position
            self._order = itemgetter(*order) if len(order) > 1 else lambda found: (found[order[0]],)
        self._held: list[Any] = []
        self._steps: list[Callable[[], object]] = []
        calls: list[_Call] = []
        for segment, kernel in segments:
            call, score = self._bind(segment, kernel, where, scorers, scores)
            calls.append(call)
            if segment.compute:
                score = self._computation(segment, where)
            if score is not None:
                self._steps += [self._chain(calls), score]
                calls = []
        if calls:
            self._steps.append(self._chain(calls))

    def _bind(
        self,
        segment: Segment,
        kernel: Kernel,
        where: Mapping[Leaf, int],
        scorers: Mapping[str, Scorer],
        scores: Mapping[str, NDArray[np.float32]],
    ) -> tuple[_Call, Callable[[], object] | None]:
        """A segment's kernel, its arguments, and what scores the features unless the kernel does."""
        base = self._slots.ctypes.data
        features = np.full(max(1, segment.width), np.nan, np.float32)[: segment.width]
        columns = np.array([where[leaf] for leaf in kernel.plan.columns] or [0], np.int64)
        slots = [] if segment.point else [base + 8 * self._slot_of[root.key] for root in segment.roots]
        outputs = np.array([features.ctypes.data, *slots], np.int64)
        scratch = kernel.new_scratch()
        integers = kernel.plan.integers
        label = segment.point.label if segment.point else ""
        score = partial(scorers[label].one, features, scores[label]) if label else None
        walks: Any = scorers.get(label)
        if segment.roots and hasattr(walks, "row_address"):
            # the model walks within the kernel
            integers = kernel.with_walk(walks.row_address, walks.row_model)
            outputs = np.array([features.ctypes.data, scores[label].ctypes.data], np.int64)
            score = None
        self._held += [features, columns, outputs, scratch, integers]
        arguments = (
            columns.ctypes.data, outputs.ctypes.data, kernel.numbers, integers.ctypes.data,
            scratch.ctypes.data,
        )  # fmt: skip
        return (kernel, arguments), score

    def _computation(self, segment: Segment, where: Mapping[Leaf, int]) -> Callable[[], object]:
        """Has a stage compute with NumPy, unless a filter before it refuses the row."""
        point = segment.compute
        assert point is not None
        kinds = [root.expr.kind for root in segment.roots]
        columns = {
            name: self._column(self._slot_of[point.label, name], kind)
            for (name, _), kind in zip(point.inputs, kinds, strict=False)
        }
        for column in columns.values():
            column.flags.writeable = False
        base = self._slots.ctypes.data
        made = [
            self._column((where["made", (point.label, i)] - base) // 8, column.kind)
            for i, column in enumerate(point.columns)
        ]
        absent = point.new(1)
        guards = [self._column(slot, Kind.BOOLEAN) for slot in self._refusals[: segment.guards]]
        starts = np.zeros(1, np.int64)

        def compute() -> None:
            refused = any(guard[0] for guard in guards)
            found = absent if refused else point.compute(columns, 1, starts)
            for slot, value in zip(made, found, strict=True):
                slot[0] = value[0]

        return compute

    def _column(self, slot: int, kind: Kind) -> NDArray[Any]:
        """A slot of the memory as a column of one row."""
        dtype = np.dtype(DTYPES[kind])
        return self._slots[slot : slot + 1].view(np.uint8)[: dtype.itemsize].view(dtype)

    def _chain(self, calls: Sequence[_Call]) -> Callable[[], object]:
        """One call from Python for several kernels: a call costs as much as a small kernel."""
        if len(calls) == 1:
            kernel, arguments = calls[0]
            return partial(entry(kernel.call), 1, *arguments)
        steps = np.array([[kernel.address, *arguments] for kernel, arguments in calls], np.int64)
        self._held.append(steps)
        return partial(entry(drive()), 1, 1, 0, 0, steps.ctypes.data, len(steps))

    def score(self, values: bytes) -> tuple[Any, ...]:
        self._inputs[:] = values
        for step in self._steps:
            step()
        found = self._unpack(self._memory, self._outputs_at)
        return found if self._order is None else self._order(found)
