"""Where increasing functions of a float64 cross given values, exactly.

A *cut* stands for a set ``{x: x < e}`` of float64; it is the key of ``e``, and keys are whole numbers in the
order of the floats. Cuts go inward through functions: ``f(x) < e`` where ``x < e'``. A search finds ``e'`` by
evaluating ``f`` itself, which is exact as long as ``f`` never decreases. Correctly rounded + − × ÷, square
roots and casts never do. The C library's logarithms and exponentials don't promise it: around each of their
cuts, neighbours are evaluated until the values lie farther off than the library's error reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.compile.kernel import Kernel, plan_kernel
from engine.compile.passes import Root
from engine.expr.graph import Expr
from engine.schema import Kind

Floats: TypeAlias = NDArray[np.float64]
Keys: TypeAlias = NDArray[np.int64]
Function: TypeAlias = Callable[[Floats], Floats]

ULPS = 4
"""Farther from a cut than this, a function of the C library is on the right side: it errs by 1 ulp or 2."""
MOST_NEIGHBOURS = 1024
"""Neighbours that are looked at on either side of a cut."""
_STRIDE = 32
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)


def keys(values: Any) -> Keys:
    """Whole numbers in the order of float64; both zeros are 0.

    >>> keys([-5e-324, -0.0, 0.0, 5e-324]).tolist()
    [-1, 0, 0, 1]
    """
    bits = np.asarray(values, np.float64).view(np.int64)
    return np.where(bits < 0, -(bits & _MAGNITUDE), bits)


def numbers(cuts: Keys) -> Floats:
    """The float64 of each key."""
    bits = np.where(cuts < 0, np.abs(cuts) | ~_MAGNITUDE, cuts)
    return bits.view(np.float64)


LEAST = int(keys(-np.inf))
"""The cut that nothing is below."""
MOST = int(keys(np.inf)) + 1
"""The cut that every number is below."""


def cross(function: Function, cuts: Keys, guess: Floats, least: int = LEAST) -> Keys:
    """The cuts in front of a function that never decreases.

    Parameters
    ----------
    function : callable
        From float64 to float64; never NaN for numbers from ``least`` on.
    cuts : int64 array, shape (n,)
        Cuts of its values.
    guess : float64 array, shape (n,)
        About where it reaches them. A bad guess costs time alone.
    least : int
        The key of the first number that it takes.

    Returns
    -------
    int64 array, shape (n,)
        The first keys, from ``least`` to `MOST`, where it isn't below the cuts.

    Examples
    --------
    >>> cut = cross(lambda x: x + 1.0, keys([3.0]), np.array([1.0]))
    >>> numbers(cut).tolist(), numbers(cut - 1) + 1.0 < 3.0
    ([1.9999999999999998], array([ True]))
    """
    low = np.full(cuts.shape, least - 1, np.int64)  # below, or outside
    high = np.full(cuts.shape, MOST, np.int64)  # not below, or outside
    at = np.clip(keys(np.where(np.isnan(guess), 0.0, guess)), least, MOST - 1)
    found_low, found_high = np.zeros(cuts.shape, bool), np.zeros(cuts.shape, bool)
    step = 4
    active = np.arange(len(cuts))
    while len(active):
        here = at[active]
        reached = keys(function(numbers(here))) >= cuts[active]
        high[active] = np.where(reached, here, high[active])
        low[active] = np.where(reached, low[active], here)
        found_high[active] |= reached
        found_low[active] |= ~reached
        active = active[low[active] + 1 < high[active]]
        lo, hi = low[active], high[active]
        middle = (lo & hi) + ((lo ^ hi) >> 1)  # their sum may overflow
        jump = np.where(found_high[active], np.maximum(hi - step, lo + 1), np.minimum(lo + step, hi - 1))
        both = found_high[active] & found_low[active]
        at[active] = np.where(both | (step > 2**50), middle, jump)
        step = min(step * 8, 2**51)
    return high


def falls(function: Function, cuts: Keys, crossed: Keys, least: int = LEAST) -> bool:
    """Whether a function may be on the wrong side of a cut somewhere near it.

    Parameters
    ----------
    function : callable
    cuts, crossed : int64 array, shape (n,)
        Cuts of its values, and what `cross` found for them.
    least : int

    Returns
    -------
    bool
        It is, or more than `MOST_NEIGHBOURS` numbers give values within `ULPS` of a cut.
    """
    real = (cuts > LEAST) & (cuts < MOST)
    for side in (-1, 1):
        active = np.flatnonzero(real)
        for start in range(0, MOST_NEIGHBOURS, _STRIDE):
            if not len(active):
                break
            away = np.arange(start, start + _STRIDE)
            # the cut itself is the first number on the upper side
            near = crossed[active, None] + (away if side > 0 else -1 - away)
            inside = (near >= least) & (near < MOST)
            values = keys(function(numbers(np.clip(near, least, MOST - 1)).ravel())).reshape(near.shape)
            beyond = (values - cuts[active, None]) * side
            if (inside & (beyond < (0 if side > 0 else 1))).any():
                return True
            active = active[inside[:, -1] & (beyond[:, -1] <= ULPS)]
        if len(active):
            return True
    return False


@cache
def compiled(name: str) -> Function:
    """A function of the C library over an array, as kernels call it: many times as fast as by `ctypes`."""
    node = Expr(name, (Expr.input("x", Kind.NUMBER),), Kind.NUMBER)
    kernel = Kernel(plan_kernel([Root(node, "number", 0, name)], 0, {}))

    def apply(values: Floats) -> Floats:
        given = np.ascontiguousarray(values, np.float64)
        found = np.empty_like(given)
        columns, outputs = (np.array([a.ctypes.data], np.int64) for a in (given, found))
        scratch = kernel.new_scratch()
        kernel(given.size, columns.ctypes.data, outputs.ctypes.data, scratch.ctypes.data)
        return found

    return apply
