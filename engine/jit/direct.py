"""Compiled kernels without numba's dispatcher, which looks at every argument of every call: by their entry
from Python, by their address, and several by one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.jit.cache import Kernel, compile_kernel

_DRIVE = '''\
"""Emitted by the engine's compiler: what is done to each block of rows."""

from engine.jit.lowlevel import call, int64s


def kernel(rows, block, moves, n_moves, steps, n_steps):
    moved, step = int64s(moves), int64s(steps)
    for start in range(0, rows, block):
        count = min(block, rows - start)
        for j in range(n_moves):
            int64s(moved[3 * j])[0] = moved[3 * j + 1] + start * moved[3 * j + 2]
        for j in range(n_steps):
            at = 6 * j
            call(step[at], count, step[at + 1], step[at + 2], step[at + 3], step[at + 4], step[at + 5])
'''


def entry(kernel: Kernel) -> Callable[..., None]:
    """The kernel as a built-in function of six whole numbers; it lives as long as ``kernel`` does."""
    found: Callable[..., None] = _compiled(kernel).entry_point
    return found


def address(kernel: Kernel) -> int:
    """Where the kernel's machine code lies: ``void (int64 × 6)`` in C's calling convention."""
    found = _compiled(kernel)
    at: int = found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name)
    return at


def drive() -> Kernel:
    """The kernel that calls others: ``drive(rows, block, moves, n_moves, steps, n_steps)``.

    It takes the rows in blocks. Before each, it makes its *moves*, three int64 each: an argument's address,
    what it is for the first row, and how much more for each row. Then it takes its *steps*, six int64 each: a
    kernel's address, and its arguments behind the first, which is the number of rows of the block.
    """
    return compile_kernel(_DRIVE)


def _compiled(kernel: Any) -> Any:
    return kernel.overloads[kernel.signatures[0]]
