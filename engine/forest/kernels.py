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

_CALLED = ("batch.py", "keys.py", "lowlevel.py", "output.py", "search.py", "vector.py", "walk.py")

_ROW = """\
from numba import float32, int64, njit, void

from engine.forest.lowlevel import call
from engine.forest.walk import walk_row


def kernel(features, scores, model, a, b, c):
    walk_row(features, scores, model)


def one(features, scores, model):
    walk_row(features.ctypes.data, scores.ctypes.data, model)


one = njit(void(float32[::1], float32[::1], int64), nogil=True, cache=True, error_model="numpy")(one)
"""

_ROWS = """\
from engine.forest.lowlevel import call, int64s


def kernel(features, scores, model, rows, row, strides):
    step = int64s(strides)
    for i in range(rows):
        call(row, features + i * step[0], scores + i * step[1], model, 0, 0, 0)
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
    from engine.jit.target import lower_numba

    setting = lower_numba()
    full = f'"""Emitted by the forest compiler for {setting}; it calls {_digest()}."""\n\n{source}'
    kernel: Any = compile_kernel(full)
    found = kernel.overloads[kernel.signatures[0]]
    name = found.fndesc.llvm_cfunc_wrapper_name
    return Compiled(
        kernel,
        found.library.get_pointer_to_function(name),
        sys.modules[f"engine_kernels.{kernel_name(full)}"],
    )


def row_kernel() -> Compiled:
    """``kernel(features, scores, model, 0, 0, 0)``: one row; addresses of float32 and of `Row.context`."""
    return compiled(_ROW)


def rows_kernel() -> Compiled:
    """``kernel(features, scores, model, rows, row kernel, strides)``: a few rows, one after the other.

    ``strides`` points to two int64: the bytes of a row's features and of its scores.
    """
    return compiled(_ROWS)
