"""A source on the bench: over what its author says is there, or over rows that are written for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.runtime.io.options import bind_source, open_sink
from engine.source import Source, SourcePlugin
from engine.testing.options import SectionBench
from engine.testing.outcome import CheckFailedError, NotCheckedError, described, running
from engine.testing.rows import difference, held
from engine.testing.samples import ordinary

Write = Callable[[Path, pa.Table], object]
"""Writes rows to a file in the source's format."""

READ = "whatever it was opened for, it can be read: from any thread, as often as asked, in any batches"


@dataclass(frozen=True)
class Place:
    """Something to read, and the rows that are there.

    Parameters
    ----------
    section : mapping
        The section ``source`` of a config.
    rows : pyarrow.Table
    """

    section: Mapping[str, Any]
    rows: pa.Table


@dataclass(eq=False)
class SourceBench(SectionBench):
    """A source under test.

    Parameters
    ----------
    rows : pyarrow.Table, optional
        The rows that are there, or are to be written.
    write : callable, optional
        How they are written; left out: by the sink of the same name, if there is one.
    """

    section = "source"
    taken = ("use",)
    binder = staticmethod(bind_source)

    cls: type[SourcePlugin]
    rows: pa.Table | None = None
    write: Write | None = None

    @cached_property
    def full(self) -> Place:
        """A place with rows.

        Raises
        ------
        NotCheckedError
        """
        if not self._is_written:
            if self.rows is None:
                raise NotCheckedError("see 'opens'")
            return Place(self.stated(), self.rows)
        return self.written("rows", self._generated if self.rows is None else self.rows)

    @property
    def lacking(self) -> str | None:
        """What the author should give so that there is something to read."""
        if self.rows is not None or (self._is_written and self._writer is not None):
            return None
        if self._is_written:
            return "write=…, a function of a path and of rows that writes them in its format"
        return "rows=…, those that are where its options say"

    @property
    def _is_written(self) -> bool:
        """Whether the bench chooses where the rows lie."""
        return "path" in self.names and "path" not in self.options

    @property
    def usual(self) -> Mapping[str, Any]:
        """The section of the place with rows."""
        return self.full.section

    def path(self, name: str) -> Path:
        """A file of the source's, which nothing was written to."""
        return self.folder / f"{name}{next(iter(self.cls.extensions), '')}"

    def written(self, name: str, rows: pa.Table) -> Place:
        """A place to which these rows were written.

        Raises
        ------
        NotCheckedError
            Nobody can write them.
        """
        if self._writer is None:
            raise NotCheckedError("there is nobody to write rows for it: give write=…")
        path = self.path(name)
        self._writer(path, rows)
        return Place(self.stated(path=str(path)), rows)

    @cached_property
    def _generated(self) -> pa.Table:
        """Generated rows; of columns that the sink can hold which writes them."""
        if self.write is not None or self._sink is None:
            return ordinary()
        return held(open_sink(self._sink(self.path("held")), self.registry).check_columns, ordinary())

    @cached_property
    def _sink(self) -> Callable[[Path], dict[str, Any]] | None:
        """The section of the sink of the same name, by the path to write to."""
        section = self.shared("sink")
        return None if section is None else lambda path: {**section, "path": str(path)}

    @cached_property
    def _writer(self) -> Write | None:
        if self.write is not None or self._sink is None:
            return self.write
        section = self._sink

        def write(path: Path, rows: pa.Table) -> None:
            with open_sink(section(path), self.registry).open(rows.schema) as writer:
                for batch in rows.to_batches():
                    writer.write(batch)

        return write

    @cached_property
    def _opened(self) -> Source | Exception:
        try:
            return self.open(self.full)
        except Exception as error:
            return error

    @property
    def refusal(self) -> str | None:
        """Why it can't be read; None: it can."""
        if mistake := self.extension_mistake():
            return mistake
        try:
            self.full  # noqa: B018 - written when it is first asked for
        except NotCheckedError:
            raise
        except Exception as error:
            return (
                f"rows can't be written for it: {described(error)}; give others, or the columns that it has"
            )
        if isinstance(self._opened, Exception):
            where = ", ".join(f"{name}={value!r}" for name, value in self.usual.items() if name != "use")
            return f"it can't be opened with {where}: {described(self._opened)}"
        wanted: Mapping[str, Any] = {
            "path": Path | str,
            "schema": pa.Schema,
            "text": bool,
            "rows": int | None,
        }
        for name, kind in wanted.items():
            found = getattr(self._opened, name, NotImplemented)
            if not isinstance(found, kind):
                what = "nothing" if found is NotImplemented else repr(found)
                due = getattr(kind, "__name__", kind)
                return f"what open() gives has {what} as {name!r}; it must be {due}: see engine/source.py"
        return None

    @property
    def source(self) -> Source:
        """The source over `full`.

        Raises
        ------
        NotCheckedError
        """
        self.need_open()
        assert not isinstance(self._opened, Exception)
        return self._opened

    def need_open(self) -> None:
        """Leave a check where it can't be opened.

        Raises
        ------
        NotCheckedError
        """
        if self.refusal is not None:
            raise NotCheckedError("see 'opens'")

    def read_whole(self) -> pa.Table:
        """All that the source gives of `full`; an exception is a failure."""
        if isinstance(self._whole, CheckFailedError):
            raise self._whole
        return self._whole

    @property
    def whole(self) -> pa.Table:
        """The same, for checks to which another reading is to be equal.

        Raises
        ------
        NotCheckedError
            It can't be read at all.
        """
        if isinstance(self._whole, CheckFailedError):
            raise NotCheckedError("see 'rows'")
        return self._whole

    @cached_property
    def _whole(self) -> pa.Table | CheckFailedError:
        try:
            return read(self.source)
        except CheckFailedError as failed:
            return failed

    def open(self, place: Place) -> Source:
        """Another source, over any place."""
        opened: Source = self.bound(place.section).open()
        return opened


