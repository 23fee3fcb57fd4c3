"""Columns of an answer to JSON: the text of a number reads back as the same float64."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_QUOTE, _NOTHING = pa.scalar('"', pa.large_string()), pa.scalar("", pa.large_string())


def json_lines(batch: pa.RecordBatch) -> bytes:
    """A line for each row, an object with the columns in their order.

    A float32 is widened, so that the shortest decimal of the *float64* is written; infinity is ``"inf"`` or
    ``"-inf"``, NaN null; a timestamp is RFC 3339 text in UTC.

    Raises
    ------
    TypeError
        A column is of a type that JSON has nothing for.

    Examples
    --------
    >>> json_lines(pa.record_batch({"late": [True], "score": pa.array([0.1], pa.float32())}))
    b'{"late":true,"score":0.10000000149011612}\\n'
    """
    pieces: list[Any] = []
    for place, name in enumerate(batch.schema.names):
        head = ("," if place else "{") + json.dumps(name, ensure_ascii=False) + ":"
        pieces += [pa.scalar(head, pa.large_string()), json_text(batch.column(place))]
    if not pieces:
        return b"{}\n" * int(batch.num_rows)
    pieces.append(pa.scalar("}\n", pa.large_string()))
    lines = pc.binary_join_element_wise(*pieces, _NOTHING)
    first, last = lines.offset, lines.offset + len(lines)
    _, offsets, data = lines.buffers()
    if data is None or not len(lines):
        return b""
    begin, end = (int.from_bytes(offsets[8 * i : 8 * i + 8].to_pybytes(), "little") for i in (first, last))
    text: bytes = data[begin:end].to_pybytes()
    return text


def json_text(array: pa.Array) -> pa.Array:
    """The JSON text of each value, ``null`` of a missing one: large_string, shape ``(n,)``.

    Raises
    ------
    TypeError
        JSON has nothing for values of this type.

    Examples
    --------
    >>> json_text(pa.array([1.5, None, float("inf")])).to_pylist()
    ['1.5', 'null', '"inf"']
    """
    kind = array.type
    if pt.is_dictionary(kind):
        return _spelt(json_text(array.dictionary).take(array.indices))
    if pt.is_null(kind) or pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_decimal(kind):
        return _spelt(_cast(array))
    if pt.is_floating(kind):
        return _floats(array.cast(pa.float64()))
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return _spelt(_quoted(_cast(array)))
    if pt.is_timestamp(kind):
        utc = array.cast(pa.int64()).cast(pa.timestamp(kind.unit, "UTC"))
        return _spelt(_quoted(pc.replace_substring(_cast(utc), " ", "T", max_replacements=1)))
    if pt.is_date(kind) or pt.is_time(kind):
        return _spelt(_quoted(_cast(array)))
    raise TypeError(f"JSON has nothing for {kind}")


def _cast(array: pa.Array) -> pa.Array:
    # not every type goes to large_string at once
    return array.cast(pa.string()).cast(pa.large_string())


def _spelt(array: pa.Array) -> pa.Array:
    return pc.fill_null(array, "null")


def _floats(array: pa.Array) -> pa.Array:
    text = _cast(array)
    for infinite in ("inf", "-inf"):
        text = pc.if_else(pc.equal(text, infinite), f'"{infinite}"', text)
    # a parser makes a whole number of -0, and whole numbers have one zero
    text = pc.if_else(pc.equal(text, "-0"), "-0.0", text)
    return _spelt(pc.if_else(pc.is_nan(array), pa.scalar(None, pa.large_string()), text))


def _quoted(array: pa.Array) -> pa.Array:
    # most texts need no escape, and those that do repeat
    odd = pc.match_substring_regex(array, r'["\\\x00-\x1f]')
    plain = pc.binary_join_element_wise(_QUOTE, array, _QUOTE, _NOTHING)
    if not pc.any(odd).as_py():
        return plain
    coded = pc.dictionary_encode(array)
    escaped = pa.array(
        [
            None if text is None else json.dumps(text, ensure_ascii=False)
            for text in coded.dictionary.to_pylist()
        ],
        pa.large_string(),
    )
    return escaped.take(coded.indices)
