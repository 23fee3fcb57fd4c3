"""The tables beside the target that say which runs there are and which shards are done."""

from __future__ import annotations

import msgspec

from engine.errors import DataError
from engine.runtime.io.postgres.names import Table
from engine.runtime.io.postgres.session import Session
from engine.runtime.io.postgres.target import hold, standing
from engine.runtime.shards.plan import Commit, Plan, Receipt

RUNS, LEDGER = "_engine_runs", "_engine_ledger"
_VERSION = "engine: runs of batches, version 1"

_MAKE = (
    """CREATE TABLE {runs} (
    run_id text PRIMARY KEY,
    target text NOT NULL,
    plan text NOT NULL,
    begun timestamptz NOT NULL DEFAULT now(),
    beat text,
    number bigint,
    committed timestamptz,
    receipt text,
    is_part boolean,
    table_oid bigint,
    UNIQUE (target, number)
)""",
    """CREATE TABLE {ledger} (
    run_id text NOT NULL REFERENCES {runs} ON DELETE CASCADE,
    shard bigint NOT NULL,
    receipt text NOT NULL,
    PRIMARY KEY (run_id, shard)
)""",
    "COMMENT ON TABLE {runs} IS '{version}'",
)


class Records:
    """The runs of one table.

    Parameters
    ----------
    session : Session
    target : Table
        With its schema.

    Raises
    ------
    DataError
        They were made by another engine, in another way.
    """

    def __init__(self, session: Session, target: Table) -> None:
        self._session = session
        self.target = target
        self.runs = target.beside(RUNS)
        self._runs = self.runs.sql
        self._ledger = target.beside(LEDGER).sql
        self.are_there = self._look()

    def make(self) -> None:
        """Have the tables there."""
        if self.are_there:
            return
        hold(self._session, str(self.target.beside(RUNS)))
        if not self._look():
            for statement in _MAKE:
                self._session.run(statement.format(runs=self._runs, ledger=self._ledger, version=_VERSION))
        self.are_there = True

    def commits(self) -> list[Commit]:
        """The commits whose rows are in the table that is there, oldest first."""
        there = standing(self._session, self.target) if self.are_there else None
        if there is None:
            return []
        found = self._session.rows(
            f"SELECT receipt FROM {self._runs}"
            " WHERE target = $1 AND is_part AND table_oid = $2 ORDER BY number",
            str(self.target),
            there.oid,
        )
        return [msgspec.json.decode(text, type=Commit) for (text,) in found]

    def unfinished(self) -> list[str]:
        """The runs that were begun and not committed, oldest first."""
        if not self.are_there:
            return []
        found = self._session.rows(
            f"SELECT run_id FROM {self._runs} WHERE target = $1 AND number IS NULL ORDER BY begun, run_id",
            str(self.target),
        )
        return [run_id for (run_id,) in found]

    def plan(self, run_id: str) -> Plan | None:
        """The plan of a run."""
        if not self.are_there:
            return None
        found = self._session.rows(f"SELECT plan FROM {self._runs} WHERE run_id = $1", run_id)
        return msgspec.json.decode(found[0][0], type=Plan) if found else None

    def begin(self, plan: Plan) -> None:
        """Note a run. One whose rows were replaced since, or went with their table, begins anew."""
        hold(self._session, str(self.target))
        if all(commit.run_id != plan.run_id for commit in self.commits()):
            self._session.run(
                f"DELETE FROM {self._runs} WHERE run_id = $1 AND number IS NOT NULL", plan.run_id
            )
        self._session.run(
            f"INSERT INTO {self._runs} (run_id, target, plan) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            plan.run_id,
            str(self.target),
            msgspec.json.encode(plan).decode(),
        )

    def is_open(self, run_id: str, *, alone: bool = False) -> bool:
        """Whether a run was begun and not committed; until the transaction ends, it stays so.

        Parameters
        ----------
        run_id : str
        alone : bool
            Nobody else may rely on that meanwhile: whoever does is waited for.
        """
        if not self.are_there:
            return False
        lock = "UPDATE" if alone else "KEY SHARE"
        return bool(
            self._session.rows(
                f"SELECT 1 FROM {self._runs} WHERE run_id = $1 AND number IS NULL FOR {lock}", run_id
            )
        )

    def receipts(self, run_id: str) -> dict[int, Receipt]:
        """The shards that are done."""
        if not self.are_there:
            return {}
        found = self._session.rows(f"SELECT shard, receipt FROM {self._ledger} WHERE run_id = $1", run_id)
        return {shard: msgspec.json.decode(text, type=Receipt) for shard, text in sorted(found)}

    def add(self, run_id: str, receipt: Receipt) -> None:
        """Note that a shard is done.

        Raises
        ------
        ServerError
            Of code `UNIQUE_VIOLATION`: it is already.
        """
        self._session.run(
            f"INSERT INTO {self._ledger} (run_id, shard, receipt) VALUES ($1, $2, $3)",
            run_id,
            receipt.shard,
            msgspec.json.encode(receipt).decode(),
        )

    def next_number(self) -> int:
        """Of the commit that comes."""
        found: int = self._session.value(
            f"SELECT coalesce(max(number), 0) + 1 FROM {self._runs} WHERE target = $1", str(self.target)
        )
        return found

    def end(self, commit: Commit) -> None:
        """Note that a run is committed."""
        there = standing(self._session, self.target)
        assert there is not None
        self._session.run(
            f"UPDATE {self._runs} SET number = $2, receipt = $3, table_oid = $4,"
            " is_part = true, committed = now() WHERE run_id = $1",
            commit.run_id,
            commit.number,
            msgspec.json.encode(commit).decode(),
            there.oid,
        )

    def clear(self, run_id: str) -> None:
        """Forget the shards of a run that is committed."""
        self._session.run(
            f"DELETE FROM {self._ledger} l USING {self._runs} r"
            " WHERE l.run_id = r.run_id AND r.run_id = $1 AND r.number IS NOT NULL",
            run_id,
        )

    def forget(self, run_id: str) -> None:
        """Forget a run that isn't committed."""
        self._session.run(f"DELETE FROM {self._runs} WHERE run_id = $1 AND number IS NULL", run_id)

    def beat(self, run_id: str, beat: str) -> None:
        """Note how far a run is; a run that is being committed is not waited for."""
        self._session.run(
            f"UPDATE {self._runs} SET beat = $2 WHERE run_id IN"
            f" (SELECT run_id FROM {self._runs} WHERE run_id = $1 FOR NO KEY UPDATE SKIP LOCKED)",
            run_id,
            beat,
        )

    def replaced(self) -> None:
        """Note that the rows of all earlier runs are gone."""
        if self.are_there:
            self._session.run(
                f"UPDATE {self._runs} SET is_part = false WHERE target = $1 AND number IS NOT NULL",
                str(self.target),
            )

    def _look(self) -> bool:
        found = self._session.rows(
            "SELECT obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c"
            " WHERE c.oid = to_regclass($1)",
            self._runs,
        )
        if found and found[0][0] != _VERSION:
            raise DataError(
                f"{self._session.where}: the table {self.target.beside(RUNS)} is none that this engine keeps"
                " of its runs; finish them with the engine that made it, or drop it"
            )
        return bool(found)
