"""Blocks of rows through loaders, kernels and models, all in one call of machine code.

A block stays in the processor's nearest caches from the numbers that Arrow stores to the scores. Nothing of
it is seen by Python but models that the engine doesn't score itself: they end a *stretch*.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.kernel import Kernel
from engine.compile.layout import Layout, Segment
from engine.compile.load import loader
from engine.expr.interpret import Leaf
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
        self._layout = layout
        self._scorers = scorers
        self._stretches: list[list[tuple[Segment, Kernel]]] = [[]]
        for segment, kernel in segments:
            self._stretches[-1].append((segment, kernel))
            if segment.point and not hasattr(scorers[segment.point.label], "block_address"):
                self._stretches.append([])
        self._alone = len(self._stretches) == 1
        self._block = BLOCK if self._alone else XGBOOST_BLOCK
        self._here = threading.local()

    def run(
        self, rows: int, columns: Mapping[str, NDArray[Any] | Stored], out: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the outputs of all rows.

        Parameters
        ----------
        rows : int
        columns : mapping of str to array or Stored
            The inputs in ``layout.reads``, C-contiguous: float64, int32 codes, int64 µs, or as stored.
        out : mapping of str to array, shape (n_rows,)
            The output columns that kernels write.

        Returns
        -------
        dict of str to float32 array, shape (n_outputs, n_rows)
            The scores of every model.
        """
        scores = {
            segment.point.label: np.empty((self._scorers[segment.point.label].n_outputs, rows), np.float32)
            for stretch in self._stretches
            for segment, _ in stretch
            if segment.point
        }
        if not hasattr(self._here, "memory"):
            self._here.memory = [
                _Memory(stretch, self._block, self._scorers) for stretch in self._stretches if stretch
            ]
        bound = [memory.bind(columns, out, scores) for memory in self._here.memory]
        size = rows if self._alone else XGBOOST_BLOCK
        for start in range(0, rows, max(size, 1)):
            count = min(size, rows - start)
            for memory, calls in zip(self._here.memory, bound, strict=True):
                calls.run(start, count, self._block)
                if memory.label:
                    found = self._scorers[memory.label].many(memory.features[:, :count].T)
                    scores[memory.label][:, start : start + count] = found.T
        return scores


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
    """

    def __init__(
        self, stretch: Sequence[tuple[Segment, Kernel]], block: int, scorers: Mapping[str, Scorer]
    ) -> None:
        self.label = ""
        self._block = block
        self._parts = []
        self._loaded: dict[str, NDArray[np.float64]] = {}
        self._held: dict[str, NDArray[np.int32]] = {}
        for segment, kernel in stretch:
            part = _Part(segment, kernel, block)
            if segment.point:
                scorer: Any = scorers[segment.point.label]
                if hasattr(scorer, "block_address"):
                    part.scorer, part.work = scorer, scorer.new_work()
                else:
                    self.label, self.features = segment.point.label, part.features
            self._parts.append(part)

    def bind(
        self,
        columns: Mapping[str, NDArray[Any] | Stored],
        out: Mapping[str, NDArray[Any]],
        scores: Mapping[str, NDArray[np.float32]],
    ) -> _Calls:
        """The calls for these columns."""
        moves: list[tuple[int, int, int]] = []
        loads: list[list[int]] = []
        calls: list[list[int]] = []
        loading: dict[str, int] = {}
        n_loads = len(
            {leaf for part in self._parts for leaf in part.kernel.plan.columns if self._stored(leaf, columns)}
        )
        n_calls = sum(1 + (part.scorer is not None) for part in self._parts)
        steps = np.zeros((n_loads + n_calls, 6), np.int64)
        begin = steps.ctypes.data

        def cell(step: int, argument: int) -> int:
            return begin + 8 * (6 * step + argument)

        for part in self._parts:
            for number, leaf in enumerate(part.kernel.plan.columns):
                target = part.columns.ctypes.data + 8 * number
                name: Any = leaf[1]
                if leaf[0] == "score":
                    array = scores[name[0]][name[1]]
                    moves.append((target, array.ctypes.data, 4))
                elif self._stored(leaf, columns):
                    if name not in loading:
                        loading[name], load = self._load(name, columns[name])
                        moves += [(cell(len(loads), i), start, step) for i, start, step in load.moves]
                        loads.append(load.call)
                    part.columns[number] = loading[name]
                else:
                    values: Any = columns[name]
                    moves.append((target, values.ctypes.data, values.itemsize))
            calls.append(part.call())
            if part.scorer is not None and part.segment.point:
                made = scores[part.segment.point.label]
                moves.append((cell(n_loads + len(calls), 2), made.ctypes.data, 4))
                part.steps[:] = 1, self._block, 1, made.shape[1]
                calls.append(part.score())
            elif not part.segment.point:
                for root in part.segment.roots:
                    column = out[root.name]
                    moves.append(
                        (part.outputs.ctypes.data + 8 * root.slot, column.ctypes.data, column.itemsize)
                    )
        steps[:] = loads + calls
        return _Calls(moves, steps, (columns, out, scores))

    def _load(self, name: str, column: Any) -> tuple[int, _Load]:
        """Where a column's values of a block lie once they are loaded, and how they get there."""
        numbers, codes = column.values, 0
        if column.codes is not None:
            table = np.concatenate([np.array([len(column.codes) - 1]).view(np.int32), column.codes])
            self._held[name], codes = table, table.ctypes.data
        room = self._loaded.setdefault(name, np.empty(self._block)).ctypes.data
        valid = 0 if column.valid is None else column.valid.ctypes.data
        call = [loader(numbers.dtype.name, column.codes is not None), 0, valid, 0, room, codes]
        return room, _Load(call, ((1, numbers.ctypes.data, numbers.itemsize), (3, column.first, 1)))

    @staticmethod
    def _stored(leaf: Leaf, columns: Mapping[str, Any]) -> bool:
        return leaf[0] == "input" and isinstance(columns[leaf[1]], Stored)


@dataclass(frozen=True)
class _Load:
    """A loader with its arguments, and those that move: which, where it starts, how far for each row."""

    call: list[int]
    moves: tuple[tuple[int, int, int], ...]


class _Part:
    """A segment's kernel, its model, and their arguments."""

    def __init__(self, segment: Segment, kernel: Kernel, block: int) -> None:
        self.segment = segment
        self.kernel = kernel
        # features that no split uses keep this NaN for good
        self.features = np.full((segment.width, block), np.nan, np.float32)
        self.columns = np.zeros(max(1, len(kernel.plan.columns)), np.int64)
        self.outputs = np.zeros(1 + len(segment.roots), np.int64)
        self.outputs[0] = self.features.ctypes.data
        self._integers = kernel.with_stride(block)
        self._scratch = kernel.new_scratch()
        self.steps = np.zeros(4, np.int64)
        self.scorer: Any = None
        self.work: Any = None

    def call(self) -> list[int]:
        """The kernel and its arguments behind the number of rows."""
        return [
            self.kernel.address, self.columns.ctypes.data, self.outputs.ctypes.data, self.kernel.numbers,
            self._integers.ctypes.data, self._scratch.ctypes.data,
        ]  # fmt: skip

    def score(self) -> list[int]:
        """The model and its arguments behind the number of rows."""
        return [
            self.scorer.block_address, self.features.ctypes.data, 0, self.scorer.block_model,
            self.work.ctypes.data, self.steps.ctypes.data,
        ]  # fmt: skip
