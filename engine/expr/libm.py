"""The C library's transcendental functions, one binding for the interpreter and the kernels.

`engine.jit` gives the same addresses to compiled code under private names, so both call the same
machine code. NumPy and SVML have their own versions, whose last bit differs in 3 to 5 % of values.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

FUNCTIONS: Mapping[str, int] = MappingProxyType(
    {"exp": 1, "expm1": 1, "log": 1, "log1p": 1, "sin": 1, "cos": 1, "pow": 2}
)
"""The functions bound, in double (``exp``) and single (``expf``) precision: how many numbers each takes."""


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")


@cache
def scalar(name: str) -> Callable[..., float]:
    """The C function of this name; an ``f`` at its end means float32.

    >>> scalar("log1p")(0.0)
    0.0
    """
    function = getattr(_library(), name)
    width = ctypes.c_float if name.endswith("f") else ctypes.c_double
    function.argtypes = [width] * (FUNCTIONS.get(name) or FUNCTIONS[name.removesuffix("f")])
    function.restype = width
    return function  # type: ignore[no-any-return]


def addresses() -> Mapping[str, int]:
    """Where each function lies in this process, both widths."""
    names = [name + width for name in FUNCTIONS for width in ("", "f")]
    return MappingProxyType(
        {name: ctypes.cast(scalar(name), ctypes.c_void_p).value or 0 for name in names}  # type: ignore[arg-type]
    )


def array(name: str) -> Callable[..., Any]:
    """The function applied to each float64 of an array, or of arrays that broadcast."""

    def apply(*xs: Any) -> Any:
        arrays = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in xs))
        values = map(scalar(name), *(x.ravel().tolist() for x in arrays))
        return np.fromiter(values, np.float64, arrays[0].size).reshape(arrays[0].shape)

    return apply


@cache
def fingerprint() -> str:
    """Sixteen hex digits that differ where the C library's answers do, over a fixed set of arguments."""
    import hashlib

    digest = hashlib.sha256()
    points = np.concatenate([np.linspace(-0.9, 50.0, 997), np.geomspace(1e-300, 1e300, 499)])
    for name, operands in FUNCTIONS.items():
        more = (0.37,) * (operands - 1)
        digest.update(array(name)(points, *more).tobytes())
        single = scalar(name + "f")
        digest.update(np.array([single(float(p), *more) for p in points[:997]], np.float32).tobytes())
    return digest.hexdigest()[:16]
