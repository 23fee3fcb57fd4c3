"""A table or a query of PostgreSQL as rows to score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from engine.errors import DataError, did_you_mean
from engine.runtime.io.postgres.address import Address
from engine.runtime.io.postgres.columns import Column, column_of
from engine.runtime.io.postgres.names import Table
from engine.runtime.io.postgres.session import NO_TABLE, ServerError, reading


class PostgresSource:
    """The rows of a table or of a query, each time as they are when the reading begins.

    They are streamed, about 16 MB at a time, in one transaction that sees one state of the database.

    Parameters
    ----------
    address : Address
    rows_of : Table or str
        A table, or one SELECT.

    Raises
    ------
    DataError
        The server, the table or a column of the query isn't there, or may not be read.
    """

    text = False
    rows = None

    def __init__(self, address: Address, rows_of: Table | str) -> None:
        self.path = f"{address} {rows_of if isinstance(rows_of, Table) else 'query'}"
        self._address = address
        self._from = rows_of.sql if isinstance(rows_of, Table) else f"(\n{_bare(rows_of)}\n) AS query"
        try:
            with reading(address, self.path) as session:
                described = session.schema(f"SELECT * FROM {self._from}")
                session.rows(f"SELECT true FROM {self._from} LIMIT 0")  # to describe it, no right is needed
        except ServerError as error:
            hint = _near(address, rows_of) if error.code == NO_TABLE and isinstance(rows_of, Table) else ""
            raise ServerError(f"{error}{hint}", error.code) from None
        self._columns = [column_of(field) for field in described]
        self.schema = pa.schema([(column.name, column.type) for column in self._columns])

    def files(self) -> tuple[Path, ...]:
        """It reads none."""
        return ()

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most ``batch_rows`` at a time.

        Raises
        ------
        DataError
            A column isn't there or is there twice, or the server can't be read.
        """
        asked = self._asked(self.schema.names if columns is None else columns)
        # of no columns rows must be counted all the same
        listed = ", ".join(column.sql for column in asked) or "true"
        return self._read(asked, f"SELECT {listed} FROM {self._from}", batch_rows)

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message."""
        return f"{self.path}, row {row}"

    def _asked(self, names: Sequence[str]) -> list[Column]:
        counts = Counter(self.schema.names)
        for name in names:
            if not counts[name]:
                hint = did_you_mean(name, self.schema.names)
                raise DataError(f"{self.path}: there is no column '{name}'.{hint}")
            if counts[name] > 1:
                raise DataError(
                    f"{self.path}: {counts[name]} columns are named '{name}'; tell them apart by AS"
                )
        by_name = {column.name: column for column in self._columns}
        return [by_name[name] for name in names]

    def _read(self, asked: Sequence[Column], query: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in asked]
        with reading(self._address, self.path) as session:
            for found in session.batches(query):
                batch = found.select([]) if not asked else self._batch(asked, names, found)
                for start in range(0, batch.num_rows, batch_rows):
                    yield batch.slice(start, batch_rows)

    def _batch(self, asked: Sequence[Column], names: list[str], found: pa.RecordBatch) -> pa.RecordBatch:
        try:
            arrays = [column.read(array) for column, array in zip(asked, found.columns, strict=True)]
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None
        return pa.RecordBatch.from_arrays(arrays, names=names)


def _bare(query: str) -> str:
    return query.strip().removesuffix(";")


def _near(address: Address, table: Table) -> str:
    """A table of nearly that name."""
    with reading(address, str(address)) as session:
        found = session.rows(
            "SELECT n.nspname, c.relname, n.nspname = ANY (current_schemas(false)) FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2"
        )
    names = [name if here else f"{schema}.{name}" for schema, name, here in found]
    hint = did_you_mean(str(table), names)
    return f".{hint}" if hint else ""
