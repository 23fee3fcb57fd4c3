"""Arrow's bitmaps of values that are there: https://arrow.apache.org/docs/format/Columnar.html#validity-bitmaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from engine.jit.lowlevel import uint8s

_uint64 = np.uint64
_ALL = np.uint64(2**64 - 1)
_NAN = float("nan")


@register_jitable  # type: ignore[untyped-decorator]
def is_there(valid: int, bit: int) -> Any:
    """Whether the value of a bit is there."""
    return (uint8s(valid)[bit >> 3] >> (bit & 7)) & 1 != 0


@register_jitable  # type: ignore[untyped-decorator]
def blank(values: Any, valid: int, first: int, rows: int) -> None:
    """Make missing values NaN.

    Parameters
    ----------
    values : pointer to float64
    valid : int
        The address of the bitmap; no byte is read but those that hold a bit of these rows.
    first : int
        The bit of the first row.
    rows : int
    """
    bitmap = uint8s(valid)
    whole = rows - rows % 64
    shift = _uint64(first & 7)
    for start in range(0, whole, 64):
        at = (first + start) >> 3
        word = _uint64(0)
        for j in range(8):
            word |= _uint64(bitmap[at + j]) << _uint64(8 * j)
        if shift:
            word = (word >> shift) | (_uint64(bitmap[at + 8]) << (_uint64(64) - shift))
        if word != _ALL:
            for j in range(64):
                if not (word >> _uint64(j)) & _uint64(1):
                    values[start + j] = _NAN
    for i in range(whole, rows):
        if not is_there(valid, first + i):
            values[i] = _NAN
