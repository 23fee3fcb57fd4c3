"""The normal distribution, for expressions that call it."""

from __future__ import annotations

from typing import Any

import numba

from engine.jit.functions import log, sqrt

# Coefficients of numerators and denominators, highest power first.
_MIDDLE = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_UNDER_MIDDLE = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)  # fmt: skip
_TAIL = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
    3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
)  # fmt: skip
_UNDER_TAIL = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.4810397642748007459e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
)  # fmt: skip
_FAR = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.6532189526576123093e-2,
    2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
)  # fmt: skip
_UNDER_FAR = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
    7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
    5.99832206555887937690e-1, 1.0,
)  # fmt: skip


@numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
def _ratio(above: Any, below: Any, r: Any) -> Any:
    x, y = above[0], below[0]
    for i in range(1, 8):
        x = x * r + above[i]
        y = y * r + below[i]
    return x / y


@numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
def inverse_normal(p: Any) -> Any:
    """The number that a standard normal variable is below with probability p; NaN outside of [0, 1].

    Algorithm AS 241, PPND16 (Wichura, Applied Statistics 37, 1988): about 1 part in 10^16.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(_MIDDLE, _UNDER_MIDDLE, 0.180625 - q * q)
    rest = p if q < 0 else 1 - p
    if not rest > 0:
        return float("nan") if rest != 0 else (float("-inf") if q < 0 else float("inf"))
    r = sqrt(-log(rest))
    found = _ratio(_TAIL, _UNDER_TAIL, r - 1.6) if r <= 5 else _ratio(_FAR, _UNDER_FAR, r - 5)
    return -found if q < 0 else found
