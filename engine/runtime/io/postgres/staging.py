"""The tables in which the rows of a run wait for its commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from engine.runtime.io.postgres.names import Table, quoted
from engine.runtime.io.postgres.rejected import stored
from engine.runtime.io.postgres.session import Session
from engine.runtime.io.postgres.target import create, standing
from engine.runtime.shards.plan import Plan, Receipt

_SHARD = "_engine_shard"


class Staging:
    """The two tables of a run: for the rows of the output, and for rejected ones with their shard.

    Parameters
    ----------
    target : Table
        With its schema.
    run_id : str
    """

    def __init__(self, target: Table, run_id: str) -> None:
        self.rows = target.beside(f"_engine_{run_id}")
        self.rejects = target.beside(f"_engine_{run_id}_rejects")

    def make(self, session: Session, schema: pa.Schema, rejected: pa.Schema) -> None:
        """Have the tables there."""
        for table, columns in ((self.rows, schema), (self.rejects, waiting(rejected))):
            if standing(session, table) is None:
                create(session, table, columns)

    def seize(self, session: Session) -> None:
        """Wait until no attempt is writing to the tables any more, and let none begin.

        Attempts, too, come by these first and by the record of their run after: so nobody waits in a circle.
        """
        for table in (self.rows, self.rejects):
            if standing(session, table) is not None:
                session.run(f"LOCK TABLE {table.sql} IN ACCESS EXCLUSIVE MODE")

    def drop(self, session: Session) -> None:
        """Remove the tables."""
        for table in (self.rows, self.rejects):
            session.run(f"DROP TABLE IF EXISTS {table.sql}")

    def number_rejected(self, session: Session, plan: Plan, receipts: Mapping[int, Receipt]) -> None:
        """Give rejected rows the numbers that they have in their files, and forget their shards."""
        for shard, file, before in _numbered_from_their_own(plan, receipts):
            session.run(
                f"UPDATE {self.rejects.sql} SET row = row + {before} WHERE {_SHARD} = {shard} AND file = $1",
                file,
            )
        session.run(f"ALTER TABLE {self.rejects.sql} DROP COLUMN {quoted(_SHARD)}")


def waiting(rejected: pa.Schema) -> pa.Schema:
    """The columns of rejected rows that wait."""
    return pa.schema([*stored(rejected), pa.field(_SHARD, pa.int64())])


def of_shard(batch: pa.RecordBatch, shard: int) -> pa.RecordBatch:
    """Rejected rows of a shard, as they wait."""
    schema = waiting(batch.schema)
    shards = pa.repeat(pa.scalar(shard, pa.int64()), batch.num_rows)
    return pa.RecordBatch.from_arrays([*batch.columns, shards], names=schema.names)


def _numbered_from_their_own(plan: Plan, receipts: Mapping[int, Receipt]) -> Iterator[tuple[int, str, int]]:
    """Shards that could only number rejected rows from their own beginning; the file, and rows before."""
    read: dict[str, int] = {}
    for shard in plan.shards:
        receipt = receipts[shard.index]
        for piece in shard.pieces:
            if receipt.rejected and piece.first is None and read.get(piece.file):
                yield shard.index, piece.file, read[piece.file]
        for piece, rows in zip(shard.pieces, receipt.read, strict=False):
            read[piece.file] = read.get(piece.file, 0) + rows
