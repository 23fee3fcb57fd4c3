"""Rows that were asked and answered to the columns of a file.

==============================  ======================================================
column                          values
==============================  ======================================================
``time``                        timestamp[us, UTC]: when the answer was made
``request``                     the request's id; an array's rows share it
``version``                     of the pipeline that answered
``protocol``                    as the server calls it
``in_NAME``                     each input, as the pipeline read it
``out_NAME``                    each output column
==============================  ======================================================

The prefixes keep apart an input and the output that echoes it, and both from the first four. A number is
float64 (a score float32, a rank int64), a timestamp is in UTC, categories and texts are text. What is missing
is null, a number, too; so is a value that isn't of its kind, which the pipeline took as missing or never
read. A kept column that is no input is text as it came, and anything else its JSON.

A hashed column holds the first 32 hex digits of HMAC-SHA256 of the value's text: text as it is, a number or a
timestamp as the server's JSON has it, without quotes (1 for 1.0, ``1980-05-17T00:00:00.000000Z``). One value
has one hash, in whichever column.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.decode import TableDecoder, json_cells, readers
from engine.decode.arrow import fits
from engine.decode.rows import rows_to_table
from engine.encode import arrow_type, to_arrow
from engine.encode_json import json_text
from engine.runtime.serve.predictions.entries import RowEntry, TableEntry
from engine.schema import Column, Input, Kind

_DIGITS = 32
_TIME = pa.timestamp("us", "UTC")
_KINDS: Mapping[str, Kind] = {
    "float32": Kind.NUMBER,
    "float64": Kind.NUMBER,
    "int64": Kind.NUMBER,
    "bool": Kind.BOOLEAN,
    "string": Kind.TEXT,
    "timestamp[us, UTC]": Kind.TIMESTAMP,
}


@dataclass(frozen=True, slots=True)
class _Field:
    """One input or output: how it is read and what it is called; ``item`` is None where it is of any kind."""

    name: str
    label: str
    item: Input | None
    decoder: TableDecoder | None
    kind: pa.DataType
    hashed: bool


class Columns:
    """The columns of one version's files.

    Parameters
    ----------
    inputs : mapping of str to str
        The kind of each input, as `Pipeline.inputs`.
    outputs : mapping of str to str
        The dtype of each output, as `Pipeline.outputs`.
    omit, hash : collection of str
    key : bytes
        Of the hash.

    Attributes
    ----------
    schema : pyarrow.Schema

    Examples
    --------
    >>> Columns({"day": "timestamp"}, {"score": "float32"}).schema.names
    ['time', 'request', 'version', 'protocol', 'in_day', 'out_score']
    """

    def __init__(
        self,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        omit: Collection[str] = (),
        hash: Collection[str] = (),
        key: bytes = b"",
    ) -> None:
        self._key = key
        self._asked = [
            _field("in_", name, Column(name, Kind(kind)).dtype, name in hash)
            for name, kind in inputs.items()
            if name not in omit
        ]
        self._answered = [
            _field("out_", name, dtype, name in hash) for name, dtype in outputs.items() if name not in omit
        ]
        own = {"time": _TIME, "request": pa.string(), "version": pa.string(), "protocol": pa.string()}
        fields = [(field.label, field.kind) for field in (*self._asked, *self._answered)]
        self.schema = pa.schema([*own.items(), *fields])

    def of_rows(self, entries: Sequence[RowEntry]) -> pa.RecordBatch:
        """The columns of rows of JSON."""
        asked = self._values(self._asked, [entry.row for entry in entries])
        answered = self._values(self._answered, [entry.answer for entry in entries])
        return pa.RecordBatch.from_arrays([*_own(entries), *asked, *answered], schema=self.schema)

    def of_tables(self, entries: Sequence[TableEntry]) -> pa.RecordBatch:
        """The columns of requests that came as columns; those of ``asked`` are the same, and of ``answered``.

        Raises
        ------
        ValueError
            The rows that were asked, less those refused, are not those that were answered.
        """
        asked = self._cells(self._asked, [entry.asked for entry in entries])
        answered = self._cells(self._answered, [entry.answered for entry in entries])
        if any(entry.refused or entry.rows != entry.asked.num_rows for entry in entries):
            begun = np.cumsum([0, *(entry.asked.num_rows for entry in entries)]).tolist()
            which = [_answered_rows(entry) + start for entry, start in zip(entries, begun[:-1], strict=True)]
            places = pa.array(np.concatenate(which))
            asked = [column.take(places) for column in asked]
        if any(entry.rows != entry.answered.num_rows for entry in entries):
            begun = np.cumsum([0, *(entry.answered.num_rows for entry in entries)]).tolist()
            rows = [
                np.arange(start, start + entry.rows) for entry, start in zip(entries, begun[:-1], strict=True)
            ]
            answered = [column.take(pa.array(np.concatenate(rows))) for column in answered]
        return pa.RecordBatch.from_arrays([*_own(entries), *asked, *answered], schema=self.schema)

    def _values(self, fields: Sequence[_Field], rows: Sequence[Mapping[str, Any]]) -> list[pa.Array]:
        items = [field.item for field in fields if field.item is not None]
        table, _ = rows_to_table(rows, items, readers.JSON)
        return [
            self._written(
                field,
                pa.array([_text(row.get(field.name)) for row in rows], pa.string())
                if field.item is None
                else table.column(field.name).combine_chunks(),
            )
            for field in fields
        ]

    def _cells(self, fields: Sequence[_Field], batches: Sequence[pa.RecordBatch]) -> list[pa.Array]:
        batch = _together(batches)
        return [self._written(field, _decoded(field, batch)) for field in fields]

    def _written(self, field: _Field, array: pa.Array) -> pa.Array:
        if pt.is_floating(array.type):
            array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
        if not field.hashed:
            return array if array.type == field.kind else array.cast(field.kind)
        coded = array.dictionary_encode()
        texts = coded.dictionary
        if not pt.is_string(texts.type):
            texts = pc.utf8_trim(json_text(texts), '"')
        hashes = [
            hmac.digest(self._key, text.encode(), "sha256").hex()[:_DIGITS] for text in texts.to_pylist()
        ]
        return pa.array(hashes, pa.string()).take(coded.indices)


def _hash(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()[:_DIGITS]


def _field(prefix: str, name: str, dtype: str, hashed: bool) -> _Field:
    label = prefix + name
    if dtype == "any":
        return _Field(name, label, None, None, pa.string(), hashed)
    kind = _KINDS[dtype]
    whole, single = dtype == "int64", dtype == "float32"
    written = pa.string() if hashed else arrow_type(Column(name, kind, single=single, whole=whole))
    # a truth is read as the number that it is; no value is refused any more
    item = Input(name, Kind.NUMBER if kind is Kind.BOOLEAN else kind, optional=True, invalid="null")
    return _Field(name, label, item, TableDecoder([item]), written, hashed)


def _own(entries: Sequence[RowEntry] | Sequence[TableEntry]) -> list[pa.Array]:
    times = chain.from_iterable([entry.time // 1000] * entry.rows for entry in entries)
    words: list[list[str]] = [[], [], []]
    for entry in entries:
        for into, word in zip(words, (entry.request, entry.version, entry.protocol), strict=True):
            into += [word] * entry.rows
    return [pa.array(list(times), pa.int64()).cast(_TIME), *(pa.array(part, pa.string()) for part in words)]


def _together(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    (joined,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined


def _answered_rows(entry: TableEntry) -> np.ndarray[Any, np.dtype[np.int64]]:
    kept = np.ones(entry.asked.num_rows, bool)
    kept[list(entry.refused)] = False
    rows = np.flatnonzero(kept)
    if len(rows) != entry.answered.num_rows:
        raise ValueError(f"{len(rows)} rows were asked and not refused, {entry.answered.num_rows} answered")
    return rows[: entry.rows]


def _decoded(field: _Field, batch: pa.RecordBatch) -> pa.Array:
    places = batch.schema.get_all_field_indices(field.name)
    if len(places) != 1:  # an optional input that isn't there
        return pa.nulls(batch.num_rows, pa.string() if field.item is None else _read_as(field.item))
    array, found = batch.column(places[0]), batch.schema.field(places[0])
    if field.item is None:
        return pa.array([_text(value) for value in _spelt(array)], pa.string())
    if not fits(field.item.kind, found.type):  # values of JSON: as they came, what is kept isn't marked
        found = json_cells.marked(found)
    assert field.decoder is not None
    one = pa.RecordBatch.from_arrays([array], schema=pa.schema([found]))
    return to_arrow(field.decoder.decode(one).columns[field.name], Column(field.name, field.item.kind))


def _read_as(item: Input) -> pa.DataType:
    return arrow_type(Column(item.name, item.kind))


def _spelt(array: pa.Array) -> list[Any]:
    values: list[Any] = array.to_pylist()
    if not pt.is_union(array.type):
        return values
    return [value["nested"] if isinstance(value, dict) else value for value in values]


def _text(value: Any) -> str | None:
    """A value of any kind: text as it is, the rest as JSON."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # half a surrogate pair is no UTF-8
    if isinstance(value, date | time):
        return value.isoformat()
    return json.dumps(value, default=str)
