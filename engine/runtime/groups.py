"""Batches cut between groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.answer.groups import Runs, read_runs, twice
from engine.errors import ConfigError, DataError, Mistake
from engine.plan.flow import grouping
from engine.plan.plan import Plan
from engine.runtime.io.files import reason
from engine.schema import Input
from engine.source import Source


def check_grouping(plan: Plan) -> None:
    """Refuse stages whose groups a batch can't know.

    Raises
    ------
    ConfigError
    """
    mistakes = [
        Mistake(
            f"stages.{planned.label}.by",
            f"is needed in a batch: {planned.stage.use!r} needs the rows of a group together",
            (f"such as: stages.{planned.label}.by=NAME, an input by which the source is sorted",),
        )
        for planned, by in grouping(plan)
        if by is None
    ]
    if mistakes:
        raise ConfigError(mistakes)


def whole_groups(
    inputs: Sequence[Input], source: Source, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The same rows, in batches that end where a group of each of these inputs ends.

    The rows of a batch's last group wait for the next batch. The values that were seen are remembered, so the
    memory it takes grows with the number of groups, and with the greatest of them.

    Raises
    ------
    DataError
        A group comes again after another.
    """
    seen = _Seen(inputs)
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        cuts = seen.begun(source, batch)
        if cuts:
            cut = max(cuts)
            ready = _joined([*waiting, batch.slice(0, cut)])
            if ready is not None:
                yield ready
            waiting = [batch.slice(cut)]
        else:
            waiting.append(batch)
    ready = _joined(waiting)
    if ready is not None:
        yield ready


def group_starts(inputs: Sequence[Input], source: Source, batches: Iterable[pa.RecordBatch]) -> Iterator[int]:
    """The rows, counted from 0, at which a group of each of these inputs begins; memory as of `whole_groups`.

    Raises
    ------
    DataError
        A group comes again after another.
    """
    seen = _Seen(inputs)
    for batch in batches:
        before = seen.rows
        for start in sorted(seen.begun(source, batch)):
            yield before + start


class _Seen:
    """The groups that were seen, of each input."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.rows = 0
        self._inputs = inputs
        self._keys: dict[str, set[Any]] = {item.name: set() for item in inputs}
        self._last: dict[str, Any] = {}

    def begun(self, source: Source, batch: pa.RecordBatch) -> set[int]:
        """Where groups of all inputs begin in the next batch."""
        cuts: set[int] | None = None
        for runs in read_runs(self._inputs, batch, text=source.text):
            begun = _begun(runs, self._keys[runs.by], self._last, source, self.rows)
            cuts = begun if cuts is None else cuts & begun
        self.rows += batch.num_rows
        return cuts or set()


def _begun(runs: Runs, seen: set[Any], last: dict[str, Any], source: Source, done: int) -> set[int]:
    """Where groups begin in a batch; what they are is added to what was seen."""
    begun = set()
    for start, key in zip(runs.starts.tolist(), runs.keys, strict=True):
        if runs.by in last and last[runs.by] == key:
            continue  # the batch before ended in this group
        if key in seen:
            raise twice(source.place(done + start), runs.by, key)
        seen.add(key)
        last[runs.by] = key
        begun.add(start)
    return begun


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch | None:
    """Batches as one; their columns' types may differ as those of files and of dictionaries do."""
    parts = [part for part in parts if part.num_rows]
    if len(parts) < 2:
        return parts[0] if parts else None
    tables = [pa.Table.from_batches([part]) for part in parts]
    for place, name in enumerate(parts[0].schema.names):
        kinds = {table.schema.field(name).type for table in tables}
        if len(kinds) > 1 and any(pt.is_dictionary(kind) or pt.is_binary(kind) for kind in kinds):
            plain = [_plainly(table.column(name)) for table in tables]
            raw = any(pt.is_binary(column.type) for column in plain)
            plain = [column.cast(pa.binary()) if raw else column for column in plain]
            tables = [t.set_column(place, name, column) for t, column in zip(tables, plain, strict=True)]
    try:
        table = pa.concat_tables(tables, promote_options="permissive").unify_dictionaries().combine_chunks()
    except pa.ArrowException as error:
        raise DataError(
            f"a group's rows lie in files whose columns can't be put together: {reason(error)}; "
            "write those columns in one type"
        ) from None
    batches = table.to_batches()
    if len(batches) != 1:
        raise DataError(f"a group has {table.num_rows:,} rows, which are too many to be held together")
    return batches[0]


def _plainly(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column
