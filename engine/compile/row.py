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
from engine.expr.interpret import Leaf
from engine.jit.direct import drive, entry
from engine.stage import Scorer
from engine.values import SLOTS

_Call: TypeAlias = tuple[Kernel, tuple[int, ...]]


class RowProgram:
    """One thread's memory for one row: addresses that never change.

    ``memory`` holds an 8-byte slot for each input, then the scores of every model, float32, then an 8-byte
    slot for each other output.
    """

    def __init__(
        self, layout: Layout, segments: Sequence[tuple[Segment, Kernel]], scorers: Mapping[str, Scorer]
    ) -> None:
        computed = layout.computed
        points = [segment.point for segment, _ in segments if segment.point]
        widths = [scorers[point.label].n_outputs for point in points]
        roots = [node for _, node in computed if node.op != "score"]
        n_inputs, n_scores = len(layout.reads), sum(widths)
        scores_at = 8 * n_inputs
        roots_at = scores_at + 8 * ((n_scores + 1) // 2)
        memory = np.zeros(roots_at // 8 + len(roots) + 1, np.int64)
        self._memory = memory.data
        self._inputs = memory.view(np.uint8).data[:scores_at]
        self._outputs_at = scores_at
        base = memory.ctypes.data
        floats = memory.view(np.float32)[scores_at // 4 :]
        formats = f"={n_scores}f{n_scores % 2 * 4}x" + "".join(SLOTS[node.kind] for node in roots)
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
        order, root = [], n_scores
        for _, node in computed:
            order.append(position[node.data] if node.op == "score" else root)
            root += node.op != "score"
        self._order: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
        if order != list(range(n_scores + len(roots))):
            # itemgetter gives no tuple for a single position
            self._order = itemgetter(*order) if len(order) > 1 else lambda found: (found[order[0]],)
        self._held: list[Any] = []
        self._steps: list[Callable[[], object]] = []
        calls: list[_Call] = []
        for segment, kernel in segments:
            call, score = self._bind(segment, kernel, where, base + roots_at, scorers, scores)
            calls.append(call)
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
        roots_at: int,
        scorers: Mapping[str, Scorer],
        scores: Mapping[str, NDArray[np.float32]],
    ) -> tuple[_Call, Callable[[], object] | None]:
        """A segment's kernel, its arguments, and what scores the features unless the kernel does."""
        features = np.full(max(1, segment.width), np.nan, np.float32)[: segment.width]
        columns = np.array([where[leaf] for leaf in kernel.plan.columns] or [0], np.int64)
        slots = np.arange(len(segment.roots))
        outputs = np.concatenate([[features.ctypes.data], roots_at + 8 * slots]).astype(np.int64)
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