def read(
    source: Source,
    columns: Sequence[str] | None = None,
    batch_rows: int = 1000,
    coded: Sequence[str] = (),
    how: str = "read",
) -> pa.Table:
    """All rows of a source as a table; an exception is a failure."""
    with running(how, READ):
        return together(list(source.batches(columns, batch_rows, coded)), source, columns)


def together(batches: Sequence[pa.RecordBatch], source: Source, columns: Sequence[str] | None) -> pa.Table:
    """Batches as a table; without any, that of the source's columns."""
    if not batches:
        names = source.schema.names if columns is None else columns
        return pa.schema([source.schema.field(name) for name in names]).empty_table()
    for number, batch in enumerate(batches):
        if not isinstance(batch, pa.RecordBatch):
            raise CheckFailedError(f"batches() gives a {type(batch).__name__}; give pyarrow.RecordBatch")
        if batch.schema.names != batches[0].schema.names:
            raise CheckFailedError(
                f"batch {number} has the columns {batch.schema.names}, the first {batches[0].schema.names}; "
                "give all batches the columns that are asked for"
            )
    if not batches[0].schema.names:  # rows of no columns are counted all the same
        return pa.table({"": pa.nulls(sum(batch.num_rows for batch in batches))}).select([])
    tables = [_spelt_out(pa.Table.from_batches([batch])) for batch in batches]
    # a column may be of another type from file to file
    return pa.concat_tables(tables, promote_options="permissive")


def same(found: pa.Table, wanted: pa.Table, how: str, remedy: str) -> None:
    """Fail where two tables of a source differ."""
    said = difference(found, wanted)
    if said is not None:
        raise CheckFailedError(f"{how}, {said}; {remedy}")


def _spelt_out(table: pa.Table) -> pa.Table:
    columns = [
        column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column
        for column in table.columns
    ]
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))
