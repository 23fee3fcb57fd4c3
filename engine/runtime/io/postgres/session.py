"""A connection to a server, whose errors are told in one line without user and password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.files import SinkError
from engine.runtime.io.postgres.address import Address
from engine.runtime.io.postgres.names import Table

_OF_VALUES = ("22", "23")
"""Classes of codes that tell of the values, which stay as they are however often it is tried."""
UNIQUE_VIOLATION = "23505"
NO_TABLE = "42P01"
LOCK_WAIT = "60s"
"""How long a table is waited for that another has locked."""


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


class WriteError(ServerError, SinkError):
    """A server can't be written to, as it is."""


class Session:
    """A connection, in a transaction unless it commits each statement by itself; a context manager.

    Parameters
    ----------
    connection : adbc_driver_postgresql.dbapi.Connection
    where : str
        What messages call it.
    fault : type of ServerError
        What is raised.
    """

    def __init__(self, connection: Any, where: str, fault: type[ServerError] = ServerError) -> None:
        self._connection = connection
        self.where = where
        self._fault = fault

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
        """The columns of a query; ``POSTGRESQL:type`` of their metadata is how the server names types."""
        with self._told(), self._connection.cursor() as cursor:
            return cursor.adbc_execute_schema(query)

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """The rows of a query as the server sends them, about 16 MB at a time."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(query)
            with cursor.fetch_record_batch() as reader:
                yield from reader

    def copy(self, table: Table, batch: pa.RecordBatch) -> None:
        """Append rows to a table whose columns are of the types that `types.column_type` gives."""
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

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Undo what wasn't committed, and hang up."""
        with suppress(*_errors()):
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _errors() as error:
            code = str(getattr(error, "sqlstate", None) or "")
            fault = ServerError if code[:2] in _OF_VALUES else self._fault
            raise fault(f"{self.where}: {_said(str(error), code)}", code) from None


def connect(address: Address, where: str, *, fault: type[ServerError], autocommit: bool = False) -> Session:
    """A connection to write by.

    Parameters
    ----------
    address : Address
    where : str
        What messages call it.
    fault : type of ServerError
        What is raised, now and later.
    autocommit : bool
        Each statement is a transaction.

    Raises
    ------
    ServerError
        There is none to be had.
    """
    session = _connected(address, where, fault, autocommit)
    try:
        session.run(f"SET lock_timeout = '{LOCK_WAIT}'")
        if not autocommit:
            session.commit()  # undone, a transaction takes its settings with it
    except BaseException:
        session.close()
        raise
    return session


@contextmanager
def reading(address: Address, where: str) -> Iterator[Session]:
    """A connection for a block: all that it reads is one state of the database."""
    with _connected(address, where, ServerError, autocommit=False) as session:
        session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        session.run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        yield session


def _connected(address: Address, where: str, fault: type[ServerError], autocommit: bool) -> Session:
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise DataError(
            f"{where}: PostgreSQL needs the package 'adbc-driver-postgresql': "
            "pip install 'inference-engine[postgres]'"
        ) from None
    try:
        connection = dbapi.connect(address.complete, autocommit=autocommit)
    except _errors() as error:
        raise fault(f"{where}: {_refusal(str(error))}") from None
    return Session(connection, where, fault)


def _errors() -> tuple[type[Exception], ...]:
    from adbc_driver_manager import Error

    # rows that come as Arrow's stream raise what the system or Arrow would
    return (Error, OSError, pa.ArrowException)


# "ERROR", "FATAL" and the like, in the language of the server
_SERVERS_OWN = re.compile(r"\w+:  (.*)")
_LOST = ("server closed the connection", "no connection to the server", "SSL connection has been closed")
_ADVICE = {
    "55P03": "another holds a lock on it; try again when that is done",
    "57014": "a time limit of the server or of its user was reached, or somebody stopped it",
    "42501": "ask who owns it for the right",
    "40001": "others wrote meanwhile; try again",
    "40P01": "others wrote meanwhile; try again",
    "53100": "make room on the server, then try again",
}


def _said(text: str, code: str) -> str:
    """The server's own words: its first line, and the detail if it gives one."""
    advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
    found = _SERVERS_OWN.search(text)
    if found is None:
        if any(mark in text for mark in _LOST):
            return "the connection was lost; try again when the server is there"
        return " ".join(text.partition(". SQLSTATE")[0].partition("Query was:")[0].split())
    detail = re.search(r"^DETAIL:  (.*)", text, re.MULTILINE)
    lost = "; the connection was lost" if "FATAL" in found[0] else ""
    told = f" ({detail[1].strip().rstrip('.')})" if detail else ""
    return f"{found[1].strip()}{told}{lost}{advice}"


def _refusal(text: str) -> str:
    """Why there is no connection. What libpq says of a URI may quote it, and isn't repeated."""
    text = text.partition("Failed to connect: ")[2]
    said = " ".join(text.split())
    if "password" in said:
        return "the server refuses the user or the password; see PGPASSWORD, the .pgpass file or the url"
    found = _SERVERS_OWN.search(text) or re.match(r"(could not translate host name .*)", said)
    if found:
        return f"no connection: {found[1]}"
    if said.startswith("connection to server"):
        return f"no connection: {said.replace(' Is the server running', '; is the server running')}"
    return "the url, or a variable PG… of the environment, isn't what a connection of PostgreSQL takes"
