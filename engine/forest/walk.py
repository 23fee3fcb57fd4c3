"""One row through all trees: eight trees side by side, on keys, without allocation.

Every step of a walk waits for memory twice, so eight trees take their steps together. A node is one
64-bit number, ``key << 32 | slot << shift | left``; a leaf leads to itself (slot 0 is below every key), so
all eight take as many steps as the deepest of them needs. Leaves are added in the order of the trees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from engine.forest.sizes import GREATEST_CATEGORY
from engine.jit.lowlevel import call, float32s, int32s, int64s, stack, uint8s, uint64s

PREDICTED = 17
"""Where the steps of its predictions lie in a row's context."""

_int32 = np.int32
_uint32 = np.uint32
_uint64 = np.uint64
_float32 = np.float32
_LEAST = np.int32(-(2**31))
_GREATEST = np.int32(2**31 - 1)
_FLIP = np.int32(0x7FFFFFFF)
_ZERO = np.float32(0)
_TOO_GREAT = np.float32(GREATEST_CATEGORY)


@register_jitable  # type: ignore[untyped-decorator]
def answer_at(x: Any, size: int) -> int:
    """Where the answer for a value lies: at its category, or behind all of them, a missing one last."""
    if x != x:
        return size + 1
    # A category is the whole part; -0.5 is negative all the same.
    if x < _ZERO or x >= _TOO_GREAT:
        return size
    return min(int(x), size)


@register_jitable  # type: ignore[untyped-decorator]
def _step(nodes: Any, start: Any, at: Any, keys: Any, shift: Any, mask: Any) -> Any:
    node = nodes[start + at]
    low = _uint32(node)
    right = keys[_uint64(low >> shift)] >= _int32(node >> _uint64(32))
    return _uint64(low & mask) + _uint64(right)


def walk_row(features: int, scores: int, model: int, a: int, b: int, c: int) -> None:
    """Score one row. `engine.forest.kernels` compiles it; to numba a helper is code that is compiled twice.

    Parameters
    ----------
    features, scores : int
        Addresses of ``n_features`` and ``n_outputs`` float32.
    model : int
        The address of `engine.forest.row.Row.context`.
    a, b, c : int
        Nothing.
    """
    m = int64s(model)
    x = float32s(features)
    bits = int32s(features)
    keys = int32s(stack(4 * m[0]))
    n_groups = m[1]
    margins_at = stack(4 * n_groups)
    margins = float32s(margins_at)
    used = int64s(m[3])
    keys[_uint64(0)] = _LEAST
    at = _uint64(1)
    for j in range(_uint64(m[2])):
        feature = used[j]
        value = x[feature]
        key = bits[feature]
        # Minus zero, whose bits are those of the least number, has zero's key.
        key = _int32(0) if key == _LEAST else (key ^ _FLIP if key < 0 else key)
        missing = value != value
        keys[at] = _LEAST if missing else key
        keys[at + _uint64(1)] = _GREATEST if missing else key
        at += _uint64(2)
    questions = int64s(m[5])
    answers = uint8s(m[6])
    for j in range(m[4]):
        q = 3 * j
        found = answers[questions[q + 2] + answer_at(x[questions[q]], questions[q + 1])]
        keys[at + _uint64(j)] = _int32(found)
    # base margins that the row brings lie behind its features
    base = float32s(m[7] if m[7] > 0 else features - m[7])
    for k in range(n_groups):
        margins[k] = base[k]
    nodes = uint64s(m[8])
    starts = uint64s(m[9])
    steps = int64s(m[10])
    values = float32s(m[11])
    groups = int64s(m[12])
    shift = _uint32(m[13])
    mask = _uint32((1 << m[13]) - 1)
    n_trees, width = m[14], m[15]
    leaves = uint64s(stack(8 * 8))
    for t in range(_uint64(0), _uint64(n_trees), _uint64(8)):
        s0, s1, s2, s3 = starts[t], starts[t + 1], starts[t + 2], starts[t + 3]
        s4, s5, s6, s7 = starts[t + 4], starts[t + 5], starts[t + 6], starts[t + 7]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = _uint64(0)
        for _ in range(steps[t >> _uint64(3)]):
            a0 = _step(nodes, s0, a0, keys, shift, mask)
            a1 = _step(nodes, s1, a1, keys, shift, mask)
            a2 = _step(nodes, s2, a2, keys, shift, mask)
            a3 = _step(nodes, s3, a3, keys, shift, mask)
            a4 = _step(nodes, s4, a4, keys, shift, mask)
            a5 = _step(nodes, s5, a5, keys, shift, mask)
            a6 = _step(nodes, s6, a6, keys, shift, mask)
            a7 = _step(nodes, s7, a7, keys, shift, mask)
        leaves[0], leaves[1], leaves[2], leaves[3] = s0 + a0, s1 + a1, s2 + a2, s3 + a3
        leaves[4], leaves[5], leaves[6], leaves[7] = s4 + a4, s5 + a5, s6 + a6, s7 + a7
        for i in range(min(8, n_trees - int(t))):
            place = int(leaves[i]) * width
            group = groups[int(t) + i]
            for k in range(width):
                margins[group + k] += values[place + k]
    call(m[16], 1, margins_at, scores, model + 8 * PREDICTED, margins_at, 0)
