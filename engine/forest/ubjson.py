"""Read UBJSON, the format in which XGBoost saves its models, without XGBoost.

The file is not trusted: a damaged one can end the process inside XGBoost, so it is read here first.

Source of the format: https://ubjson.org, and ``UBJReader`` in XGBoost's ``src/common/json.cc``.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

_NUMBERS: dict[str, np.dtype[Any]] = {
    "i": np.dtype(">i1"), "U": np.dtype(">u1"), "I": np.dtype(">i2"), "l": np.dtype(">i4"),
    "L": np.dtype(">i8"), "d": np.dtype(">f4"), "D": np.dtype(">f8"),
}  # fmt: skip
_CONSTANTS = {"T": True, "F": False, "Z": None}
_DEEPEST = 64


class UBJSONError(ValueError):
    """The bytes are no complete UBJSON document."""


def parse(data: bytes) -> Any:
    """The document in ``data``: dicts, lists, text, numbers; typed arrays as big-endian NumPy views.

    Parameters
    ----------
    data : bytes
        One whole document, nothing behind it.

    Raises
    ------
    UBJSONError
        The document ends early, is followed by something, or is no UBJSON.

    Examples
    --------
    >>> parse(b"{" + b"L" + (1).to_bytes(8, "big") + b"a" + b"T" + b"}")
    {'a': True}
    """
    reader = _Reader(data)
    document = reader.value(0)
    if reader.at != len(data):
        raise UBJSONError(f"the document ends at byte {reader.at:,} of {len(data):,}")
    return document


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        start, end = self.at, self.at + count
        if count < 0 or end > len(self.data):
            raise UBJSONError(f"the file ends at byte {len(self.data):,} in the middle of a value")
        self.at = end
        return self.data[start:end]

    def marker(self) -> str:
        return self.take(1).decode("latin-1")

    def length(self) -> int:
        if (found := self.marker()) != "L":
            raise UBJSONError(f"byte {self.at - 1:,} is {found!r}, not the length of something")
        (count,) = struct.unpack(">q", self.take(8))
        return int(count)

    def text(self) -> str:
        try:
            return self.take(self.length()).decode()
        except UnicodeDecodeError as error:
            raise UBJSONError(f"the text before byte {self.at:,} is not UTF-8") from error

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise UBJSONError(f"values are nested more than {_DEEPEST} deep")
        marker = self.marker()
        if marker == "{":
            return self.mapping(depth)
        if marker == "[":
            return self.array(depth)
        if marker == "S":
            return self.text()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _NUMBERS:
            dtype = _NUMBERS[marker]
            return np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()
        raise UBJSONError(f"byte {self.at - 1:,} is {marker!r}, which starts no value")

    def peek(self) -> str:
        return self.data[self.at : self.at + 1].decode("latin-1")

    def mapping(self, depth: int) -> dict[str, Any]:
        found = {}
        while self.peek() != "}":
            name = self.text()
            found[name] = self.value(depth + 1)
        self.at += 1
        return found

    def array(self, depth: int) -> Any:
        if self.peek() == "$":
            return self.typed()
        if self.peek() == "#":
            self.at += 1
            return [self.value(depth + 1) for _ in range(self.length())]
        items = []
        while self.peek() != "]":
            items.append(self.value(depth + 1))
        self.at += 1
        return items

    def typed(self) -> Any:
        self.at += 1
        marker = self.marker()
        if marker not in _NUMBERS or self.marker() != "#":
            raise UBJSONError(f"the array at byte {self.at:,} has items of an unknown type {marker!r}")
        dtype, count = _NUMBERS[marker], self.length()
        return np.frombuffer(self.take(count * dtype.itemsize), dtype)
