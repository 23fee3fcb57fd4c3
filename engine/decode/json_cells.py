"""Values of JSON to columns in memory: each cell is of a kind or isn't, whatever type its column has.

JSON knows numbers, text, true, false and null. Infinity is the text ``"inf"`` or ``"-inf"``; a timestamp is
RFC 3339 text or a whole number of µs. A source marks its columns with `marked`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.decode import arrow, scalar
from engine.decode.arrow import Found, by_distinct
from engine.decode.messages import describe
from engine.values import NAT

_FORM = {b"engine.form": b"json"}
_HALVES = re.compile("[\ud800-\udfff]")
_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def is_text(name: str) -> bool:
    """Whether UTF-8 can hold it: JSON may have half of a surrogate pair."""
    return not _HALVES.search(name)


def marked(field: pa.Field) -> pa.Field:
    """A column whose cells are values of JSON."""
    return field.with_metadata({**(field.metadata or {}), **_FORM})


def is_marked(field: pa.Field) -> bool:
    """Whether a column's cells are values of JSON."""
    return bool(field.metadata) and _FORM.items() <= field.metadata.items()


def number(value: Any) -> float:
    """A number as float64; missing is NaN.

    Raises
    ------
    ValueError
        It is no number.

    Examples
    --------
    >>> number(12), number("-inf"), number(None)
    (12.0, -inf, nan)
    """
    if isinstance(value, str) and value in _INFINITE:
        return _INFINITE[value]
    return scalar.number(value)


def timestamp(value: Any) -> int:
    """A timestamp in µs since 1970, UTC; missing is ``NAT``. JSON has one type of number: 1.0 is 1.

    Raises
    ------
    ValueError
        It is no timestamp, or outside the years 1 to 9999.

    Examples
    --------
    >>> timestamp("1970-01-01T00:00:01Z"), timestamp(1000000), timestamp(1e6)
    (1000000, 1000000, 1000000)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        raise ValueError(describe(value))
    return scalar.timestamp(value)


def numbers(array: pa.Array) -> Found:
    """The cells of a column as float64."""
    kind = array.type
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind):
        return arrow.numbers(array)
    return _each(array, number, scalar.NAN, np.dtype(np.float64))


def timestamps(array: pa.Array) -> Found:
    """The cells of a column as int64 µs in UTC."""
    if pt.is_integer(array.type):
        return arrow.timestamps(array.cast(pa.int64()).view(pa.timestamp("us")))
    return _each(array, timestamp, NAT, np.dtype(np.int64))


def texts(array: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """The cells of a column as text, null where one is something else, and what that is by row."""
    if arrow.is_text(array.type):
        return array, {}
    invalid = {}
    found: list[str | None] = []
    for row, value in enumerate(_cells(array)):
        found.append(value if isinstance(value, str) else None)
        if value is not None and found[-1] is None:
            invalid[row] = describe(value)
    return pa.array(found, pa.large_string()), invalid


def column(values: Sequence[Any]) -> pa.Array:
    """An array of values of JSON; a union where they are of several types.

    Examples
    --------
    >>> column([1, None, "x"]).to_pylist(), column([1, 2.5]).type
    ([1, None, 'x'], DataType(double))
    """
    with suppress(pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError):
        found = pa.array(values)
        # of a true beside a number Arrow would make 1
        odd = pt.is_floating(found.type) and bool in map(type, values)
        if not (odd or pt.is_nested(found.type)):
            return found
    with suppress(TypeError):
        if {type(value) for value in values} <= {
            int,
            float,
            type(None),
        }:  # some whole number is too large for int64
            return pa.array([None if value is None else _rounded(value) for value in values], pa.float64())
    parts: dict[str, list[Any]] = {name: [] for name in _CHILDREN}
    which, places = [], []
    for value in values:
        name = _child(value)
        which.append(list(_CHILDREN).index(name))
        places.append(len(parts[name]))
        if name == "nested":
            value = {"nested": ascii(value)}
        parts[name].append(_rounded(value) if name == "number" else value)
    return pa.UnionArray.from_dense(
        pa.array(which, pa.int8()),
        pa.array(places, pa.int32()),
        [pa.array(parts[name], kind) for name, kind in _CHILDREN.items()],
        list(_CHILDREN),
    )


_CHILDREN: dict[str, pa.DataType] = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "nested": pa.struct([("nested", pa.string())]),
}


class nested:  # noqa: N801 - messages print the name
    """A list or an object, as its text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _cells(array: pa.Array) -> list[Any]:
    found: list[Any] = array.to_pylist()
    if not pt.is_union(array.type):
        return found
    return [nested(value["nested"]) if isinstance(value, dict) else value for value in found]


def _child(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "whole" if abs(value) < 2**63 else "number"
    if isinstance(value, float):
        return "number"
    return "text" if isinstance(value, str) and not _HALVES.search(value) else "nested"


def _rounded(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float, which JSON's own readers make infinite
        return math.copysign(math.inf, value)


def _each(
    array: pa.Array, read: Callable[[Any], float | int], gone: float | int, dtype: np.dtype[Any]
) -> Found:
    if arrow.is_text(array.type):
        return by_distinct(pc.dictionary_encode(array), read, gone, dtype)
    values = np.full(len(array), gone, dtype)
    invalid = {}
    for row, value in enumerate(_cells(array)):
        try:
            values[row] = read(value)
        except ValueError as error:
            invalid[row] = str(error)
    return Found(values, invalid)
