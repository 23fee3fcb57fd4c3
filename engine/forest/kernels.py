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

from engine.forest.output import EACH
from engine.forest.sizes import LEAST_LEVELS, MOST_LEVELS
from engine.jit.cache import Kernel, compile_kernel, kernel_name
from engine.jit.direct import address
from engine.jit.target import level, lower_numba

_CALLED = ("batch.py", "output.py", "registers.py", "search.py", "sizes.py", "vector.py", "walk.py")

_LEVELS = range(LEAST_LEVELS, MOST_LEVELS + 1)

_ROW = """

from numba import float32, int64, njit, void


def one(features, scores, address, model):
    call(address, features.ctypes.data, scores.ctypes.data, model, 0, 0, 0)


one = njit(void(float32[::1], float32[::1], int64, int64), nogil=True, cache=True, error_model="numpy")(one)
"""

_EACH = """\
import numpy as np

from engine.forest.output import to_{transform}
from engine.jit.lowlevel import float32s, int64s


def kernel(count, margins, scores, steps, room, unused):
    s = int64s(steps)
    for k in range(s[0]):
        margin, score = float32s(margins + 4 * k * s[1]), float32s(scores + 4 * k * s[3])
        if s[2] == 1:
            for i in range(np.uint64(count)):
                score[i] = to_{transform}(margin[i])
        else:
            at, step = np.uint64(0), np.uint64(s[2])
            for i in range(np.uint64(count)):
                score[at] = to_{transform}(margin[i])
                at += step
"""

_WHOLE = """\
from engine.forest.output import to_{transform}
from engine.jit.lowlevel import float32s, int64s


def kernel(count, margins, scores, steps, room, unused):
    s = int64s(steps)
    margin, score, row = float32s(margins), float32s(scores), float32s(room)
    for i in range(count):
        for k in range(s[0]):
            row[k] = margin[k * s[1] + i]
        for k in range(to_{transform}(row, s[0])):
            score[i * s[2] + k * s[3]] = row[k]
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
from engine.forest.sizes import TREE
from engine.forest.vector import complete

evaluate = complete({level!r}, {depth})


def kernel(trees, count, ranks, sums, work, told):
    s = int64s(told)
    for i in range(count):
        t = int64s(trees + 8 * TREE * i)
        evaluate(t[0], t[1], s[3], sums + t[2], s[0], s[1], t[7], s[2])
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
    full = f"# Emitted by the forest compiler for {setting}; it calls {_digest()}.\n{source}"
    kernel = compile_kernel(full)
    return Compiled(
        kernel,
        address(kernel),
        sys.modules[f"engine_kernels.{kernel_name(full)}"],
    )


def _in_file(name: str, function: str) -> str:
    """A file of this folder as a source, with this function as the kernel."""
    return (Path(__file__).parent / name).read_text() + f"\n\nkernel = {function}\n"


def row_kernel() -> Compiled:
    """``kernel(features, scores, model, 0, 0, 0)``: one row; addresses of float32 and of `Row.context`.

    Its module has ``one(features, scores, address, model)`` for arrays, which calls a kernel by its address.
    """
    return compiled(_in_file("walk.py", "walk_row") + _ROW)


def block_kernel() -> Compiled:
    """``kernel(rows, features, scores, model, work, steps)``: a block of rows; see `batch.score_block`."""
    return compiled(_in_file("batch.py", "score_block"))


def predict_kernel(transform: str) -> Compiled:
    """``kernel(count, margins, scores, steps, room, 0)``: from margins to predictions; called by both.

    Steps are four int64: outputs; and how many numbers lie between the margins of two outputs, the scores of
    two rows and of two outputs. A row's margins fit ``room``, which may be where they are.
    """
    return compiled((_EACH if transform in EACH else _WHOLE).format(transform=transform))


def compare_kernel() -> Compiled:
    """The comparisons of complete trees; called by the block kernel."""
    return compiled(_COMPARE)


def complete_kernel(depth: int) -> Compiled:
    """Complete trees of this depth; called by the block kernel."""
    return compiled(_COMPLETE.format(level=level(), depth=depth))


def listed_kernel() -> Compiled:
    """Trees of any form; called by the block kernel."""
    return compiled(_in_file("batch.py", "listed_trees"))


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
