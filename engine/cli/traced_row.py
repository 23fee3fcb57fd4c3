"""The row that ``engine trace`` is asked about: typed as JSON, or one of a source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from engine.cli.open import Opened
from engine.cli.output import tell
from engine.decode import TableDecoder
from engine.errors import ConfigError, DataError, Mistake, did_you_mean
from engine.pipeline import Pipeline
from engine.plan.build import registry_for
from engine.runtime.io import open_source
from engine.schema import Kind
from engine.values import FIRST, NAT, Categories, Values

_BATCH = 65_536
_SUCH = """such as row='{"NAME": 12, "OTHER": "text"}', or row=7 with source.path=PATH"""
_INFINITE = {"inf": float("inf"), "-inf": float("-inf")}


def traced_row(opened: Opened, pipeline: Pipeline, typed: str | None) -> Mapping[str, Any]:
    """The row as `Pipeline.predict_one` takes it.

    Parameters
    ----------
    opened : Opened
    pipeline : Pipeline
    typed : str or None
        What was typed for ``row``; None: what a file of the config says.

    Raises
    ------
    ConfigError
        It isn't a JSON object, nor the number of a row of a source that is given.
    DataError
        The source has no such row.
    """
    value = opened.config["row"] if typed is None else _parsed(typed)
    source = opened.config["source"]
    given = isinstance(source, Mapping) and source.get("path") is not None
    if isinstance(value, Mapping):
        if given:
            note = "remove source, or give the number of one of its rows: row=7"
            raise ConfigError(
                [Mistake("source", "is given, and the row is typed: nothing would be read", (note,))]
            )
        return _typed(pipeline, value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        found = "is not given" if value is None else f"is no JSON object and no number from 0: {value!r}"
        raise ConfigError([Mistake("row", found, (_SUCH,))])
    if not given:
        raise ConfigError([Mistake("source.path", f"row={value} is a row of a source", (_SUCH,))])
    return _read(opened, pipeline, value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise ConfigError([Mistake("row", f"can't be read as JSON: {reason}", (_SUCH,))]) from None


def _typed(pipeline: Pipeline, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row that was typed; JSON has infinite numbers as texts."""
    numbers = {item.name for item in pipeline.plan.inputs if item.kind is Kind.NUMBER}
    known = [*(item.name for item in pipeline.plan.inputs), *pipeline.plan.keep]
    for name in row:
        if name not in known:
            tell(f"row: {name!r} is no input, and is ignored.{did_you_mean(name, known)}")
    return {
        str(name): _INFINITE.get(value, value) if name in numbers and isinstance(value, str) else value
        for name, value in row.items()
    }


def _read(opened: Opened, pipeline: Pipeline, number: int) -> dict[str, Any]:
    """A row of the source."""
    config = opened.config
    source = open_source(config["source"], registry_for(config), config.set_by)
    pipeline.check_schema(source.schema, str(source.path), text=source.text)
    wanted = {*(item.name for item in pipeline.plan.inputs), *pipeline.plan.keep}
    columns = [name for name in source.schema.names if name in wanted]
    before = 0
    for batch in source.batches(columns, _BATCH):
        if number < before + batch.num_rows:
            return _values(pipeline, batch.slice(number - before, 1), source.text)
        before += batch.num_rows
    raise DataError(
        f"{source.path}: there is no row {number:,}; it holds {before:,} rows, the first is row=0"
    )


def _values(pipeline: Pipeline, row: pa.RecordBatch, text: bool) -> dict[str, Any]:
    """A row of a table: what can be decoded is, so that it is read as a batch reads it."""
    decoded = TableDecoder(pipeline.plan.inputs, None, None, parse_text=text).decode(row)
    refused = {bad.column for bad in decoded.bad}
    found = {name: _cell(row.column(name)[0]) for name in row.schema.names}
    for name, values in decoded.columns.items():
        if name not in refused:
            found[name] = _value(values)
    return found


def _value(values: Values) -> Any:
    if isinstance(values, Categories):
        code = int(values.codes[0])
        return values.texts[code - FIRST] if code >= FIRST else None
    value = values[0].item()
    return None if value != value or value == NAT else value


def _cell(scalar: Any) -> Any:
    """A kept value, or one that its input refuses."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # nanoseconds, or a time outside of datetime's
        return str(scalar)
