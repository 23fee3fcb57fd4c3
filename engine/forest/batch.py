"""A block of rows through all trees: features to ranks, all nodes of a tree at once, sums, predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from engine.forest.sizes import BLOCK, COMPARING, CONSTANTS, PLACES, SEARCH, TILE, TREE, WORK
from engine.forest.vector import listed
from engine.forest.walk import answer_at
from engine.jit.lowlevel import call, float32s, int8s, int64s, uint8s, uint32s, uint64s

FEW = 16
"""Rows that are not worth a tile; they are walked one by one."""

_listed = listed()
_uint64 = np.uint64
_ZERO = np.float32(0)


def score_block(rows: int, features: int, scores: int, model: int, work: int, steps: int) -> None:
    """Score rows. `engine.forest.kernels` compiles this and `listed_trees`.

    Parameters
    ----------
    rows : int
    features, scores : int
        Addresses of float32.
    model : int
        The address of `engine.forest.blocks.Blocks.context`.
    work : int
        The address of ``Blocks.new_work()``: one for each thread.
    steps : int
        The address of four int64: how many numbers lie between two rows and between two features, and
        between two rows and two outputs of the scores.
    """
    m = int64s(model)
    n_features, n_groups = m[0], m[1]
    s = int64s(steps)
    row_step, feature_step, score_step = s[0], s[1], s[2]
    ranks = work + WORK
    sums = ranks + m[14] * BLOCK
    column = sums + 4 * n_groups * BLOCK
    margins = column + 4 * BLOCK
    runs = int64s(m[12])
    base = float32s(m[10])
    told = margins + 64 * (n_groups // 16 + 1)
    sizes = int64s(told)
    sizes[1] = m[17]
    sizes[2] = 4 * BLOCK
    sizes[4] = work + m[20]
    sizes[3] = sizes[4] + COMPARING
    predicted = told + 64
    form = int64s(predicted)
    form[0] = n_groups
    form[1] = BLOCK
    form[2] = score_step
    form[3] = s[3]
    start = 0
    while rows - start >= FEW:
        count = min(BLOCK, rows - start)
        tiles = (count + TILE - 1) // TILE
        _rank(features + 4 * start * row_step, count, tiles * TILE, m, ranks, column, row_step, feature_step)
        for k in range(n_groups):
            out = float32s(sums + 4 * k * BLOCK)
            if m[10] > 0:
                for i in range(_uint64(tiles * TILE)):
                    out[i] = base[k]
            else:  # base margins that rows bring are features behind the others
                x = float32s(features + 4 * (start * row_step + (k - m[10]) * feature_step))
                for i in range(_uint64(tiles * TILE)):
                    out[i] = x[i * _uint64(row_step)] if i < _uint64(count) else _ZERO
        sizes[0] = tiles
        for j in range(m[11]):
            # kernel, records of its trees, how many
            call(runs[3 * j], runs[3 * j + 1], runs[3 * j + 2], ranks, sums, work, told)
        call(m[13], count, sums, scores + 4 * start * score_step, predicted, margins, 0)
        start += count
    here = told + 128
    while start < rows:
        at, to = features + 4 * start * row_step, scores + 4 * start * score_step
        if feature_step == 1 and s[3] == 1:
            call(m[15], at, to, m[16], 0, 0, 0)
        else:  # a row's walk wants its features side by side
            row, found = float32s(here), float32s(here + 4 * n_features)
            x, out = float32s(at), float32s(to)
            for j in range(n_features):
                row[j] = x[j * feature_step]
            call(m[15], here, here + 4 * n_features, m[16], 0, 0, 0)
            for j in range(m[2]):
                out[j * s[3]] = found[j]
        start += 1


@register_jitable  # type: ignore[untyped-decorator]
def _rank(
    features: int, count: int, filled: int, m: Any, ranks: int, column: int, row_step: int, feature_step: int
) -> None:
    x = float32s(features)
    values = float32s(column)
    last = -1
    here = column
    for j in range(m[3]):
        record = m[4] + 8 * SEARCH * j
        feature = int64s(record)[0]
        if feature != last:
            last = feature
            if row_step == 1 and count == filled:
                here = features + 4 * feature * feature_step
            else:
                at, step = _uint64(feature * feature_step), _uint64(row_step)
                for i in range(_uint64(count)):
                    values[i] = x[at]
                    at += step
                for i in range(_uint64(count), _uint64(filled)):
                    values[i] = _ZERO
        call(m[18], record, here, ranks, filled, m[5], BLOCK)
    questions = int64s(m[7])
    answers = uint8s(m[8])
    single = int64s(m[19])
    places = uint32s(column)
    last = -1
    for j in range(m[6]):
        q = 3 * j
        if questions[q] != last:
            last = questions[q]
            at, step = _uint64(last * feature_step), _uint64(row_step)
            for i in range(_uint64(count)):
                places[i] = np.uint32(answer_at(x[at], questions[q + 1]))
                at += step
        out = int8s(ranks + (m[9] + j) * BLOCK)
        if single[j] >= 0:  # a comparison is done on vectors, a look-up is not
            only = np.uint32(single[j])
            for i in range(_uint64(count)):
                out[i] = np.int8(places[i] == only) - 128
            continue
        start = _uint64(questions[q + 2])
        for i in range(_uint64(count)):
            out[i] = answers[start + _uint64(places[i])] - 128


def listed_trees(trees: int, count: int, ranks: int, sums: int, work: int, sizes: int) -> None:
    """Add trees of any form; see `engine.forest.blocks` for the records."""
    s = int64s(sizes)
    tiles, width, stride = s[0], s[1], s[2]
    places = uint32s(work + PLACES)
    for i in range(count):
        t = int64s(trees + 8 * TREE * i)
        n_splits, steps = t[3], t[4]
        answers = uint8s(work + CONSTANTS + TILE * (n_splits - 1) if n_splits else work)
        for tile in range(tiles):
            here = ranks + TILE * tile
            _listed(t[0], n_splits, here, work)
            if steps:
                _walk(t, steps, here, answers, places)
            for k in range(width):
                leaf = float32s(t[1] + k * t[7])
                out = float32s(sums + t[2] + k * stride + 4 * TILE * tile)
                if steps:
                    for r in range(_uint64(TILE)):
                        out[r] += leaf[_uint64(places[r])]
                else:
                    for r in range(_uint64(TILE)):
                        out[r] += leaf[_uint64(answers[r])]


@register_jitable  # type: ignore[untyped-decorator]
def _walk(t: Any, steps: int, ranks: int, answers: Any, places: Any) -> None:
    nodes = uint64s(t[5])
    exits = uint32s(t[6])
    ranked = int8s(ranks)
    for r in range(_uint64(TILE)):
        places[r] = exits[_uint64(answers[r])]
    for _ in range(steps):
        for r in range(_uint64(TILE)):
            # left child << 32 | place of its slot << 8 | bound
            node = nodes[_uint64(places[r])]
            found = ranked[((node >> _uint64(8)) & _uint64(0xFFFFFF)) + r]
            right = found >= np.int8(node & _uint64(0xFF))
            places[r] = np.uint32((node >> _uint64(32)) + _uint64(right))
