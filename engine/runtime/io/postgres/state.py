"""The runs of a table, as they lie beside it in its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pyarrow as pa

from engine.errors import DataError
from engine.failpoint import reach
from engine.runtime.io.postgres import target as tables
from engine.runtime.io.postgres.address import Address
from engine.runtime.io.postgres.attempt import TableAttempt
from engine.runtime.io.postgres.names import Table
from engine.runtime.io.postgres.records import Records
from engine.runtime.io.postgres.rejected import (
    check_rejected,
    check_rejects_table,
    drop_rejected,
    keep_rejected,
)
from engine.runtime.io.postgres.session import Session, WriteError, connect
from engine.runtime.io.postgres.staging import Staging
from engine.runtime.shards.plan import Commit, Committed, Plan, Receipt, told
from engine.runtime.store import BusyError
from engine.sink import Mode


class TableState:
    """The runs of one table.

    Each call is a transaction of its own, so that several processes may call at a time.

    Parameters
    ----------
    address : Address
    where : str
        What messages call it.
    table : Table
    mode : {"error", "append", "replace"}
        What a commit does to a table that is there.
    rejects : Table
        Where rejected rows go; without a schema it is in the table's.
    """

    def __init__(self, address: Address, where: str, table: Table, mode: Mode, rejects: Table) -> None:
        self._address = address
        self._where = where
        self._table = table
        self._mode = mode
        self._rejects = rejects
        self._driven: set[str] = set()

    def commits(self) -> Sequence[Commit]:
        with self._records() as (_, records):
            return records.commits()

    def unfinished(self) -> Sequence[str]:
        with self._records() as (_, records):
            return records.unfinished()

    def plan(self, run_id: str) -> Plan | None:
        with self._records() as (_, records):
            return records.plan(run_id)

    def receipts(self, run_id: str) -> Mapping[int, Receipt]:
        with self._records() as (_, records):
            return records.receipts(run_id)

    def begin(self, plan: Plan) -> None:
        with self._records() as (session, records):
            records.make()
            rejects = tables.resolve(session, self._rejects_of(records.target))
            if rejects == records.target:
                raise DataError(
                    f"{self._where}: the table of rejected rows is the sink; set rejects.path to another name"
                )
            check_rejects_table(session, rejects)
            records.begin(plan)
            session.commit()
        reach("run.planned")

    @contextmanager
    def lock(self, run_id: str) -> Iterator[bool]:
        with self._connect(autocommit=True) as session:
            target = tables.resolve(session, self._table)
            self._drive(session, target, run_id, "pg_try_advisory_lock")
            self._driven.add(run_id)
            try:
                yield True
            finally:
                self._driven.remove(run_id)

    def clean(self, run_id: str, receipts: Mapping[int, Receipt]) -> None:
        """Nothing is left behind: the server undoes what a transaction didn't commit."""

    def attempt(self, run_id: str, shard: int, schema: pa.Schema, rejected: pa.Schema) -> TableAttempt:
        check_rejected(rejected)
        with self._records() as (session, records):
            target = records.target
            tables.hold(session, str(target))
            if not records.is_open(run_id):
                raise WriteError(f"{self._where}: run {run_id} was ended or discarded by another process")
            Staging(target, run_id).make(session, schema, rejected)
            session.commit()
        return TableAttempt(self._connect, target, run_id, shard, schema)

    def commit(
        self,
        plan: Plan,
        receipts: Mapping[int, Receipt],
        schema: pa.Schema,
        rejected: pa.Schema,
        summary: Mapping[str, Any],
    ) -> Commit:
        with self._records() as (session, records):
            tables.hold(session, str(records.target))
            done = next((c for c in records.commits() if c.run_id == plan.run_id), None)
            if done is not None:
                return done
            Staging(records.target, plan.run_id).seize(session)
            if not records.is_open(plan.run_id, alone=True):
                raise WriteError(f"{self._where}: run {plan.run_id} was discarded by another process")
            if lacking := sorted({shard.index for shard in plan.shards} - set(records.receipts(plan.run_id))):
                raise DataError(f"{self._where}: shard {lacking[0]} of run {plan.run_id} is not done")
            commit = self._committed(records, plan, receipts, summary)
            self._place(session, records, plan, receipts, schema, rejected)
            records.end(commit)
            reach("commit.files")
            records.clear(plan.run_id)
            session.commit()
        reach("commit.made")
        return commit

    def finish(self, run_id: str) -> None:
        with self._records() as (session, records):
            if records.are_there:
                records.clear(run_id)
                session.commit()

    def discard(self, run_id: str) -> None:
        with self._records() as (session, records):
            if run_id not in self._driven:  # whoever drives it must not lose it
                self._drive(session, records.target, run_id, "pg_try_advisory_xact_lock")
            tables.hold(session, str(records.target))
            staging = Staging(records.target, run_id)
            staging.seize(session)
            if records.is_open(run_id, alone=True):
                staging.drop(session)
                records.forget(run_id)
                session.commit()

    def beat(self, run_id: str, beat: Mapping[str, Any]) -> None:
        with self._records() as (session, records):
            records.beat(run_id, msgspec.json.encode(beat).decode())
            session.commit()

    def _committed(
        self, records: Records, plan: Plan, receipts: Mapping[int, Receipt], summary: Mapping[str, Any]
    ) -> Commit:
        """What is noted of the run: with one file, the table, and all rows that runs put there."""
        earlier = (
            [] if self._mode == "replace" else [file for c in records.commits()[-1:] for file in c.files]
        )
        ordered = [receipts[shard.index] for shard in plan.shards]
        rows = sum(receipt.rows_out for receipt in ordered) + sum(file.rows for file in earlier)
        size = sum(receipt.size for receipt in ordered) + sum(file.size for file in earlier)
        pieces = [piece for shard in plan.shards for piece in shard.pieces]
        return Commit(
            number=records.next_number(),
            run_id=plan.run_id,
            mode=self._mode,
            identity=plan.identity,
            files=(Committed(str(records.target), rows, size),),
            sources=tuple(dict.fromkeys(told(piece) for piece in pieces)),
            rejects=str(self._rejects_of(records.target)) if any(r.rejected for r in ordered) else "",
            summary=dict(summary),
        )

    def _place(
        self,
        session: Session,
        records: Records,
        plan: Plan,
        receipts: Mapping[int, Receipt],
        schema: pa.Schema,
        rejected: pa.Schema,
    ) -> None:
        """Make what waits the output, in the transaction that runs."""
        target = records.target
        staging = Staging(target, plan.run_id)
        staging.make(session, schema, rejected)  # of a run without shards nobody did
        rejects = self._rejects_of(target)
        if self._mode == "replace":
            drop_rejected(session, rejects, target, records.runs)
            records.replaced()
        tables.place(session, staging.rows, target, schema, self._mode)
        if any(receipt.rejected for receipt in receipts.values()):
            staging.number_rejected(session, plan, receipts)
            keep_rejected(session, staging.rejects, rejects, rejected, plan.run_id)
        else:
            session.run(f"DROP TABLE {staging.rejects.sql}")

    def _drive(self, session: Session, target: Table, run_id: str, function: str) -> None:
        if not session.value(f"SELECT {function}({tables.lock_key(str(target), run_id)})"):
            raise BusyError(f"{self._where}: another process works on run {run_id}")

    def _rejects_of(self, target: Table) -> Table:
        return self._rejects if self._rejects.schema is not None else target.beside(self._rejects.name)

    def _connect(self, autocommit: bool = False) -> Session:
        return connect(self._address, self._where, fault=WriteError, autocommit=autocommit)

    @contextmanager
    def _records(self) -> Iterator[tuple[Session, Records]]:
        """A connection for a block, which undoes what isn't committed, and the records."""
        with self._connect() as session:
            yield session, Records(session, tables.resolve(session, self._table))
