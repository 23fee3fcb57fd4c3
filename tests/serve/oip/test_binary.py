"""Raw bytes to values and back, against `struct`."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.serve.call import Refusal
from engine.runtime.serve.oip import binary

from .values import NUMERIC, exact, scalar
from .wire import NAT, packed

SIZES = (0, 1, 39, 40, 41, 100)


@pytest.mark.parametrize("datatype", NUMERIC)
def test_numbers(datatype: str) -> None:
    @settings(deadline=None)
    @given(values=st.lists(scalar(datatype), max_size=50), before=st.integers(0, 9))
    def run(values: list[Any], before: int) -> None:
        raw = packed(datatype, values)
        # wherever they lie in a body
        found = binary.read(datatype, memoryview(bytes(before) + raw)[before:], len(values), "x")
        assert [exact(value) for value in found.to_pylist()] == [exact(value) for value in values]
        written = binary.write(datatype, found, "x")
        assert written == raw or any(value != value for value in values)
        assert [exact(v) for v in binary.read(datatype, written, len(values), "x").to_pylist()] == [
            exact(value) for value in values
        ]
        size = len(raw) // max(len(values), 1)
        assert binary.write(datatype, found.slice(1), "x") == written[size:]

    run()


texts = st.one_of(
    st.sampled_from([b"UA", b"", b"\0", b"\0\0\0\0", b"\1\0\0\0", b"A\0\0\0B", "ünï".encode(), b"y" * 256]),
    st.binary(max_size=6),
    st.text(max_size=4).map(str.encode),
)


@settings(max_examples=300, deadline=None)
@given(pool=st.lists(texts, min_size=1, max_size=5), size=st.sampled_from(SIZES), data=st.data())
def test_texts(pool: list[bytes], size: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from(pool), min_size=size, max_size=size))
    raw = packed("BYTES", values)
    found = binary.read("BYTES", memoryview(b"x" + raw)[1:], size, "x")
    found.validate(full=True)
    try:
        expected: list[Any] = [value.decode() for value in values]
        assert found.type == pa.string()
    except UnicodeDecodeError:
        expected = values
        assert found.type == pa.binary()
    assert found.to_pylist() == expected
    assert binary.write("BYTES", found, "x") == raw
    assert binary.write("BYTES", found.slice(size // 3), "x") == packed("BYTES", values[size // 3 :])


@settings(max_examples=300, deadline=None)
@given(
    raw=st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([b"\0", b"\1", b"\2", b"A"]), max_size=400).map(b"".join),
    ),
    rows=st.integers(0, 60),
)
def test_any_bytes_are_read_or_refused(raw: bytes, rows: int) -> None:
    at, expected = 0, []
    while at + 4 <= len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        if length > len(raw) - at - 4:
            break
        expected.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    if at == len(raw) and len(expected) == rows:
        found = binary.read("BYTES", raw, rows, "x").cast(pa.binary())
        assert found.to_pylist() == expected
        return
    with pytest.raises(Refusal, match="x: expected") as caught:
        binary.read("BYTES", raw, rows, "x")
    assert (caught.value.status, caught.value.column) == (400, "x")


def test_texts_that_look_like_lengths() -> None:
    values = [b"A\0\0\0", b"y" * 256, *[b"UA"] * 60]
    raw = packed("BYTES", values)
    assert binary.read("BYTES", raw, len(values), "x").to_pylist() == [value.decode() for value in values]
    for at, length in ((0, 3), (6, 1), (6 * 49, 3)):
        damaged = bytearray(packed("BYTES", [b"UA"] * 50))
        damaged[at] = length
        with pytest.raises(Refusal, match="expected 50 values of BYTES"):
            binary.read("BYTES", bytes(damaged), 50, "x")


@pytest.mark.parametrize("size", [3, 50])
def test_what_is_missing(size: int) -> None:
    texts = pa.array(["UA", None, "AA"] * size)
    assert binary.write("BYTES", texts, "x") == packed("BYTES", ["UA", "", "AA"] * size)
    assert binary.write("INT64", pa.array([1, None] * size), "x") == packed("INT64", [1, NAT] * size)
    singles = binary.write("FP32", pa.array([1.5, None] * size, pa.float32()), "x")
    assert singles == packed("FP32", [1.5, float("nan")] * size)
    for datatype, kind in (("BOOL", pa.bool_()), ("UINT8", pa.uint8())):
        with pytest.raises(Refusal, match="has nothing for it in binary"):
            binary.write(datatype, pa.array([True, None] * size).cast(kind), "x")


@pytest.mark.parametrize(
    ("datatype", "raw", "rows", "says"),
    [
        ("FP64", bytes(7), 1, "expected 8 bytes for 1 values of FP64, found 7"),
        ("INT8", b"", 10**30, "found 0"),
        ("BYTES", b"", 10**30, "found 0 bytes"),
        ("BYTES", struct.pack("<I", 2**32 - 1) + b"x", 1, "a length of 4,294,967,295 before 1 bytes"),
        ("BYTES", struct.pack("<I", 1) + b"xy", 1, "found 1 bytes behind them"),
        ("BYTES", struct.pack("<I", 4) + bytes(4), 2, "found bytes for 1"),
        ("BF16", bytes(2), 1, "expected a datatype out of BOOL, UINT8"),
        ("", b"", 0, "found none"),
    ],
)
def test_refused(datatype: str, raw: bytes, rows: int, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        binary.read(datatype, raw, rows, "x")
    assert says in caught.value.message
    assert caught.value.code == "invalid"
