"""Tables and queries of PostgreSQL to read."""

from __future__ import annotations

from collections.abc import Iterable

from engine.source import Source, SourcePlugin, option, source


@source("postgres")
class PostgresSource(SourcePlugin):
    """A table of PostgreSQL, or a query: read as one state of the database, streamed in bounded memory.

    The password may stand in the environment (``PGPASSWORD``) or in a ``.pgpass`` file. A batch that reads
    from a server begins anew when it was interrupted: rows there have no lasting place.

    Examples
    --------
    >>> PostgresSource(url="postgresql://me:secret@db.example/shop", table="sales.orders")
    PostgresSource(url='postgresql://db.example/shop', table='sales.orders', query=None)
    """

    url: str = option(help="the database: postgresql://user@host:port/database")
    table: str | None = option(None, help="the table or view to read: its name, or schema.name")
    query: str | None = option(None, help="or one SELECT whose rows are read")

    def check(self) -> Iterable[str]:
        from engine.runtime.io.postgres.address import url_mistakes
        from engine.runtime.io.postgres.names import table_mistakes

        yield from url_mistakes(self.url)
        if (self.table is None) == (self.query is None):
            yield "either 'table' or 'query' is needed, and not both"
        elif self.table is not None:
            yield from table_mistakes(self.table)

    def open(self) -> Source:
        from engine.runtime.io.postgres.address import Address
        from engine.runtime.io.postgres.names import read_table
        from engine.runtime.io.postgres.source import PostgresSource

        rows_of = read_table(self.table) if self.table is not None else str(self.query)
        return PostgresSource(Address(self.url), rows_of)

    def __repr__(self) -> str:
        from engine.runtime.io.postgres.address import Address

        return f"PostgresSource(url={str(Address(self.url))!r}, table={self.table!r}, query={self.query!r})"
