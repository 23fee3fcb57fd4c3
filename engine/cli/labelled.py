"""A labelled source read as one table: the columns that fit or evaluate needs, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class LabelledSource:
    """A source that has what is learned.

    Parameters
    ----------
    source : Source
    inputs : tuple of str
        The plan's inputs that are there.
    named : tuple of str
        The columns that keys of the config name.
    """

    source: Source
    inputs: tuple[str, ...]
    named: tuple[str, ...]

    def table(self, columns: Iterable[str], progress: Progress) -> pa.Table:
        """Some columns of all rows.

        Raises
        ------
        DataError
            They can't be read, or not put together.
        """
        return _table(self.source, list(dict.fromkeys(columns)), progress)

    def batches(self, columns: Iterable[str], progress: Progress) -> Iterator[pa.RecordBatch]:
        """The same rows, a batch at a time.

        Raises
        ------
        DataError
        """
        done = 0
        for batch in self.source.batches(list(dict.fromkeys(columns)), _BATCH):
            yield batch
            done += batch.num_rows
            progress(done, self.source.rows or 0, "rows scored")


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
    labelled = open_labelled(plan, config, keys)
    return labelled.table((*labelled.inputs, *labelled.named), progress), labelled.source.text


def open_labelled(
    plan: Plan, config: Config, keys: Sequence[str], more: Mapping[str, Sequence[str]] | None = None
) -> LabelledSource:
    """The source of labelled rows, its columns checked, nothing read yet.

    Parameters
    ----------
    plan : Plan
    config : Config
    keys : sequence of str
        As of `read_labelled`.
    more : mapping of str to sequence of str
        Further columns, by the key that names them.

    Raises
    ------
    ConfigError
    DataError
    """
    if plan.target is None:
        note = "add target.column=NAME, or 'target.value=\"price > 10\"'"
        raise ConfigError([Mistake("target", "the pipeline doesn't say what is learned", (note,))])
    source = open_source(config["source"], registry_for(config), config.set_by)
    TableDecoder(plan.inputs, None, None, parse_text=source.text).check_schema(
        source.schema, str(source.path)
    )
    present = source.schema.names
    named: dict[str, None] = {}
    for key, columns in {**_named(plan), **(more or {})}.items():
        if key in keys or key in (more or {}):
            _check_there(key, columns, source)
            named.update(dict.fromkeys(columns))
    inputs = tuple(item.name for item in plan.inputs if item.name in present)
    return LabelledSource(source, inputs, tuple(named))


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
        progress(done, source.rows or 0, "reading rows")
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
