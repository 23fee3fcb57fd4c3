"""Whether two tables hold the same rows: the same values, to the bit, however each encodes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.decode import TableDecoder, json_cells
from engine.decode.arrow import fits, plain_text
from engine.errors import DataError, listing
from engine.schema import Input, Kind

KINDS = (Kind.NUMBER, Kind.TIMESTAMP, Kind.TEXT)


def exact(value: Any) -> Any:
    """A value that equals another only when their bits are the same; every NaN is one."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return value


def kind_of(arrow: pa.DataType) -> Kind | None:
    """The kind of input that a column of this type can be; None: of no kind."""
    return None if pt.is_null(arrow) else next((kind for kind in KINDS if fits(kind, arrow)), None)


def difference(found: pa.Table, wanted: pa.Table, *, text: bool = False) -> str | None:
    """The first difference between two tables, as a sentence; None: there is none.

    Columns of one type are compared value by value. Otherwise they hold the same if, as an input of the kind
    that ``wanted`` suggests, they have the same bits: 1 and 1.0, or a text and a dictionary of it. Null and
    NaN are missing, both.

    Parameters
    ----------
    found, wanted : pyarrow.Table
    text : bool
        Every column of ``found`` is text to parse.

    Examples
    --------
    >>> difference(pa.table({"x": ["1", "3"]}), pa.table({"x": [1.0, 2.0]}), text=True)
    "row 1 of the column 'x' is 3.0 and not 2.0"
    """
    if found.column_names != wanted.column_names:
        names = listing(map(repr, found.column_names)), listing(map(repr, wanted.column_names))
        return f"the columns are {names[0]} and not {names[1]}"
    if found.num_rows != wanted.num_rows:
        return f"there are {found.num_rows:,} rows and not {wanted.num_rows:,}"
    for i, name in enumerate(wanted.column_names):
        said = _column(f"the column {name!r}", found.select([i]), wanted.column(i), text)
        if said is not None:
            return said
    return None


def held(check_columns: Callable[[pa.Schema], None], rows: pa.Table) -> pa.Table:
    """The columns that a sink doesn't refuse."""

    def refused(field: pa.Field) -> bool:
        try:
            check_columns(pa.schema([field]))
        except DataError:
            return True
        return False

    return rows.select([field.name for field in rows.schema if not refused(field)])


def _column(name: str, table: pa.Table, wanted: pa.ChunkedArray, text: bool) -> str | None:
    kind, field, found = kind_of(wanted.type), table.schema.field(0), table.column(0)
    by_cell = text or json_cells.is_marked(field)
    if found.type == wanted.type:
        pairs = found.to_pylist(), wanted.to_pylist()
    elif kind is not None and (by_cell or fits(kind, found.type)):
        pairs = _values(found, kind, text, field), _values(wanted, kind, False)
    elif by_cell:
        return None  # a list as text may be written in many ways
    else:
        return f"{name} is {found.type} and not {wanted.type}"
    for row, (a, b) in enumerate(zip(*pairs, strict=True)):
        if exact(a) != exact(b) and not (_is_missing(a) and _is_missing(b)):
            return f"row {row:,} of {name} is {a!r} and not {b!r}"
    return None


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _values(column: pa.ChunkedArray, kind: Kind, text: bool, field: pa.Field | None = None) -> list[Any]:
    """The values as an input of this kind has them; what is none stands for itself."""
    if kind is Kind.TEXT:
        values = [value for chunk in column.chunks for value in plain_text(chunk).to_pylist()]
        return [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
    decoder = TableDecoder([Input("x", kind)], parse_text=text)
    schema = None if field is None else pa.schema([field.with_name("x")])
    decoded = decoder.decode(pa.table({"x": column}, schema=schema))
    plain: list[Any] = decoded.columns["x"].tolist()  # type: ignore[union-attr]
    for bad in decoded.bad:
        plain[bad.row] = bad.message
    return plain
