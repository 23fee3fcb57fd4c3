"""From margins to predictions, in float32, as XGBoost computes them.

Source: ``src/objective/`` and ``src/common/math.h`` of XGBoost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from engine.jit.lowlevel import expf

KINDS = ("identity", "sigmoid", "exp", "hinge", "softprob", "softmax", "sorted")
"""Ways from margins to predictions; kernels know them by number."""

_float32 = np.float32
_ONE = np.float32(1)
_ZERO = np.float32(0)
_MOST = np.float32(88.7)


@register_jitable  # type: ignore[untyped-decorator]
def sigmoid(x: Any) -> Any:
    """XGBoost's logistic function of a float32."""
    negative = -x
    return _ONE / (expf(_MOST if negative > _MOST else negative) + _ONE)


@register_jitable  # type: ignore[untyped-decorator]
def predict(kind: int, margins: Any, count: int, out: Any) -> None:
    """Write the predictions of one row's ``count`` margins; ``out`` may be where they lie."""
    if kind == 1:
        for i in range(count):
            out[i] = sigmoid(margins[i])
    elif kind == 2:
        for i in range(count):
            out[i] = expf(margins[i])
    elif kind == 3:
        for i in range(count):
            out[i] = _ONE if margins[i] > _ZERO else _ZERO
    elif kind == 4:
        most = margins[0]
        for i in range(1, count):
            most = margins[i] if most < margins[i] else most
        total = 0.0
        for i in range(count):
            value = expf(margins[i] - most)
            total += value
            out[i] = value
        divisor = _float32(total)
        for i in range(count):
            out[i] = out[i] / divisor
    elif kind == 5:
        best = 0
        for i in range(1, count):
            best = i if margins[i] > margins[best] else best
        out[0] = _float32(best)
    else:
        for i in range(count):
            out[i] = margins[i]
        if kind == 6:
            for i in range(1, count):
                value = out[i]
                j = i
                while j > 0 and out[j - 1] > value:
                    out[j] = out[j - 1]
                    j -= 1
                out[j] = value
