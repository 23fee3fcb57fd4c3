"""A labelled source read as one table: the columns that fit or evaluate needs, and no others."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as pt

from engine.cli.progress import Progress
from engine.config.config import Config
from engine.decode import TableDecoder
from engine.errors import ConfigError, DataError, Mistake, did_you_mean, listing
from engine.plan.build import registry_for
from engine.plan.plan import Plan
from engine.runtime.io import Source, open_source

_BATCH = 65_536


def read_labelled(
    plan: Plan, config: Config, progress: Progress, keys: Sequence[str]
) -> tuple[pa.Table, bool]:
    """The inputs of a plan, and the columns that some of its keys name.

    Parameters
    ----------
    plan : Plan
    config : Config
    progress : callable
    keys : sequence of str
        ``target``, ``split.column``, ``weight``, ``group``, ``keep``.

    Returns
    -------
    pyarrow.Table
    bool
        Whether every column is text to parse.

    Raises
    ------
    ConfigError
        There is no target, or no source.
    DataError
        The source can't be read, or lacks a column.
    """
    if plan.target is None:
        note = "add target.column=NAME, or 'target.value=\"price > 10\"'"
        raise ConfigError([Mistake("target", "the pipeline doesn't say what is learned", (note,))])
    source = open_source(config["source"], registry_for(config), config.set_by)
    TableDecoder(plan.inputs, None, None, parse_text=source.text).check_schema(
        source.schema, str(source.path)
    )
    present = source.schema.names
    wanted = dict.fromkeys(item.name for item in plan.inputs if item.name in present)
    for key, columns in _named(plan).items():
        if key in keys:
            _check_there(key, columns, source)
            wanted.update(dict.fromkeys(columns))
    return _table(source, list(wanted), progress), source.text


def _named(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The columns that each key of a plan names, besides its inputs."""
    found = {
        "target": plan.target.reads if plan.target is not None else (),
        "split.column": (plan.split.column,),
        "weight": (plan.weight,),
        "group": (plan.group,),
        "keep": plan.keep,
    }
    return {key: tuple(name for name in columns if name) for key, columns in found.items()}


def _check_there(key: str, columns: Sequence[str], source: Source) -> None:
    present = source.schema.names
    for name in columns:
        if name not in present:
            raise DataError(
                f"{source.path}: there is no column {name!r}, which {key} names."
                f"{did_you_mean(name, present)}\n  columns there: {listing(present, 40)}"
            )


def _table(source: Source, columns: Sequence[str], progress: Progress) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    done = 0
    for batch in source.batches(columns, _BATCH):
        batches.append(batch)
        done += batch.num_rows
        progress(done, source.rows or 0, "rows read")
    if not batches:
        return pa.schema([source.schema.field(name) for name in columns]).empty_table()
    # a CSV file's column is binary in those batches where some of it is no UTF-8
    raw = (
        {f.name for batch in batches for f in batch.schema if pt.is_binary(f.type)} if source.text else set()
    )
    parts = [_as_binary(pa.Table.from_batches([batch]), raw) for batch in batches]
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source.path}: its files can't be read as one table: {reason}") from error


def _as_binary(table: pa.Table, names: set[str]) -> pa.Table:
    for place, name in enumerate(table.schema.names):
        if name in names:
            table = table.set_column(place, name, table.column(name).cast(pa.binary()))
    return table
