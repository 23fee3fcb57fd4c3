"""The caller's sample: as a table for the engine, as a frame for scikit-learn, and what kinds it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.answer.frames import pandas_table
from engine.convert_sklearn.refuse import Refused
from engine.errors import did_you_mean, listing
from engine.schema import INPUT_KINDS, Kind


def as_table(sample: Any) -> pa.Table:
    """The sample as a table.

    Raises
    ------
    TypeError
        It is neither a frame of pandas nor a table.
    """
    if isinstance(sample, pa.RecordBatch):
        sample = pa.Table.from_batches([sample])
    if not isinstance(sample, pa.Table) and type(sample).__module__.partition(".")[0] != "pandas":
        raise TypeError(
            "sample must be a pandas DataFrame or a pyarrow.Table with rows such as the pipeline was fitted "
            f"on, not {type(sample).__name__}"
        )
    table = sample if isinstance(sample, pa.Table) else pandas_table(sample, list(sample.columns))
    if not table.num_rows:
        raise ValueError("sample has no rows, so nothing can be compared; a few thousand are best")
    return table


def as_frame(sample: Any, columns: Sequence[str]) -> Any:
    """The sample as scikit-learn takes it: the columns that it was fitted on, in their order."""
    if isinstance(sample, pa.Table | pa.RecordBatch):
        return pa.table(sample.select(list(columns))).to_pandas()
    return sample[list(columns)]


def columns_of(fitted: Any, table: pa.Table) -> tuple[str, ...]:
    """The columns that the pipeline was fitted on.

    Raises
    ------
    Refused
        The sample lacks some.
    """
    names = getattr(fitted, "feature_names_in_", None)
    if names is None:  # fitted on an array: the sample's columns count by their places
        width = getattr(fitted, "n_features_in_", table.num_columns)
        if width != table.num_columns:
            raise Refused(
                f"it was fitted on an array of {width} columns, and the sample has {table.num_columns}",
                "give the sample the same columns in the same order",
            )
        return tuple(table.column_names)
    lacking = [name for name in names if name not in table.column_names]
    if lacking:
        raise Refused(f"the sample lacks columns that it was fitted on: {listing(lacking)}")
    return tuple(map(str, names))


def kinds_of(
    inputs: Mapping[str, Any] | None, columns: Sequence[str], table: pa.Table
) -> tuple[dict[str, Any], list[Refused]]:
    """What the config says of each column, stated or by the sample's types, and what is wrong with it."""
    stated = dict(inputs or {})
    wrong = [
        Refused(
            f"inputs names {name!r}, which the pipeline wasn't fitted on.{did_you_mean(name, columns)}",
            f"it was fitted on: {listing(columns)}",
        )
        for name in stated
        if name not in columns
    ]
    found: dict[str, Any] = {}
    for name in columns:
        given = stated.get(name, _kind(table.schema.field(name).type))
        kind = given.get("kind") if isinstance(given, Mapping) else given
        if given is None and name not in stated:
            continue  # wrong only if it is used
        if kind not in [str(one) for one in INPUT_KINDS]:
            kinds = listing([str(one) for one in INPUT_KINDS])
            wrong.append(Refused(f"inputs[{name!r}] is {given!r}; a kind is one of: {kinds}"))
            continue
        found[name] = given
    return found, wrong


def kind_of(given: Any) -> Kind:
    """The kind in what a config says of an input."""
    return Kind(given["kind"] if isinstance(given, Mapping) else given)


def _kind(kind: pa.DataType) -> str | None:
    if pt.is_dictionary(kind):
        kind = kind.value_type
        return "category" if pt.is_string(kind) or pt.is_large_string(kind) else None
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return "category"
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind) or pt.is_boolean(kind):
        return "number"
    return "timestamp" if pt.is_timestamp(kind) or pt.is_date(kind) else None
