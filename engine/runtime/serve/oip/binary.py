"""Values of tensors as raw bytes: numbers little-endian, BYTES with a 4-byte length before each.

As the binary tensor data extension of the Open Inference Protocol has them, and its gRPC's raw contents.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.runtime.serve.call import Refusal

DTYPES: Mapping[str, np.dtype[np.generic]] = MappingProxyType(
    {
        "BOOL": np.dtype("?"),
        "UINT8": np.dtype("u1"),
        "UINT16": np.dtype("<u2"),
        "UINT32": np.dtype("<u4"),
        "UINT64": np.dtype("<u8"),
        "INT8": np.dtype("i1"),
        "INT16": np.dtype("<i2"),
        "INT32": np.dtype("<i4"),
        "INT64": np.dtype("<i8"),
        "FP16": np.dtype("<f2"),
        "FP32": np.dtype("<f4"),
        "FP64": np.dtype("<f8"),
    }
)
"""What one value of each datatype is, but of BYTES."""

BYTES = "BYTES"
DATATYPES = (*DTYPES, BYTES)

_FEW = 40
"""Texts that are read faster one by one than with NumPy."""
_LONGEST = 2**31 - 1
"""Bytes that an Arrow array of text can hold."""

_length = struct.Struct("<I")


def read(datatype: str, data: bytes | memoryview, rows: int, name: str) -> pa.Array:
    """The values of a tensor.

    Parameters
    ----------
    datatype : str
    data : bytes
        No byte more and none less.
    rows : int
        How many values there are.
    name : str
        Of the tensor, for messages.

    Returns
    -------
    pyarrow.Array, shape (rows,)
        BYTES are text or, where some are no UTF-8, binary.

    Raises
    ------
    Refusal
        400: the bytes aren't such values.

    Examples
    --------
    >>> read("INT16", bytes([1, 0, 255, 255]), 2, "x").to_pylist()
    [1, -1]
    >>> read("BYTES", bytes([2, 0, 0, 0]) + b"UA", 1, "carrier").to_pylist()
    ['UA']
    """
    if datatype == BYTES:
        return _read_texts(data, rows, name)
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise unknown(datatype, name)
    if len(data) != rows * dtype.itemsize:
        raise Refusal(
            400,
            f"{name}: expected {rows * dtype.itemsize:,} bytes for {rows:,} values of {datatype}, "
            f"found {len(data):,}",
            "invalid",
            name,
        )
    if datatype == "BOOL":
        return pa.array(np.frombuffer(data, np.uint8) != 0)
    # a copy, since these bytes may begin anywhere and compiled code reads aligned ones
    return pa.array(np.frombuffer(data, dtype).copy())


def unknown(datatype: str, name: str) -> Refusal:
    """The refusal of a datatype that isn't read."""
    found = f"{datatype!r:.40}" if datatype else "none"
    return Refusal(
        400, f"{name}: expected a datatype out of {', '.join(DATATYPES)}, found {found}", "invalid", name
    )


def _read_texts(data: bytes | memoryview, rows: int, name: str) -> pa.Array:
    if len(data) > _LONGEST or 4 * rows > len(data):
        raise _wrong(name, rows, f"found {len(data):,} bytes")
    if rows <= _FEW:
        starts, lengths = _walk(data, rows, name)
        found = [bytes(data[start : start + length]) for start, length in zip(starts, lengths, strict=True)]
        try:
            return pa.array([text.decode() for text in found], pa.string())
        except UnicodeDecodeError:
            return pa.array(found, pa.binary())
    raw = np.frombuffer(data, np.uint8)
    sizes = _guess(raw, rows)
    if sizes is None:
        sizes = np.array(_walk(data, rows, name)[1], np.int64)
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    text = np.ones(len(raw), bool)
    heads = offsets[:-1] + 4 * np.arange(rows, dtype=np.int64)
    text[heads[:, None] + np.arange(4)] = False
    array = pa.Array.from_buffers(
        pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(raw[text]))]
    )
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:  # some are no UTF-8
        return array


