"""From margins to predictions, in float32, as XGBoost computes them.

Source: ``src/objective/`` and ``src/common/math.h`` of XGBoost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from engine.jit.lowlevel import expf

EACH = ("identity", "sigmoid", "exp", "hinge")
"""Ways from one margin to one prediction."""
WHOLE = ("softprob", "softmax", "sorted")
"""Ways from a row's margins, in place, to its predictions; each gives their number."""

_float32 = np.float32
_ONE = np.float32(1)
_ZERO = np.float32(0)
_MOST = np.float32(88.7)


@register_jitable  # type: ignore[untyped-decorator]
def to_identity(x: Any) -> Any:
    """The margin itself."""
    return x


@register_jitable  # type: ignore[untyped-decorator]
def to_sigmoid(x: Any) -> Any:
    """XGBoost's logistic function of a float32."""
    negative = -x
    return _ONE / (expf(_MOST if negative > _MOST else negative) + _ONE)


@register_jitable  # type: ignore[untyped-decorator]
def to_exp(x: Any) -> Any:
    """The C library's ``expf``."""
    return expf(x)


@register_jitable  # type: ignore[untyped-decorator]
def to_hinge(x: Any) -> Any:
    """1 where the margin is positive."""
    return _ONE if x > _ZERO else _ZERO


@register_jitable  # type: ignore[untyped-decorator]
def to_softprob(row: Any, count: int) -> int:
    """The probability of each class."""
    most = row[0]
    for i in range(1, count):
        most = row[i] if most < row[i] else most
    total = 0.0
    for i in range(count):
        value = expf(row[i] - most)
        total += value
        row[i] = value
    divisor = _float32(total)
    for i in range(count):
        row[i] = row[i] / divisor
    return count


@register_jitable  # type: ignore[untyped-decorator]
def to_softmax(row: Any, count: int) -> int:
    """The number of the likeliest class."""
    best = 0
    for i in range(1, count):
        best = i if row[i] > row[best] else best
    row[0] = _float32(best)
    return 1


@register_jitable  # type: ignore[untyped-decorator]
def to_sorted(row: Any, count: int) -> int:
    """Quantiles that don't cross."""
    for i in range(1, count):
        value = row[i]
        j = i
        while j > 0 and row[j - 1] > value:
            row[j] = row[j - 1]
            j -= 1
        row[j] = value
    return count
