"""A connection to a server, whose errors are told in one line without user and password."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.postgres.address import Address
from engine.runtime.io.postgres.names import Table

UNIQUE_VIOLATION = "23505"
NO_TABLE = "42P01"
_LOCK_WAIT = "60s"


class ServerError(DataError):
    """What the server, or the way to it, says.

    Attributes
    ----------
    code : str
        The SQLSTATE, where there is one: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Session:
    """A connection, in a transaction unless it commits each statement by itself.

    Parameters
    ----------
    connection : adbc_driver_postgresql.dbapi.Connection
    where : str
        What messages call it.
    """

    def __init__(self, connection: Any, where: str) -> None:
        self._connection = connection
        self.where = where

    def rows(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Run a statement that gives rows; ``$1`` in it is the first of the values."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def value(self, statement: str, *values: str | int) -> Any:
        """The only value that a statement gives."""
        return self.rows(statement, *values)[0][0]

    def run(self, statement: str, *values: str | int) -> None:
        """Run a statement."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    def schema(self, query: str) -> pa.Schema:
        """The columns of a query; their types' names in the server are ``POSTGRESQL:type`` of their metadata."""
        with self._told(), self._connection.cursor() as cursor:
            return cursor.adbc_execute_schema(query)

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """The rows of a query as the server sends them, about 16 MB at a time."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(query)
            with cursor.fetch_record_batch() as reader:
                yield from reader

    def copy(self, table: Table, batch: pa.RecordBatch) -> None:
        """Append rows to a table that has these columns, of the types that `engine.runtime.io.postgres.types` gives."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(table.name, batch, mode="append", db_schema_name=table.schema)

    def commit(self) -> None:
        """End the transaction; the next statement begins another."""
        with self._told():
            self._connection.commit()

    def rollback(self) -> None:
        """Undo the transaction; the next statement begins another."""
        with self._told():
            self._connection.rollback()

    def close(self) -> None:
        """Undo what wasn't committed, and hang up."""
        with suppress(*_errors()):
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _errors() as error:
            raise _server_error(self.where, error) from None


def connect(address: Address, where: str, *, autocommit: bool = False, read_only: bool = False) -> Session:
    """A connection; with ``read_only`` all it reads is one state of the database.

    Raises
    ------
    ServerError
        There is none to be had.
    """
    from adbc_driver_postgresql import dbapi

    try:
        connection = dbapi.connect(address.complete, autocommit=autocommit)
    except _errors() as error:
        raise ServerError(f"{where}: {_refusal(str(error))}") from None
    session = Session(connection, where)
    try:
        if read_only:
            session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        else:
            session.run(f"SET lock_timeout = '{_LOCK_WAIT}'")
            if not autocommit:
                session.commit()  # undone, a transaction takes its settings with it
    except BaseException:
        session.close()
        raise
    return session


@contextmanager
def connected(address: Address, where: str, **how: bool) -> Iterator[Session]:
    """A connection for a block: what it didn't commit is undone."""
    session = connect(address, where, **how)
    try:
        yield session
    finally:
        session.close()


def _errors() -> tuple[type[Exception], ...]:
    from adbc_driver_manager import Error

    # rows that come as Arrow's stream raise what the system or Arrow would
    return (Error, OSError, pa.ArrowException)


_ADVICE = {
    "55P03": "another holds a lock on it; try again when that is done",
    "57014": "a time limit of the server or of its user was reached, or somebody stopped it",
    "42501": "ask who owns it for the right",
    "40001": "others wrote meanwhile; try again",
    "40P01": "others wrote meanwhile; try again",
    "53100": "make room on the server, then try again",
}


def _server_error(where: str, error: BaseException) -> ServerError:
    code = str(getattr(error, "sqlstate", None) or "")
    said = _said(str(error))
    advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
    return ServerError(f"{where}: {said}{advice}", code)


def _said(text: str) -> str:
    """The server's own words: its first line, and the detail if it gives one."""
    found = re.search(r"(?:ERROR|FATAL|PANIC):  (.*)", text)
    if found is None:
        for mark in ("server closed the connection", "no connection to the server", "SSL connection has been"):
            if mark in text:
                return "the connection was lost; try again when the server is there"
        return " ".join(text.partition(". SQLSTATE")[0].partition("Query was:")[0].split())
    detail = re.search(r"^DETAIL:  (.*)", text, re.MULTILINE)
    lost = "; the connection was lost" if "FATAL" in found[0] else ""
    return found[1].strip() + (f" ({detail[1].strip().rstrip('.')})" if detail else "") + lost


def _refusal(text: str) -> str:
    """Why there is no connection. What libpq says of a URI may quote it, and isn't repeated."""
    said = " ".join(text.partition("Failed to connect: ")[2].split())
    if "password" in said:
        return (
            "the server refuses the user or the password; give it in PGPASSWORD, in a .pgpass file or in the url"
        )
    found = re.search(r"FATAL:  ?(.*)", said) or re.match(r"(could not translate host name .*)", said)
    if found:
        return f"no connection: {found[1]}"
    if said.startswith("connection to server"):
        return f"no connection: {said.replace(' Is the server running', '; is the server running')}"
    return "the url, or a variable PG… of the environment, isn't what a connection of PostgreSQL takes"
