"""Which column of PostgreSQL holds which of Arrow, and what becomes of its values on the way there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.decode.arrow import is_text, plain, plain_type
from engine.errors import DataError, listing
from engine.runtime.io.postgres.names import name_fault

TAKES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "boolean": ("boolean",),
        "smallint": ("smallint", "integer", "bigint", "numeric", "real", "double precision"),
        "integer": ("integer", "bigint", "numeric", "double precision"),
        "bigint": ("bigint", "numeric"),
        "numeric": ("numeric",),
        "real": ("real", "double precision"),
        "double precision": ("double precision",),
        "text": ("text", "character varying"),
        "bytea": ("bytea",),
        "date": ("date",),
        "time": ("time without time zone",),
        "timestamptz": ("timestamp with time zone",),
        "timestamp": ("timestamp without time zone",),
    }
)
"""Types of columns, as the catalogue names them, that take all values of one of ours unchanged."""

_MOST_COLUMNS = 1600
_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


def column_type(kind: pa.DataType) -> str | None:
    """The type of the column that holds an Arrow type; None: there is none.

    >>> column_type(pa.float32()), column_type(pa.list_(pa.int64()))
    ('real', None)
    """
    kind = plain_type(kind)
    if is_text(kind) or pt.is_null(kind):
        return "text"
    if pt.is_timestamp(kind):
        return "timestamp" if kind.tz is None else "timestamptz"
    for found, tests in (
        ("boolean", (pt.is_boolean,)),
        ("smallint", (pt.is_int8, pt.is_uint8, pt.is_int16)),
        ("integer", (pt.is_uint16, pt.is_int32)),
        ("bigint", (pt.is_uint32, pt.is_int64)),
        ("numeric", (pt.is_uint64, pt.is_decimal128, pt.is_decimal256)),
        ("real", (pt.is_float16, pt.is_float32)),
        ("double precision", (pt.is_float64,)),
        ("bytea", (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary)),
        ("date", (pt.is_date,)),
        ("time", (pt.is_time,)),
    ):
        if any(test(kind) for test in tests):
            return found
    return None


def check_columns(schema: pa.Schema) -> None:
    """Refuse columns that a table can't hold.

    Raises
    ------
    DataError
        Some are lists, structs and the like, or have names that are none in PostgreSQL.
    """
    odd = [f"{field.name} ({field.type})" for field in schema if column_type(field.type) is None]
    if odd:
        raise DataError(
            f"a table of PostgreSQL can't hold {listing(odd)}; write Parquet, or leave them out of 'keep'"
        )
    for name in schema.names:
        fault = "is a name that PostgreSQL keeps for itself" if name in _SYSTEM else name_fault(name)
        if fault is not None:
            raise DataError(f"the column {name!r} {fault}; choose another name for it")
    if len(schema) > _MOST_COLUMNS:
        raise DataError(f"a table of PostgreSQL has {_MOST_COLUMNS:,} columns at most, not {len(schema):,}")


def to_copy(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows as they are copied into a table of this schema; dictionaries of text stay such."""
    arrays = [_to_copy(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)


def _to_copy(column: pa.Array, promised: pa.DataType) -> pa.Array:
    column = plain(column)
    kind = column.type
    if pt.is_null(kind):
        return column.cast(pa.string() if pt.is_null(plain_type(promised)) else plain_type(promised))
    if pt.is_date64(kind):
        return column.cast(pa.date32())
    if pt.is_timestamp(kind) and kind.unit == "ns":
        # the instant alone counts, and to cut it needs no zone
        instant = column.view(pa.timestamp("ns"))
        floored = pc.floor_temporal(instant, unit="microsecond").cast(pa.timestamp("us"))
        return floored.view(pa.timestamp("us", kind.tz))
    if pt.is_time64(kind) and kind.unit == "ns":
        return column.cast(pa.time64("us"), safe=False)
    return column
