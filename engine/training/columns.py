"""Columns of a labelled table that are no inputs: the target's, the split's, weights and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.decode import TableDecoder, json_cells
from engine.decode.arrow import fits, is_text, plain_type
from engine.errors import DataError, did_you_mean, listing
from engine.schema import Input, Kind
from engine.values import NAT, Categories, FloatArray, IntArray, Values


def read_columns(
    table: pa.Table,
    names: Sequence[str],
    known: Mapping[str, Kind],
    *,
    text: bool,
    where: str,
    strict: bool = False,
) -> dict[str, tuple[Kind, Values]]:
    """Columns by name, each with its kind.

    Parameters
    ----------
    table : pyarrow.Table
    names : sequence of str
    known : mapping of str to Kind
        Kinds that the pipeline's inputs declare; others follow from the Arrow type, or from the text.
    text : bool
        Every column is text to parse, as a CSV file's are.
    where : str
        The key of the config that names them, for messages.
    strict : bool
        Whether a value that is not of the kind is a mistake; else it is missing.

    Raises
    ------
    DataError
        There is no such column, or it is of a type without a kind, or (``strict``) a value is not of it.
    """
    found: dict[str, tuple[Kind, Values]] = {}
    for name in names:
        if name not in table.schema.names:
            raise DataError(
                f"{where}: there is no column {name!r} in the labelled table."
                f"{did_you_mean(name, table.schema.names)}\n"
                f"  columns there: {listing(table.schema.names, 40)}"
            )
        kind = known.get(name) or _kind_of(table, name, text=text, where=where)
        item = Input(name, Kind.NUMBER if kind is Kind.BOOLEAN else kind)
        decoded = TableDecoder([item], None, None, parse_text=text).decode(table.select([name]))
        if decoded.bad and strict:
            first, count = decoded.bad[0], len(decoded.bad)
            more = f"; so are {count - 1:,} more rows" if count > 1 else ""
            raise DataError(f"{where}: row {first.row}: {first.message}{more}")
        values = decoded.columns[name]
        found[name] = (kind, values)
    return found


def read_weights(
    name: str, table: pa.Table, known: Mapping[str, Kind], used: NDArray[Any], *, text: bool
) -> FloatArray:
    """What each row weighs, ``(n,)``; it is looked at in the rows ``used``.

    Raises
    ------
    DataError
        A weight is missing, infinite or negative.
    """
    kind, values = read_columns(table, [name], known, text=text, where="weight")[name]
    if isinstance(values, Categories) or kind is Kind.TIMESTAMP:
        raise DataError(f"weight: {name!r} is a {kind}; expected a number")
    if not (np.isfinite(values[used]).all() and (values[used] >= 0).all()):
        raise DataError(
            f"weight: {name!r} has missing, infinite or negative values; expected numbers from 0 up"
        )
    return np.asarray(values, np.float64)


def read_groups(
    name: str, table: pa.Table, known: Mapping[str, Kind], used: NDArray[Any], *, text: bool
) -> IntArray:
    """The number of each row's group, ``(n,)``, likewise.

    Raises
    ------
    DataError
        A row has no group.
    """
    _, values = read_columns(table, [name], known, text=text, where="group")[name]
    gone = int(is_missing(values)[used].sum())
    if gone:
        raise DataError(
            f"group: {name!r} is missing in {gone:,} of {len(used):,} labelled rows; each row needs its group"
        )
    flat = values.codes if isinstance(values, Categories) else values
    return np.unique(flat, return_inverse=True)[1].astype(np.int64)


def _kind_of(table: pa.Table, name: str, *, text: bool, where: str) -> Kind:
    if text:
        return _kind_of_text(table, name)
    field = table.schema.field(name)
    if json_cells.is_marked(field) and is_text(field.type):
        item = Input(name, Kind.TIMESTAMP, invalid="reject")
        are_times = not TableDecoder([item], None, None).decode(table.select([name])).bad
        return Kind.TIMESTAMP if are_times and table.column(name).null_count < len(table) else Kind.CATEGORY
    found = plain_type(field.type)
    if pt.is_boolean(found):
        return Kind.BOOLEAN
    for kind in (Kind.NUMBER, Kind.TIMESTAMP, Kind.CATEGORY):
        if fits(kind, found):
            return kind
    raise DataError(
        f"{where}: the column {name!r} is of type {found}; expected numbers, text, timestamps or booleans"
    )


def _kind_of_text(table: pa.Table, name: str) -> Kind:
    """A CSV column's kind: the first of boolean, number, timestamp that every cell is."""
    column = table.column(name)
    cells = {value for value in column.unique().to_pylist() if value}
    if cells and cells <= {"true", "false", "True", "False", "TRUE", "FALSE"}:
        return Kind.BOOLEAN
    for kind in (Kind.NUMBER, Kind.TIMESTAMP):
        item = Input(name, kind, invalid="reject")
        if not TableDecoder([item], None, None, parse_text=True).decode(table.select([name])).bad:
            return kind
    return Kind.CATEGORY


def is_missing(values: Values) -> Any:
    """Where a column has no value: bool array ``(n,)``."""
    if isinstance(values, Categories):
        return values.codes == 0
    if values.dtype == np.int64:
        return values == NAT
    return np.isnan(values)
