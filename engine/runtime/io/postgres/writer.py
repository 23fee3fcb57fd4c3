"""A table that is written in one go, in one transaction."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from engine.runtime.io.postgres import target as tables
from engine.runtime.io.postgres.address import Address
from engine.runtime.io.postgres.names import Table
from engine.runtime.io.postgres.records import Records
from engine.runtime.io.postgres.session import Session, WriteError, connect
from engine.runtime.io.postgres.types import to_copy
from engine.sink import Mode


class TableWriter:
    """Copies rows into a table that nobody sees; leaving the ``with`` block makes them the target's.

    Parameters
    ----------
    address : Address
    where : str
        What messages call it.
    table : Table
    schema : pyarrow.Schema
    mode : {"error", "append", "replace"}
    """

    def __init__(self, address: Address, where: str, table: Table, schema: pa.Schema, mode: Mode) -> None:
        self._address = address
        self._where = where
        self._table = table
        self._schema = schema
        self._mode = mode
        self._session: Session | None = None
        self._target = self._staged = table

    def __enter__(self) -> TableWriter:
        session = connect(self._address, self._where, fault=WriteError)
        try:
            self._target = tables.resolve(session, self._table)
            self._staged = self._target.beside(f"_engine_{uuid.uuid4().hex[:12]}")
            tables.create(session, self._staged, self._schema)
        except BaseException:
            session.close()
            raise
        self._session = session
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        try:
            if kind is None:
                self._place(self._session)
        finally:
            self._session.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows.

        Raises
        ------
        DataError
            The server can't take them.
        """
        assert self._session is not None
        self._session.copy(self._staged, to_copy(batch, self._schema))

    def files(self) -> tuple[Path, ...]:
        """It writes none."""
        return ()

    def _place(self, session: Session) -> None:
        tables.hold(session, str(self._target))
        tables.place(session, self._staged, self._target, self._schema, self._mode)
        if self._mode == "replace":
            Records(session, self._target).replaced()
        session.commit()
