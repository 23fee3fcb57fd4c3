"""The forest's kernels: emitted sources, compiled once for each shape and setting of the processor.

Each is ``void (int64 × 6)``, callable from Python and, by its address, from other kernels. None depends on
a model's numbers: those come as addresses.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine.jit.cache import Kernel, compile_kernel, kernel_name
from engine.jit.direct import address
from engine.jit.target import level, lower_numba

_CALLED = ("batch.py", "output.py", "search.py", "trees.py", "vector.py", "walk.py")

_LEVELS = (4, 5, 6, 7, 8)

_ROW = """\
from numba import float32, int64, njit, void

from engine.forest.walk import walk_row


def kernel(features, scores, model, a, b, c):
    walk_row(features, scores, model)


def one(features, scores, model):
    walk_row(features.ctypes.data, scores.ctypes.data, model)


one = njit(void(float32[::1], float32[::1], int64), nogil=True, cache=True, error_model="numpy")(one)
"""

_COMPARE = """\
from engine.jit.lowlevel import int64s
from engine.forest.vector import compare

ask = compare()


def kernel(slots, count, ranks, sums, work, told):
    t = int64s(told)
    ask(slots, count, ranks, t[0], t[3], t[4])
"""

_COMPLETE = """\
from engine.jit.lowlevel import int64s
from engine.forest.vector import complete

evaluate = complete({level!r}, {depth})


def kernel(trees, count, ranks, sums, work, told):
    s = int64s(told)
    for i in range(count):
        t = int64s(trees + 64 * i)
        evaluate(t[0], t[1], s[3], sums + t[2], s[0], s[1], t[7], s[2])
"""

_LISTED = """\
from engine.forest.batch import listed_trees


def kernel(trees, count, ranks, sums, work, sizes):
    listed_trees(trees, count, ranks, sums, work, sizes)
"""

_RANK = """\
from engine.jit.lowlevel import int64s
{imports}

def kernel(record, column, ranks, count, tables, block):
    r = int64s(record)
    table, levels, highest = tables + r[1], r[2], r[5]
    left, right = ranks + r[3] * block, ranks + r[4] * block
{body}
"""

_BLOCK = """\
from engine.forest.batch import score_block


def kernel(rows, features, scores, model, work, steps):
    score_block(rows, features, scores, model, work, steps)
"""


@dataclass(frozen=True)
class Compiled:
    """A kernel and where its machine code lies.

    Parameters
    ----------
    call : callable
        Six whole numbers.
    address : int
        Of ``void (int64 × 6)`` in C's calling convention.
    module : module
        What else its source defines.
    """

    call: Kernel
    address: int
    module: Any


@cache
def _digest() -> str:
    """What the kernels call is part of their names: numba doesn't notice when it changes."""
    folder = Path(__file__).parent
    text = b"".join((folder / name).read_bytes() for name in _CALLED)
    return hashlib.sha256(text).hexdigest()[:16]


@cache
def compiled(source: str) -> Compiled:
    """Compile a source that defines ``kernel``, or load it from the cache folder."""
    setting = lower_numba()
    full = f'"""Emitted by the forest compiler for {setting}; it calls {_digest()}."""\n\n{source}'
    kernel = compile_kernel(full)
    return Compiled(
        kernel,
        address(kernel),
        sys.modules[f"engine_kernels.{kernel_name(full)}"],
    )


def row_kernel() -> Compiled:
    """``kernel(features, scores, model, 0, 0, 0)``: one row; addresses of float32 and of `Row.context`."""
    return compiled(_ROW)


def block_kernel() -> Compiled:
    """``kernel(rows, features, scores, model, work, steps)``: a block of rows; see `batch.score_block`."""
    return compiled(_BLOCK)


def compare_kernel() -> Compiled:
    """The comparisons of complete trees; called by the block kernel."""
    return compiled(_COMPARE)


def complete_kernel(depth: int) -> Compiled:
    """Complete trees of this depth; called by the block kernel."""
    return compiled(_COMPLETE.format(level=level(), depth=depth))


def listed_kernel() -> Compiled:
    """Trees of any form; called by the block kernel."""
    return compiled(_LISTED)


def rank_kernel() -> Compiled:
    """A column to its ranks; called by the block kernel."""
    arguments = "(table, column, left, right, highest, count)"
    if level() == "portable":
        imports = "from engine.forest.search import search_plainly\n"
        body = f"    search_plainly{arguments.replace('table,', 'table, levels,')}"
    else:
        lines = ["from engine.forest.vector import search\n"]
        lines += [f"search_{n} = search({level()!r}, {n})" for n in _LEVELS]
        imports = "\n".join(lines) + "\n"
        cases = [f"levels == {n}:\n        search_{n}{arguments}" for n in _LEVELS]
        body = "    if " + "\n    elif ".join(cases)
    return compiled(_RANK.format(imports=imports, body=body))
