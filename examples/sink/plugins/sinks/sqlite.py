"""A table of an SQLite file to write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.errors import DataError, listing
from engine.runtime.io.sink import FileSink
from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("sqlite")
class SqliteSink(SinkPlugin):
    """A table in a new SQLite file (https://sqlite.org/fileformat.html), there only when it is complete.

    A boolean is 0 or 1, a time RFC 3339 text in UTC, a missing number null.

    Examples
    --------
    >>> SqliteSink(path="alarms.sqlite")
    SqliteSink(path='alarms.sqlite', mode='error', table='scores')
    """

    extensions = (".sqlite",)

    path: str = option(help="the file; without an extension a folder of files")
    mode: Mode = option("error", help="what happens to what is already there")
    table: str = option("scores", help="the table")

    def check(self) -> Iterable[str]:
        if not self.table or self.table.startswith("sqlite_"):
            yield f"table: {self.table!r} can't be the name of a table"

    def open(self) -> Sink:
        part = partial(Part, table=self.table)
        return FileSink(Path(self.path), ".sqlite", part, check_columns, mode=self.mode)


def check_columns(schema: pa.Schema) -> None:
    """Refuse columns that are no numbers, text or times, and names that SQLite takes for one.

    Raises
    ------
    DataError
    """
    odd = [f"{field.name} ({field.type})" for field in schema if not _is_held(field.type)]
    if odd:
        raise DataError(
            f"an SQLite file can't hold {listing(odd)}; write Parquet, or leave them out of 'keep'"
        )
    names = [name.lower() for name in schema.names]
    twice = [name for name in schema.names if names.count(name.lower()) > 1]
    if twice:
        raise DataError(f"to SQLite {listing(twice)} are one column: rename one, or leave it out of 'keep'")


class Part:
    """Writes one file.

    Parameters
    ----------
    file : Path
    schema : pyarrow.Schema
    table : str
    """

    def __init__(self, file: Path, schema: pa.Schema, table: str) -> None:
        self._file = file
        columns = ", ".join(f"{_quoted(field.name)} {_declared(field.type)}" for field in schema)
        places = ", ".join("?" * len(schema))
        self._insert = f"insert into {_quoted(table)} values ({places})"
        with self._writing():
            # batches come one at a time, but from several threads
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            # nobody reads the file before it is whole, and FileSink sees that it is on the disk
            self._connection.execute("pragma journal_mode = off")
            self._connection.execute("pragma synchronous = off")
            self._connection.execute("begin")
            self._connection.execute(f"create table {_quoted(table)} ({columns})")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with self._writing():
            self._connection.executemany(self._insert, zip(*map(_cells, batch.columns), strict=True))

    def close(self) -> None:
        """Write what is left."""
        with self._writing():
            self._connection.execute("commit")
            self._connection.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        with suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(f"{self._file}: can't be written: {error}") from None


def _is_held(kind: pa.DataType) -> bool:
    return bool(
        pt.is_boolean(kind)
        or (pt.is_integer(kind) and not pt.is_uint64(kind))
        or pt.is_floating(kind)
        or pt.is_string(kind)
        or pt.is_large_string(kind)
        or pt.is_timestamp(kind)
    )


def _declared(kind: pa.DataType) -> str:
    if pt.is_timestamp(kind):
        return "timestamp"
    # a column of numbers is of no type: one that is declared as real loses the sign of zero
    return "text" if pt.is_string(kind) or pt.is_large_string(kind) else ""


def _cells(column: pa.Array) -> list[Any]:
    if not pt.is_timestamp(column.type):
        return list(column.to_pylist())
    utc = column.cast(pa.timestamp("us", "UTC"), safe=False).to_pylist()
    return [time and time.isoformat(timespec="microseconds").replace("+00:00", "Z") for time in utc]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
