"""How the columns of a table or query are read: what is asked for, and what its values become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.errors import DataError
from engine.runtime.io.postgres.names import quoted

# A day of 4714 BC is the first that PostgreSQL knows. What its driver makes of 'infinity', and of times
# that don't fit into 64 bits of µs since 1970, lies before it.
_FIRST_DAY = -2_440_588
_FIRST_TIME = _FIRST_DAY * 86_400_000_000

# As the server names them; what is cast there comes as it can be used.
_CASTS = {"bpchar": "text", "money": "numeric", "oid": "bigint"}


@dataclass(frozen=True)
class Column:
    """A column that can be read.

    Parameters
    ----------
    name : str
    sql : str
        What gives it, in a list of SELECT.
    type : pyarrow.DataType
        Of the values that `read` gives.
    read : callable
        Makes of an array, as the driver gives it, one of ``type``.
    """

    name: str
    sql: str
    type: pa.DataType
    read: Callable[[pa.Array], pa.Array]


def column_of(field: pa.Field) -> Column:
    """How a column is read that the driver describes so.

    Numbers of type ``numeric`` are float64, as ``float(Decimal)`` rounds; types that only the server can
    print, such as enumerations, UUIDs and JSON, are text.
    """
    told = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    name = quoted(field.name)
    if told in ("numeric", "money"):
        cast = f"::{_CASTS[told]}" if told in _CASTS else ""
        return Column(field.name, f"{name}{cast} AS {name}" if cast else name, pa.float64(), _numbers)
    if told in _CASTS:
        kind = pa.int64() if _CASTS[told] == "bigint" else pa.string()
        return Column(field.name, f"{name}::{_CASTS[told]} AS {name}", kind, _same)
    if isinstance(field.type, pa.BaseExtensionType):
        return Column(field.name, f"{name}::text AS {name}", pa.string(), _same)
    if pt.is_timestamp(field.type) or pt.is_date(field.type):
        return Column(field.name, name, field.type, _Times(field.name))
    return Column(field.name, name, field.type, _same)


def _same(array: pa.Array) -> pa.Array:
    return array


def _numbers(array: pa.Array) -> pa.Array:
    text = array.storage if isinstance(array, pa.ExtensionArray) else array
    return pc.cast(text, pa.float64())


@dataclass(frozen=True)
class _Times:
    name: str

    def __call__(self, array: pa.Array) -> pa.Array:
        day = pt.is_date(array.type)
        least = pc.min(array.view(pa.int32() if day else pa.int64())).as_py()
        if least is not None and least < (_FIRST_DAY if day else _FIRST_TIME):
            name = quoted(self.name)
            raise DataError(
                f"the column '{self.name}' holds 'infinity' or a time beyond what can be scored; "
                f"read it by a query that says what it stands for, as NULLIF({name}, 'infinity')"
            )
        return array