def _walk(data: bytes | memoryview, rows: int, name: str) -> tuple[list[int], list[int]]:
    """Where each text begins, and its length."""
    starts, lengths = [], []
    at, end, unpack = 0, len(data), _length.unpack_from
    for row in range(rows):
        if at + 4 > end:
            raise _wrong(name, rows, f"found bytes for {row:,}", row)
        (length,) = unpack(data, at)
        at += 4
        if length > end - at:
            raise _wrong(name, rows, f"found a length of {length:,} before {end - at:,} bytes", row)
        starts.append(at)
        lengths.append(length)
        at += length
    if at != end:
        raise _wrong(name, rows, f"found {end - at:,} bytes behind them")
    return starts, lengths


def _guess(raw: NDArray[np.uint8], rows: int) -> NDArray[np.int64] | None:
    """The texts' lengths, where they are seen at once: of short texts without NULs, none of them empty.

    Three zeros behind a byte are then a length, and nothing else is. A wrong guess doesn't pass: the lengths
    that were found must lead from each to the next, and from the last to the end.
    """
    zero = raw == 0
    heads = np.flatnonzero(zero[1:-2] & zero[2:-1] & zero[3:])
    if len(heads) != rows or heads[0]:
        return None
    lengths = raw[heads].astype(np.int64)
    ends = heads + 4 + lengths
    if ends[-1] != len(raw) or not np.array_equal(ends[:-1], heads[1:]):
        return None
    return lengths


def _wrong(name: str, rows: int, found: str, row: int | None = None) -> Refusal:
    where = "" if row is None else f" (value {row:,})"
    return Refusal(
        400,
        f"{name}: expected {rows:,} values of BYTES, each behind its 4-byte length, {found}{where}",
        "invalid",
        name,
    )


def write(datatype: str, values: pa.Array, name: str) -> bytes:
    """The bytes of a tensor.

    A missing text is an empty one, a missing number NaN or the least of its type.

    Parameters
    ----------
    datatype : str
    values : pyarrow.Array, shape (n,)
        Of the datatype, as `read` gives them.
    name : str
        Of the tensor, for messages.

    Raises
    ------
    Refusal
        400: a value is missing, and the datatype has nothing for it.

    Examples
    --------
    >>> write("INT16", pa.array([1, None], pa.int16()), "x").hex(" ")
    '01 00 00 80'
    >>> write("BYTES", pa.array(["UA", None]), "carrier")
    b'\\x02\\x00\\x00\\x00UA\\x00\\x00\\x00\\x00'
    """
    if datatype == BYTES:
        return _write_texts(values)
    dtype = DTYPES[datatype]
    if values.null_count:
        if dtype.kind in "ub":
            raise Refusal(
                400,
                f"{name}: a value is missing, and {datatype} has nothing for it in binary: ask for JSON, "
                "with binary_data: false",
                "missing",
                name,
            )
        values = values.fill_null(np.nan if dtype.kind == "f" else int(np.iinfo(dtype).min))  # type: ignore[type-var]
    return values.to_numpy(zero_copy_only=False).astype(dtype, copy=False).tobytes()  # type: ignore[no-any-return]


def _write_texts(values: pa.Array) -> bytes:
    if len(values) <= _FEW:
        pieces = []
        for value in values.to_pylist():
            raw = value.encode() if isinstance(value, str) else value or b""
            pieces += [_length.pack(len(raw)), raw]
        return b"".join(pieces)
    if values.null_count:
        values = values.fill_null(b"" if pt.is_binary(values.type) else "")
    _, places, data = values.buffers()
    offsets = np.frombuffer(places, np.int32)[values.offset : values.offset + len(values) + 1].astype(
        np.int64
    )
    sizes = np.diff(offsets).astype("<u4")
    raw = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    heads = offsets[:-1] - offsets[0] + 4 * np.arange(len(values), dtype=np.int64)
    written = np.empty(len(raw) + 4 * len(values), np.uint8)
    text = np.ones(len(written), bool)
    places_of = heads[:, None] + np.arange(4)
    text[places_of] = False
    written[text] = raw
    written[places_of] = sizes.view(np.uint8).reshape(-1, 4)
    return written.tobytes()
