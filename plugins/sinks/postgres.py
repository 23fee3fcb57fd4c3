"""Tables of PostgreSQL to write."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("postgres")
class PostgresSink(SinkPlugin):
    """A table of PostgreSQL; readers see all answers of a run at once.

    ``append`` and ``replace`` keep a table that is there with its rights, indexes and views; its columns are
    matched by name. Rejected rows go to a table beside it, ``<table>_rejects``, with the id of their run. The
    password may stand in the environment (``PGPASSWORD``) or in a ``.pgpass`` file.

    Examples
    --------
    >>> PostgresSink(url="postgresql://me:secret@db.example/shop", table="risk.scores")
    PostgresSink(url='postgresql://db.example/shop', table='risk.scores', mode='error')
    """

    url: str = option(help="the database: postgresql://user@host:port/database")
    table: str = option(help="the table to write: its name, or schema.name")
    mode: Mode = option("error", help="what happens to a table that is there")

    def check(self) -> Iterable[str]:
        from engine.runtime.io.postgres.address import url_mistakes
        from engine.runtime.io.postgres.names import table_mistakes

        yield from url_mistakes(self.url)
        yield from table_mistakes(self.table)

    def open(self) -> Sink:
        from engine.runtime.io.postgres.address import Address
        from engine.runtime.io.postgres.names import read_table
        from engine.runtime.io.postgres.sink import PostgresSink

        return PostgresSink(Address(self.url), read_table(self.table), self.mode)

    def __repr__(self) -> str:
        from engine.runtime.io.postgres.address import Address

        return f"PostgresSink(url={str(Address(self.url))!r}, table={self.table!r}, mode={self.mode!r})"
