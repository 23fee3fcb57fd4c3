"""Compiled kernels without numba's dispatcher, which looks at every argument of every call: by their entry
from Python, by their address, and several by one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.jit.cache import Kernel, compile_kernel

_CHAIN = '''\
"""Emitted by the engine's compiler. Kernels one after another: an address and six arguments each."""

from engine.jit.lowlevel import call, int64s


def kernel(calls, count, a, b, c, d):
    x = int64s(calls)
    for i in range(count):
        j = 7 * i
        call(x[j], x[j + 1], x[j + 2], x[j + 3], x[j + 4], x[j + 5], x[j + 6])
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


def chain() -> Kernel:
    """The kernel that calls others: the address of seven int64 for each call, and how many calls."""
    return compile_kernel(_CHAIN)


def _compiled(kernel: Any) -> Any:
    return kernel.overloads[kernel.signatures[0]]
