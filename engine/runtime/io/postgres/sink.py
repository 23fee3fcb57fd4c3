"""A table of PostgreSQL as the place of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from engine.errors import ConfigError, Mistake
from engine.runtime.io.files import SinkError
from engine.runtime.io.postgres import target as tables
from engine.runtime.io.postgres import types
from engine.runtime.io.postgres.address import Address
from engine.runtime.io.postgres.names import Table, name_fault, read_table
from engine.runtime.io.postgres.rejected import rejects_table
from engine.runtime.io.postgres.session import WriteError, connect
from engine.runtime.io.postgres.state import TableState
from engine.runtime.io.postgres.writer import TableWriter
from engine.runtime.rejects import Rejects
from engine.sink import Mode


class PostgresSink:
    """A table: written in one go, or in shards, there for readers at once.

    Parameters
    ----------
    address : Address
    table : Table
    mode : {"error", "append", "replace"}
        What happens to a table that is there.
    """

    extension = ""
    is_folder = False
    takes_coded = True

    def __init__(self, address: Address, table: Table, mode: Mode = "error") -> None:
        self.path = f"{address} {table}"
        self.mode = mode
        self._address = address
        self._table = table

    def check_columns(self, schema: pa.Schema) -> None:
        """Refuse columns that a table can't hold, or that the table which is there doesn't have.

        Raises
        ------
        DataError
        """
        types.check_columns(schema)
        if self.mode != "error":
            with connect(self._address, self.path, fault=WriteError) as session:
                there = tables.standing(session, tables.resolve(session, self._table))
                if there is not None:
                    tables.check_fits(self.path, there, schema)

    def check(self) -> None:
        """See, before anything is read, whether the table can be written.

        Raises
        ------
        DataError
            It is there and may not be, or there is no server, or no right to do so.
        """
        with connect(self._address, self.path, fault=WriteError) as session:
            target = tables.resolve(session, self._table)
            there = tables.standing(session, target)
            tables.check_mode(self.path, there, self.mode)
            schema = target.schema or ""
            if not session.value("SELECT has_schema_privilege($1, 'CREATE')", schema):
                raise SinkError(
                    f"{self.path}: no right to make tables in the schema {schema!r}, where a run keeps its "
                    "state; ask who owns it for the right"
                )
            if there is None:
                return
            for right in ("INSERT", "DELETE") if self.mode == "replace" else ("INSERT",):
                if not session.value(f"SELECT has_table_privilege($1::bigint::oid, '{right}')", there.oid):
                    raise SinkError(
                        f"{self.path}: no right to {right} in the table; ask who owns it for the right"
                    )

    def open(self, schema: pa.Schema) -> TableWriter:
        """Start writing in one go; use it as a context manager."""
        self.check_columns(schema)
        self.check()
        return TableWriter(self._address, self.path, self._table, schema, self.mode)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Where it is."""
        return {"path": self.path}

    def state(self, rejects: Rejects) -> TableState:
        """Its runs; ``rejects.path`` is the name of a table.

        Raises
        ------
        ConfigError
            It is none.
        """
        try:
            table = rejects_table(self._table) if rejects.path is None else read_table(rejects.path)
            if fault := name_fault(table.name):
                raise ValueError(f"{table.name!r} {fault}; name another")
            if table == self._table:
                raise ValueError(f"the table of rejected rows is the sink, {table}; name another")
        except ValueError as error:
            raise ConfigError([Mistake("rejects.path", str(error))]) from None
        return TableState(self._address, self.path, self._table, self.mode, table)
