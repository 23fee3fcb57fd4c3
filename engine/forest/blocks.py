"""A forest laid out for `engine.forest.batch`: what a block of rows needs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.forest.comparisons import Comparisons, compare_once
from engine.forest.faults import UnsupportedError
from engine.forest.forest import Forest
from engine.forest.ranks import Ranks, rank
from engine.forest.shapes import Shapes, choose_shapes
from engine.forest.sizes import BLOCK, COMPARED, COMPARING, CONSTANTS, EXITS, MASK, TILE, TREE, WORK
from engine.forest.trees import Trees


@dataclass(frozen=True)
class Blocks:
    """The arrays of a block's kernels, and one array of numbers and addresses, which is their argument.

    Parameters
    ----------
    context : int64 array
    work : int
        Bytes that a thread works in.
    depth : int
        Of the complete trees; 0: there are none.
    held : list of arrays
        What ``context`` points to.
    """

    context: NDArray[np.int64]
    work: int
    depth: int
    held: list[NDArray[Any]] = field(repr=False)

    def new_work(self) -> NDArray[np.uint8]:
        """Memory for one thread."""
        made = aligned(self.work, np.uint8)
        made[:CONSTANTS] = np.repeat(np.arange(EXITS, dtype=np.uint8), TILE)
        return made


def lay_out_blocks(forest: Forest, predict: int, row: tuple[int, int]) -> Blocks:
    """Arrange a forest for blocks of rows, and compile what it needs.

    Parameters
    ----------
    forest : Forest
    predict : int
        The address of the kernel that makes predictions out of margins.
    row : tuple of int
        Addresses of the kernel and the context for single rows.

    Raises
    ------
    UnsupportedError
        It has too many thresholds.
    """
    from engine.forest import kernels

    trees = forest.trees
    ranks = rank(trees)
    if ranks.n_slots * BLOCK >= 2**24:
        raise UnsupportedError(f"it needs {ranks.n_slots:,} columns of ranks")
    shapes = choose_shapes(trees)
    layout = _Layout(trees, ranks, shapes)
    searches, tables, questions = ranks.searches, aligned_copy(ranks.tables), ranks.questions
    runs = layout.runs()
    single = questions.single()
    held = [
        single, searches, tables, questions.table, questions.answers, forest.base, runs, layout.records,
        *layout.held,
    ]  # fmt: skip
    sums = 4 * BLOCK * forest.n_groups
    margins = 64 * (forest.n_groups // 16 + 3)
    row_apart = 4 * (forest.n_features + forest.n_outputs)
    masks_at = -(-(WORK + ranks.n_slots * BLOCK + sums + 4 * BLOCK + margins + row_apart) // 64) * 64
    # not above zero: the feature, negated, from which on a row's base margins lie
    base = -forest.first_given if forest.given else forest.base.ctypes.data
    context = [
        forest.n_features, forest.n_groups, forest.n_outputs, len(searches), searches.ctypes.data,
        tables.ctypes.data, questions.count, questions.table.ctypes.data, questions.answers.ctypes.data,
        ranks.first_question, base, len(runs), runs.ctypes.data, predict,
        ranks.n_slots, row[0], row[1], trees.width, kernels.rank_kernel().address,
        single.ctypes.data, masks_at,
    ]  # fmt: skip
    return Blocks(
        np.array(context, np.int64), masks_at + COMPARING + MASK * layout.most_masks, shapes.depth, held
    )


class _Layout:
    """Records of all trees, eight int64 each, and the arrays that they point to.

    0 nodes, 1 leaf values, 2 where the tree's sums lie, 3 splits listed, 4 steps walked behind them, 5 nodes
    to walk, 6 where each exit starts to walk, 7 bytes between a leaf's numbers.
    """

    def __init__(self, trees: Trees, ranks: Ranks, shapes: Shapes) -> None:
        self.trees, self.ranks, self.shapes = trees, ranks, shapes
        self.records = np.zeros((trees.n_trees, TREE), np.int64)
        self.records[:, 2] = trees.group.astype(np.int64) * 4 * BLOCK
        self.held: list[NDArray[Any]] = []
        # Splits that are no splits load the first mask, though there be none.
        self.most_masks = 1

    def runs(self) -> NDArray[np.int64]:
        """What is called one after the other: a kernel, its records, how many; shape (n, 3)."""
        from engine.forest import kernels

        runs: list[list[int]] = []
        complete = self.shapes.complete
        for found in compare_once(self.trees, self.ranks, complete):
            if len(found.slots):
                slots = np.zeros((len(found.slots), COMPARED), np.int64)
                slots[:, 0] = found.slots[:, 0] * BLOCK
                slots[:, 1] = found.slots[:, 1]
                slots[:, 2] = self._keep(found.bounds) + found.slots[:, 2]
                slots[:, 3:5] = found.slots[:, 3:]
                slots[:, 5] = found.slots[:, 2] * MASK
                runs.append([kernels.compare_kernel().address, self._keep(slots), len(slots)])
                self.most_masks = max(self.most_masks, len(found.bounds))
            part = complete[found.first : found.last].astype(int)
            edges = np.flatnonzero(np.diff(part, prepend=-1, append=-1)) + found.first
            for start, end in itertools.pairwise(edges.tolist()):
                if complete[start]:
                    self._complete(found, start, end)
                    kernel = kernels.complete_kernel(self.shapes.depth)
                else:
                    for number in range(start, end):
                        self._listed(number)
                    kernel = kernels.listed_kernel()
                runs.append([kernel.address, self.records[start:].ctypes.data, end - start])
        return np.array(runs, np.int64).reshape(-1, 3)

    def _keep(self, array: NDArray[Any]) -> int:
        made = aligned_copy(array)
        self.held.append(made)
        return made.ctypes.data

    def _complete(self, found: Comparisons, start: int, end: int) -> None:
        """Complete trees: a leaf that lies too high stands for all leaves below."""
        trees, depth = self.trees, self.shapes.depth
        which = slice(start, end)
        first = trees.offsets[found.first]
        here = root = trees.offsets[which][:, None]
        nodes = np.zeros((end - start, 2**depth - 1), np.uint32)
        for level in range(depth):
            inner = trees.left[here] >= 0
            nodes[:, 2**level - 1 : 2 ** (level + 1) - 1] = found.mask[here - first] * MASK
            left = np.where(inner, root + trees.left[here], here)
            here = np.stack([left, left + inner], axis=2).reshape(len(nodes), -1)
        leaves = np.ascontiguousarray(trees.values[here].transpose(0, 2, 1))
        self.records[which, 0] = self._keep(nodes) + np.arange(len(nodes)) * nodes[0].nbytes
        self.records[which, 1] = self._keep(leaves) + np.arange(len(nodes)) * leaves[0].nbytes
        self.records[which, 7] = 4 * 2**depth

    def _listed(self, number: int) -> None:
        """A tree of any form: its upper splits from the last to the first, then what is walked."""
        trees, ranks = self.trees, self.ranks
        part = slice(trees.offsets[number], trees.offsets[number + 1])
        left = trees.left[part].astype(np.int64)
        slot, bound = ranks.slot[part].astype(np.uint32) * BLOCK, ranks.bound[part]
        steps = int(self.shapes.steps[number])
        top = self.shapes.height[part] > steps
        splits = np.flatnonzero(top)[::-1]
        children = np.column_stack([left[splits], left[splits] + 1])
        place = np.zeros(len(left), np.int64)
        place[splits] = (EXITS + np.arange(len(splits))) * TILE
        exits = children[~top[children]] if len(splits) else np.zeros(1, np.int64)
        place[exits] = np.arange(len(exits)) * TILE
        records = np.zeros((len(splits), 4), np.uint32)
        records[:, 0], records[:, 1] = slot[splits], _four(bound[splits])
        records[:, 2:] = place[children]
        values = trees.values[part]
        record = self.records[number]
        record[0] = self._keep(records)
        record[3], record[4] = len(splits), steps
        if steps:
            stay = left < 0
            nodes = np.where(stay, np.arange(len(left)), left).astype(np.uint64) << np.uint64(32)
            nodes |= np.where(stay, 0, slot).astype(np.uint64) << np.uint64(8)
            # No rank is 127 in slot 0, so a leaf goes "left", to itself.
            nodes |= np.where(stay, 127, bound.view(np.uint8)).astype(np.uint64)
            record[5], record[6] = self._keep(nodes), self._keep(exits.astype(np.uint32))
        else:
            values = values[exits]
        record[1] = self._keep(np.ascontiguousarray(values.T))
        record[7] = 4 * len(values)


def _four(bounds: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Four copies of each byte, which a vector is filled from at no cost."""
    return bounds.view(np.uint8).astype(np.uint32) * np.uint32(0x01010101)


def aligned(size: int, dtype: Any) -> NDArray[Any]:
    """An array that starts at a multiple of 64 bytes; a register may be filled from anywhere in it."""
    n_bytes = size * np.dtype(dtype).itemsize
    room = np.zeros(n_bytes + 128, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + n_bytes].view(dtype)


def aligned_copy(array: NDArray[Any]) -> NDArray[Any]:
    """A copy, in the same order, that starts at a multiple of 64 bytes."""
    made = aligned(array.size, array.dtype)
    made[:] = array.ravel()
    return made
