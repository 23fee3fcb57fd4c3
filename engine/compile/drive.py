"""Blocks of rows through loaders, kernels and models, all in one call of machine code.

A block stays in the processor's nearest caches from the numbers that Arrow stores to the scores. Nothing of
it is seen by Python but models that the engine doesn't score itself, and stages that compute with NumPy: they
end a *stretch*. One that needs whole groups ends a *phase*, too: all rows go through it before the next.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.kernel import Kernel
from engine.compile.layout import Layout, Segment
from engine.compile.load import loader
from engine.compile.room import Room
from engine.expr.derived import InputKey
from engine.jit.direct import drive
from engine.stage import Scorer
from engine.values import Stored

BLOCK = 1024
"""Rows that are prepared and scored before the next are."""
XGBOOST_BLOCK = 4096
"""The same where a model is scored in Python: XGBoost needs that many to be fast."""


class Drive:
    """The compiled segments of a program over blocks of rows; safe to call from several threads.

    Parameters
    ----------
    segments : sequence of (Segment, Kernel)
    layout : Layout
    scorers : mapping of str to Scorer
        By the label of the score stage. One with a ``block_address`` is called by machine code.
    """

    def __init__(
        self, segments: Sequence[tuple[Segment, Kernel]], layout: Layout, scorers: Mapping[str, Scorer]
    ) -> None:
        self._scorers = scorers
        phases: list[list[list[tuple[Segment, Kernel]]]] = [[[]]]
        for segment, kernel in segments:
            phases[-1][-1].append((segment, kernel))
            if segment.compute and segment.compute.grouped:
                phases.append([[]])
            elif segment.compute or (
                segment.point and not hasattr(scorers[segment.point.label], "block_address")
            ):
                phases[-1].append([])
        self._alone = len(phases) == len(phases[0]) == 1
        self._phases = [[stretch for stretch in phase if stretch] for phase in phases]
        self._block = BLOCK if self._alone else XGBOOST_BLOCK
        self._here = threading.local()

    def run(self, rows: int, columns: Mapping[InputKey, NDArray[Any] | Stored], room: Room) -> None:
        """Compute all rows.

        Parameters
        ----------
        rows : int
        columns : mapping of str to array or Stored
            The inputs in ``layout.reads``, C-contiguous: float64, int32 codes, int64 µs, or as stored.
        room : Room
            Where the results go.
        """
        # taken out while it is used: a stage in Python may score by the same pipeline
        memory = self._here.__dict__.pop("memory", None) or [
            [_Memory(stretch, self._block, self._scorers) for stretch in phase] for phase in self._phases
        ]
        try:
            self._run(memory, rows, columns, room)
        finally:
            self._here.memory = memory

    def _run(
        self,
        phases: Sequence[Sequence[_Memory]],
        rows: int,
        columns: Mapping[InputKey, NDArray[Any] | Stored],
        room: Room,
    ) -> None:
        size = rows if self._alone else XGBOOST_BLOCK
        for phase in phases:
            bound = [(memory, memory.bind(columns, room)) for memory in phase]
            for start in range(0, rows, max(size, 1)):
                count = min(size, rows - start)
                for memory, calls in bound:
                    calls.run(start, count, self._block)
                    if memory.label:
                        found = self._scorers[memory.label].many(memory.features[:, :count].T)
                        room.scores[memory.label][:, start : start + count] = found.T
                    elif memory.last.compute and not memory.last.compute.grouped:
                        room.compute(memory.last, start, start + count)
            if phase and phase[-1].last.compute and phase[-1].last.compute.grouped:
                room.compute(phase[-1].last, 0, rows)


class _Calls:
    """The moves and steps of a stretch, for given columns."""

    def __init__(self, moves: Sequence[Sequence[int]], steps: NDArray[np.int64], held: Any) -> None:
        self._moves = np.array(moves, np.int64).reshape(-1, 3)
        self._steps = steps
        self._held = held

    def run(self, start: int, rows: int, block: int) -> None:
        moves = self._moves
        if start:
            moves = moves.copy()
            moves[:, 1] += start * moves[:, 2]
        drive()(rows, block, moves.ctypes.data, len(moves), self._steps.ctypes.data, len(self._steps))


class _Memory:
    """What one thread needs for a stretch: matrices, scratch, and the arguments of each call.

    Attributes
    ----------
    label : str
        The model that Python scores behind this stretch; empty: none.
    features : float32 array, shape (n_features, block)
        That model's.
    last : Segment
    """

    def __init__(
        self, stretch: Sequence[tuple[Segment, Kernel]], block: int, scorers: Mapping[str, Scorer]
    ) -> None:
        self.label = ""
        self.last = stretch[-1][0]
        self._room: dict[InputKey, NDArray[np.float64]] = {}
        self._tables: dict[InputKey, NDArray[np.int32]] = {}
        self._parts = []
        for segment, kernel in stretch:
            part = _Part(segment, kernel, block, scorers)
            if segment.point and part.scorer is None:
                self.label, self.features = segment.point.label, part.features
            self._parts.append(part)
            for kind, name in kernel.plan.columns:
                if kind == "input":
                    self._room[name] = np.empty(block)  # of whatever eight bytes
        self._room_at = {name: array.ctypes.data for name, array in self._room.items()}

    def bind(self, columns: Mapping[InputKey, NDArray[Any] | Stored], room: Room) -> _Calls:
        """The calls for these columns."""
        stored = [name for name in self._room if isinstance(columns[name], Stored)]
        calls = [call for part in self._parts for call in part.calls]
        steps = np.zeros((len(stored) + len(calls), 6), np.int64)
        steps[len(stored) :] = calls
        begin = at(steps)
        moves: list[tuple[int, int, int]] = []
        for i, name in enumerate(stored):
            column: Any = columns[name]
            values = column.values
            valid = 0 if column.valid is None else at(column.valid)
            load = loader(values.dtype.char, column.codes is not None)
            steps[i] = load, 0, valid, 0, self._room_at[name], self._table(name, column.codes)
            moves.append((begin + 48 * i + 8, at(values), values.itemsize))
            moves.append((begin + 48 * i + 24, column.first, 1))
        kept = set(stored)
        step = len(stored)
        for part in self._parts:
            for number, (kind, name) in enumerate(part.kernel.plan.columns):
                target = part.columns_at + 8 * number
                if kind == "score":
                    label, output = name
                    scores = room.scores[label]
                    moves.append((target, at(scores) + 4 * output * scores.shape[1], 4))
                elif kind == "made":
                    label, output = name
                    made = room.made[label][output]
                    moves.append((target, at(made), made.itemsize))
                elif name in kept:
                    part.columns[number] = self._room_at[name]
                else:
                    array: Any = columns[name]
                    moves.append((target, at(array), array.itemsize))
            if not part.segment.point:
                for root in part.segment.roots:
                    array = room.out[root.key]
                    moves.append((part.outputs_at + 8 * root.slot, at(array), array.itemsize))
            elif part.scorer is not None:
                found = room.scores[part.segment.point.label]
                moves.append((begin + 48 * (step + 1) + 16, at(found), 4))
                part.steps[3] = found.shape[1]
            step += len(part.calls)
        return _Calls(moves, steps, (columns, room))

    def _table(self, name: InputKey, codes: NDArray[np.int32] | None) -> int:
        """Where the codes of a dictionary lie, for `loader`; 0: it is no category."""
        if codes is None:
            return 0
        table = self._tables[name] = np.concatenate([np.array([len(codes) - 1]).view(np.int32), codes])
        return at(table)


def at(array: NDArray[Any]) -> int:
    """Where an array's first item lies."""
    address: int = array.__array_interface__["data"][0]  # half the time of array.ctypes.data
    return address


