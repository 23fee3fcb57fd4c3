"""Columns that the names of folders tell, as Hive writes them: ``year=2013/month=1/part.parquet``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import unquote

import pyarrow as pa

from engine.errors import DataError, listing
from engine.source import Address

Keys = Mapping[str, str | None]
"""For each key the text that stands behind it; None is missing."""
Values = Mapping[str, str | int | None]

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def is_key(folder: str) -> bool:
    """Whether a folder's name is ``key=value``."""
    return re.match(r"[^=_.][^=]*=", folder) is not None


def keys_of(address: Address, files: Sequence[Sequence[str]]) -> tuple[Keys, ...]:
    """What folders tell of each of some files, given the parts of their paths.

    Raises
    ------
    DataError
        A key is there twice, or not all files have the same keys.
    """
    found = [_keys(address, parts[:-1]) for parts in files]
    for parts, keys in zip(files, found, strict=True):
        if keys.keys() != found[0].keys():
            raise DataError(
                f"{address}: the folders disagree in their keys: {'/'.join(files[0])} has "
                f"{listing(found[0])}, {'/'.join(parts)} has {listing(keys)}"
            )
    return tuple(found)


def typed(keys: Sequence[Keys]) -> list[Values]:
    """The values of each file: those of a key whose values are all integers as such."""
    whole = {
        name
        for name in (keys[0] if keys else ())
        if all(_is_integer(each[name]) for each in keys if each[name])
    }
    return [
        {name: int(text) if text and name in whole else text for name, text in each.items()} for each in keys
    ]


def key_fields(values: Iterable[Values]) -> list[pa.Field]:
    """The columns of some files' keys."""
    kinds: dict[str, pa.DataType] = {}
    for each in values:
        for name, value in each.items():
            kind = pa.int64() if isinstance(value, int) else pa.string()
            if value is not None or name not in kinds:
                kinds[name] = kind
    return [pa.field(name, kind) for name, kind in kinds.items()]


def with_keys(
    batch: pa.RecordBatch,
    columns: Sequence[str],
    values: Values,
    schema: pa.Schema,
    coded: Collection[str],
) -> pa.RecordBatch:
    """A batch with these columns in this order, of which keys have one value in every row."""
    rows = batch.num_rows
    arrays, fields = [], []
    for name in columns:
        if name not in values:
            arrays.append(batch.column(name))
            fields.append(batch.schema.field(name))
            continue
        kind = schema.field(name).type
        array = pa.repeat(pa.scalar(values[name], kind), rows)
        arrays.append(array.dictionary_encode() if name in coded and kind == pa.string() else array)
        fields.append(pa.field(name, arrays[-1].type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _keys(address: Address, folders: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for folder in filter(is_key, folders):
        name, _, value = folder.partition("=")
        name = unquote(name)
        if name in found:
            raise DataError(f"{address}: the key {name!r} is twice in {'/'.join(folders)}")
        found[name] = None if value == _MISSING else unquote(value)
    return found


def _is_integer(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"-?[0-9]{1,18}", text) is not None
