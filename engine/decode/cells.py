"""Cells of a text file to columns in memory: only an empty field is missing, the rest is parsed.

Cells arrive as Arrow text, or as binary where some are no UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.decode import scalar
from engine.decode.arrow import Found, by_distinct, utf8
from engine.decode.messages import quote
from engine.values import NAT


def numbers(array: pa.Array) -> Found:
    """The text of numbers to float64, correctly rounded; blanks around them don't count."""
    if not pt.is_binary(array.type):
        # Arrow takes a column whole or not at all; most are clean, and most of the rest only have blanks.
        for trim in (False, True):
            try:
                found = pc.cast(pc.ascii_trim_whitespace(array) if trim else array, pa.float64())
            except pa.ArrowInvalid:
                continue
            return Found(found.to_numpy(zero_copy_only=False))
    return by_distinct(pc.dictionary_encode(array), _number, scalar.NAN, np.dtype(np.float64))


def timestamps(array: pa.Array) -> Found:
    """RFC 3339 text to int64 µs in UTC."""
    return by_distinct(pc.dictionary_encode(array), _time, NAT, np.dtype(np.int64))


def undecodable(array: pa.Array) -> Mapping[int, str]:
    """What was found in each row whose cell is no UTF-8."""
    if not pt.is_binary(array.type):
        return {}
    return by_distinct(pc.dictionary_encode(array), _length, 0, np.dtype(np.int64)).invalid


def _length(raw: bytes) -> int:
    return len(utf8(raw))


def _number(raw: str | bytes) -> float:
    cell = utf8(raw)
    try:
        return scalar.parse_number(cell.strip())
    except ValueError:
        raise ValueError(quote(cell)) from None


def _time(raw: str | bytes) -> int:
    cell = utf8(raw)
    try:
        return scalar.parse_time(cell.strip())
    except ValueError as error:
        raise ValueError(str(error) if str(error) == scalar.OUTSIDE else quote(cell)) from None
