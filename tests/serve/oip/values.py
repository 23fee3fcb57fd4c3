"""Values of every datatype, and the same as a table has them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from .wire import FORMATS, NAT, Sent

WHOLE = [datatype for datatype in FORMATS if "INT" in datatype]
NUMERIC = list(FORMATS)
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXTS = ("UA", "AA", "", "ünï", "a\0b", "\0\0\0\0", "x" * 300, 'q"\\', "inf", "NaN")


def scalar(datatype: str) -> st.SearchStrategy[Any]:
    """A value of this datatype."""
    if datatype == "BOOL":
        return st.booleans()
    if datatype in WHOLE:
        bits = int(datatype.lstrip("UINT"))
        low, high = (0, 2**bits - 1) if datatype[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return st.one_of(st.integers(low, high), st.integers(max(low, -3), 3))
    width = {"FP16": 16, "FP32": 32, "FP64": 64}[datatype]
    return st.floats(width=width)  # type: ignore[arg-type]


text = st.one_of(st.sampled_from(TEXTS), st.text(max_size=4))
moment = st.one_of(st.just(NAT), st.integers(FIRST, LAST), st.integers(-5, 5))


def array(sent: Sent, kind: str) -> pa.Array:
    """What is sent, as a column of a table."""
    values = sent.values
    if kind == "timestamp":
        gone = (None, NAT)
        times = [None if value in gone else _EPOCH + timedelta(microseconds=value) for value in values]
        return pa.array(times, pa.timestamp("us", "UTC"))
    if kind in ("category", "text"):
        return pa.array(values, pa.string())
    if sent.datatype == "BOOL":
        return pa.array(values, pa.bool_())
    if sent.datatype in WHOLE:
        return pa.array(values, getattr(pa, sent.datatype.lower())())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


@st.composite
def columns(draw: st.DrawFn, kinds: dict[str, str], most: int = 12) -> list[Sent]:
    """An input tensor for each of these columns: any datatype, in binary or in JSON."""
    rows = draw(st.integers(0, most))
    sent = []
    for name, kind in kinds.items():
        binary = draw(st.booleans())
        if kind == "number":
            datatype = draw(st.sampled_from(NUMERIC))
            values = scalar(datatype)
        elif kind == "timestamp":
            datatype, values = "INT64", moment
        else:
            datatype, values = "BYTES", text
        if not binary:
            values = st.one_of(st.none(), values)
        found = draw(st.lists(values, min_size=rows, max_size=rows))
        sent.append(Sent(name, datatype, found, binary, draw(st.booleans())))
    return draw(st.permutations(sent))


def exact(value: Any) -> Any:
    """A value that is equal only to one of the same bits; NaN is as missing as null."""
    if value is None or value != value:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value.hex() if isinstance(value, float) else value


def single(value: float) -> float:
    """The float32 of a number, widened."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