class _Part:
    """A segment's kernel, its model where machine code calls that, and their arguments.

    Attributes
    ----------
    calls : list of list of int
        The kernel, then the model, with their arguments behind the number of rows.
    """

    def __init__(self, segment: Segment, kernel: Kernel, block: int, scorers: Mapping[str, Scorer]) -> None:
        self.segment = segment
        self.kernel = kernel
        # features that no split uses keep this NaN for good
        self.features = np.full((segment.width, block), np.nan, np.float32)
        self.columns = np.zeros(max(1, len(kernel.plan.columns)), np.int64)
        self.outputs = np.zeros(1 + len(segment.roots), np.int64)
        self.outputs[0] = at(self.features)
        self.columns_at, self.outputs_at = at(self.columns), at(self.outputs)
        self._integers = kernel.with_stride(block)
        self._scratch = kernel.new_scratch()
        integers, scratch = at(self._integers), at(self._scratch)
        self.calls = [[kernel.address, self.columns_at, self.outputs_at, kernel.numbers, integers, scratch]]
        scorer: Any = scorers[segment.point.label] if segment.point else None
        self.scorer = scorer if hasattr(scorer, "block_address") else None
        if self.scorer is None:
            return
        self.steps = np.array([1, block, 1, 0], np.int64)
        self._work = self.scorer.new_work()
        address, model = self.scorer.block_address, self.scorer.block_model
        self.calls.append([address, at(self.features), 0, model, at(self._work), at(self.steps)])
