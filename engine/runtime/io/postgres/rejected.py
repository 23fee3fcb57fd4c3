"""The table of rejected rows: those of every run, each with the id of its run."""

from __future__ import annotations

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.postgres.names import Table, name_fault, quoted
from engine.runtime.io.postgres.session import Session
from engine.runtime.io.postgres.target import Standing, columns_sql, move, standing

RUN = "run_id"


def rejects_table(target: Table) -> Table:
    """The one beside a table, where no other is named."""
    return target.beside(f"{target.name}_rejects")


def stored(rejected: pa.Schema) -> pa.Schema:
    """The columns of rejected rows as their table names them: the id of the run has its name for itself."""
    taken = set(rejected.names)
    fields = []
    for field in rejected:
        name = field.name
        while name == RUN or (name != field.name and name in taken):
            name += "_"
        fields.append(field.with_name(name))
    return pa.schema(fields)


def check_rejected(rejected: pa.Schema) -> None:
    """Refuse columns whose names a table can't have.

    Raises
    ------
    DataError
    """
    for name in stored(rejected).names:
        if fault := name_fault(name):
            raise DataError(f"the column {name!r} of rejected rows {fault}; give it a shorter name")


def check_rejects_table(session: Session, table: Table) -> Standing | None:
    """The table of rejected rows as it is; None: it is made when it is needed first.

    Raises
    ------
    DataError
        It is a table of something else.
    """
    there = standing(session, table)
    if there is not None and there.columns.get(RUN) != "text":
        raise DataError(
            f"{session.where}: {table} is no table of rejected rows that a batch made; set rejects.path to "
            "another name"
        )
    return there


def keep_rejected(session: Session, staged: Table, table: Table, rejected: pa.Schema, run_id: str) -> None:
    """Append the rejected rows of a run to their table, in the transaction that runs.

    The table is made when it is needed first; columns that it lacks are added to it.

    Raises
    ------
    DataError
        It is a table of something else.
    """
    columns = stored(rejected)
    there = check_rejects_table(session, table)
    if there is None:
        session.run(f"CREATE TABLE {table.sql} ({quoted(RUN)} text NOT NULL, {columns_sql(columns)})")
    else:
        lacking = [field for field in columns if field.name not in there.columns]
        for field in lacking:
            session.run(f"ALTER TABLE {table.sql} ADD COLUMN {columns_sql(pa.schema([field]))}")
    session.run(f"ALTER TABLE {staged.sql} ADD COLUMN {quoted(RUN)} text DEFAULT '{run_id}'")
    move(session, staged, table, [RUN, *columns.names])


def drop_rejected(session: Session, table: Table, target: Table, runs: Table) -> None:
    """Remove the rejected rows of the runs of a target, whose answers are replaced."""
    there = standing(session, table)
    if there is not None and RUN in there.columns:
        session.run(
            f"DELETE FROM {table.sql} WHERE {quoted(RUN)} IN"
            f" (SELECT run_id FROM {runs.sql} WHERE target = $1 AND number IS NOT NULL)",
            str(target),
        )
