"""The table that answers go to: what is there, whether it takes them, and how they come to lie in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from engine.errors import DataError, listing
from engine.runtime.io.postgres.names import Table, quoted
from engine.runtime.io.postgres.session import LOCK_WAIT, Session
from engine.runtime.io.postgres.types import TAKES, column_type
from engine.sink import Mode


@dataclass(frozen=True)
class Standing:
    """A table that is there.

    Parameters
    ----------
    oid : int
        What the server knows it by; another table of the same name has another.
    columns : dict of str to str
        The type of each, as the catalogue names it, without its length.
    required : frozenset of str
        Those that no row may be without.
    computed : frozenset of str
        Those that the server alone fills.
    """

    oid: int
    columns: dict[str, str]
    required: frozenset[str]
    computed: frozenset[str]


def resolve(session: Session, table: Table) -> Table:
    """The table with its schema: the one it is found in, or in which it would be made.

    Raises
    ------
    DataError
        There is no such schema.
    """
    if table.schema is not None:
        if not session.value("SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1", table.schema):
            raise DataError(f"{session.where}: there is no schema {table.schema!r}; create it first")
        return table
    found = session.rows(
        "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = to_regclass($1)",
        table.sql,
    )
    schema = found[0][0] if found else session.value("SELECT current_schema()")
    if schema is None:
        raise DataError(f"{session.where}: no schema of the search path is there; name one: schema.{table}")
    return Table(schema, table.name)


def standing(session: Session, table: Table) -> Standing | None:
    """The table as it is; None: it isn't there.

    Raises
    ------
    DataError
        Something else has the name.
    """
    found = session.rows(
        "SELECT oid::bigint, relkind::text FROM pg_catalog.pg_class WHERE oid = to_regclass($1)",
        table.sql,
    )
    if not found:
        return None
    ((oid, kind),) = found
    if kind not in ("r", "p"):
        raise DataError(f"{session.where}: {table} is no table; write to another name")
    columns = session.rows(
        "SELECT attname, format_type(atttypid, NULL),"
        " attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = '',"
        " attidentity = 'a' OR attgenerated <> ''"
        " FROM pg_catalog.pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        oid,
    )
    return Standing(
        oid,
        {name: kind for name, kind, _, _ in columns},
        frozenset(name for name, _, is_required, _ in columns if is_required),
        frozenset(name for name, _, _, is_computed in columns if is_computed),
    )


def misfits(there: Standing, schema: pa.Schema) -> Iterator[str]:
    """Why the rows of a schema can't go into a table, one column at a time."""
    for field in schema:
        ours = column_type(field.type)
        assert ours is not None  # checked by check_columns
        theirs = there.columns.get(field.name)
        if theirs is None:
            yield f"it has no column {field.name!r}"
        elif field.name in there.computed:
            yield f"its column {field.name!r} is filled by the server alone"
        elif theirs not in TAKES[ours]:
            yield f"its column {field.name!r} is {theirs}, and {' or '.join(TAKES[ours])} is needed"
    for name in sorted(there.required - set(schema.names)):
        yield f"its column {name!r} may not be null, and nothing is written to it"


def check_fits(where: str, there: Standing, schema: pa.Schema) -> None:
    """Refuse a table that doesn't take the rows of a schema.

    Raises
    ------
    DataError
    """
    if odd := list(misfits(there, schema)):
        raise DataError(
            f"{where}: the table doesn't take these rows: {listing(odd, 5)}; change it, or write to "
            "another table"
        )


def check_mode(where: str, there: Standing | None, mode: Mode) -> None:
    """Refuse a table that is there and may not be touched.

    Raises
    ------
    DataError
    """
    if there is not None and mode == "error":
        raise DataError(
            f"{where}: the table exists; to add rows to it: sink.mode=append; to replace its rows: "
            "sink.mode=replace"
        )


def create(session: Session, table: Table, schema: pa.Schema) -> None:
    """Make a table with the columns of a schema."""
    session.run(f"CREATE TABLE {table.sql} ({columns_sql(schema)})")


def columns_sql(schema: pa.Schema) -> str:
    """The columns of a schema, as they stand in CREATE TABLE."""
    return ", ".join(f"{quoted(field.name)} {column_type(field.type)}" for field in schema)


def place(session: Session, staged: Table, target: Table, schema: pa.Schema, mode: Mode) -> None:
    """Make the rows of a table those of the target, in the transaction that runs; the table itself goes.

    Where no target is, the table becomes it. One that is there keeps what else hangs on it: rights, indexes,
    views. Who reads it meanwhile isn't held up, and sees the old rows until the transaction ends; who
    writes to it waits while its rows are replaced.

    Raises
    ------
    DataError
        The target is there and may not be, or doesn't take the rows.
    """
    there = standing(session, target)
    check_mode(session.where, there, mode)
    if there is None:
        session.run(f"ALTER TABLE {staged.sql} RENAME TO {quoted(target.name)}")
        return
    # who adds rows needs nobody away but those who would change the columns
    lock = "SHARE ROW EXCLUSIVE" if mode == "replace" else "ROW EXCLUSIVE"
    session.run(f"LOCK TABLE {target.sql} IN {lock} MODE")
    check_fits(session.where, standing(session, target) or there, schema)
    if mode == "replace":
        # TRUNCATE is faster, but readers would have to be away, and some would find the table empty
        session.run(f"DELETE FROM {target.sql}")
    move(session, staged, target, schema.names)


def move(session: Session, staged: Table, target: Table, names: Sequence[str]) -> None:
    """Append the rows of one table to another, by the names of columns; the first one goes."""
    listed = ", ".join(map(quoted, names))
    session.run(f"INSERT INTO {target.sql} ({listed}) SELECT {listed} FROM {staged.sql}")
    session.run(f"DROP TABLE {staged.sql}")


def hold(session: Session, *what: str) -> None:
    """Wait, however long, to be the only one that makes or moves tables, until the transaction ends."""
    session.run("SET LOCAL lock_timeout = 0")
    session.rows(f"SELECT pg_advisory_xact_lock({lock_key(*what)})::text")
    session.run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")


def lock_key(*what: str) -> int:
    """The number of an advisory lock of the database."""
    digest = hashlib.blake2b("\0".join(("engine", *what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
