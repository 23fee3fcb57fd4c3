"""A model saved as JSON, each number of its trees rounded once.

JSON is read to float64, which then becomes float32. Where the first lies in the middle between two of the
second, it may have been rounded there, and the other one may be nearer to what was written; such numbers are
read again from their text. No model as XGBoost writes it has any.
"""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.forest.faults import DamagedError

_READ = ("split_conditions", "base_weights", "leaf_weights", "weight_drop")
"""Lists of numbers that are scored with."""
_GREATEST = np.finfo(np.float32).max


def parse(data: bytes) -> Any:
    """The document in ``data``.

    Raises
    ------
    ValueError
        It is no JSON.
    """
    document = json.loads(data)
    found = list(_lists(document))
    if any(_halfway(values).any() for values in found):
        for values, texts in zip(found, _lists(json.loads(data, parse_float=str)), strict=True):
            for i in np.flatnonzero(_halfway(values)).tolist():
                if isinstance(texts[i], str):
                    values[i] = float(single(texts[i]))
    return document


def _lists(document: Any) -> Any:
    """Every list of numbers that matters, always in the same order."""
    waiting = [document]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield from (here[name] for name in _READ if isinstance(here.get(name), list))
            waiting += [value for name, value in here.items() if name not in _READ]
        elif isinstance(here, list) and here and isinstance(here[0], dict):
            waiting += here


def _halfway(values: list[Any]) -> NDArray[np.bool_]:
    """Which numbers lie in the middle between two float32, or where the greatest ends."""
    try:
        x = np.asarray(values)
    except ValueError:  # lists within it
        return np.zeros(len(values), bool)
    if x.ndim != 1 or x.dtype != np.float64:
        return np.zeros(len(values), bool)
    usual = (x.view(np.int64) & 0x1FFFFFFF) == 0x10000000
    tiny = np.abs(x) < 2.0**-126
    # The least float32 is 2**-149.
    found: NDArray[np.bool_] = usual & ~tiny | (np.where(tiny, x, 0) * 2.0**150 % 2 == 1)
    return found


def single(text: str) -> np.float32:
    """The float32 nearest to a decimal; by way of float64 it could be rounded twice.

    >>> single("1.00000005960464477539062500000000001")
    np.float32(1.0000001)
    """
    if len(text) > 64:
        raise DamagedError(f"a number has {len(text)} digits")
    double = float(text)
    with np.errstate(over="ignore"):
        nearest = np.float32(double)
    if not math.isfinite(double) or double == 0:
        return nearest
    if np.isinf(nearest):
        edge = (Fraction(2) ** 128 + Fraction(float(_GREATEST))) / 2
        return nearest if abs(Fraction(text)) >= edge else np.copysign(_GREATEST, nearest)
    exact = Fraction(text)
    with np.errstate(over="ignore", under="ignore"):
        others = [np.nextafter(nearest, np.float32(side)) for side in (-np.inf, np.inf)]
    finite = [nearest, *(other for other in others if math.isfinite(other))]
    return min(finite, key=lambda value: abs(Fraction(float(value)) - exact))
