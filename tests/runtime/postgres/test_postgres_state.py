"""Runs of shards on a real server: what is there, and when, whoever is killed or comes twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from engine.errors import ConfigError, DataError
from engine.runtime.io import open_sink
from engine.runtime.io.piece import Piece
from engine.runtime.io.postgres.sink import PostgresSink
from engine.runtime.io.postgres.state import TableState
from engine.runtime.rejects import Rejects, rejected_schema
from engine.runtime.shards.plan import Commit, Plan, Receipt, Shard
from engine.runtime.store import BusyError

from .server import Schema

OUT = pa.schema([("id", pa.int64()), ("score", pa.float32())])
REFUSED = rejected_schema(["id", "run_id"])
RUN = "0123456789ab"
PLAN = Plan(RUN, {"pipeline": "v1"}, (Shard(0), Shard(1), Shard(2)))
ROWS = 4
"""Of each shard."""


def state(schema: Schema, mode: str = "error", table: str = "t", rejects: str | None = None) -> TableState:
    sink = open_sink(schema.options(table, mode=mode))
    assert isinstance(sink, PostgresSink)
    return sink.state(Rejects(rejects))


def rows(shard: int) -> pa.RecordBatch:
    ids = range(shard * ROWS, shard * ROWS + ROWS)
    return pa.record_batch([pa.array(ids), pa.array([i / 4 for i in ids], pa.float32())], schema=OUT)


def refused(shard: int, file: str = "in.csv") -> pa.RecordBatch:
    return pa.record_batch([[file], [shard], ["id"], ["invalid"], ["why"], ["x"], ["y"]], schema=REFUSED)


def publish(state: TableState, shard: int, run_id: str = RUN, rejects: int = 0) -> Receipt:
    with state.attempt(run_id, shard, OUT, REFUSED) as attempt:
        attempt.write(rows(shard))
        for _ in range(rejects):
            attempt.reject(refused(shard))
        return attempt.publish(Receipt(shard, ROWS + rejects, ROWS, rejects, read=(ROWS + rejects,)))


def commit(state: TableState, plan: Plan = PLAN, summary: Mapping[str, Any] = {}) -> Commit:
    return state.commit(plan, state.receipts(plan.run_id), OUT, REFUSED, summary)


def run(state: TableState, plan: Plan = PLAN, rejects: int = 0) -> Commit:
    state.begin(plan)
    for shard in plan.shards:
        publish(state, shard.index, plan.run_id, rejects)
    return commit(state, plan)


def ids(schema: Schema) -> list[int]:
    return [found for (found,) in schema.rows("SELECT id FROM t ORDER BY 1")]


def test_a_run(schema: Schema) -> None:
    driver, worker = state(schema), state(schema)
    assert (driver.commits(), driver.unfinished(), driver.plan(RUN), driver.receipts(RUN)) == (
        [],
        [],
        None,
        {},
    )
    assert schema.tables() == []
    driver.begin(PLAN)
    driver.begin(PLAN)
    assert (driver.unfinished(), driver.plan(RUN)) == ([RUN], PLAN)
    receipts = {i: publish(worker, i) for i in (2, 0)}
    assert driver.receipts(RUN) == receipts
    with pytest.raises(DataError, match="shard 1 of run 0123456789ab is not done"):
        commit(driver)
    receipts[1] = publish(worker, 1)
    driver.clean(RUN, receipts)
    driver.beat(RUN, {"rows": 12})
    assert schema.rows("SELECT beat FROM _engine_runs") == [('{"rows":12}',)]
    found = commit(driver, summary={"rows_in": 12})
    assert (found.number, found.run_id, found.mode, found.summary) == (1, RUN, "error", {"rows_in": 12})
    assert [(file.name, file.rows) for file in found.files] == [(f"{schema.name}.t", 12)]
    driver.finish(RUN)
    assert (driver.commits(), driver.unfinished()) == ([found], [])
    assert ids(schema) == list(range(12))
    assert schema.tables() == ["_engine_ledger", "_engine_runs", "t"]
    assert schema.rows("SELECT count(*) FROM _engine_ledger") == [(0,)]
    assert commit(driver) == found and ids(schema) == list(range(12))


def test_of_two_attempts_the_first_receipt_stands(schema: Schema) -> None:
    driver = state(schema)
    driver.begin(PLAN)
    with driver.attempt(RUN, 0, OUT, REFUSED) as slow:
        slow.write(rows(0))
        slow.reject(refused(0))
        first = publish(driver, 0)
        assert slow.publish(Receipt(0, 9, 9, 9)) == first
    publish(driver, 1)
    publish(driver, 2)
    commit(driver)
    assert ids(schema) == list(range(12))
    assert "t_rejects" not in schema.tables()


def test_attempts_that_end_at_once(schema: Schema) -> None:
    driver = state(schema)
    driver.begin(PLAN)
    start = threading.Barrier(4)

    def attempt(_: int) -> Receipt:
        with state(schema).attempt(RUN, 0, OUT, REFUSED) as attempt:
            attempt.write(rows(0))
            start.wait(30)
            return attempt.publish(Receipt(0, ROWS, ROWS, 0))

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(attempt, range(4)))
    assert receipts == [driver.receipts(RUN)[0]] * 4
    assert schema.rows(f"SELECT count(*) FROM _engine_{RUN}") == [(ROWS,)]


CHILD = """
import sys
from engine.runtime.io import open_sink
from engine.runtime.rejects import Rejects
sys.path.insert(0, {folder!r})
from postgres.test_postgres_state import PLAN, RUN, commit, publish
state = open_sink({options!r}).state(Rejects())
publish(state, 2) if {shard} else commit(state)
"""


@pytest.mark.parametrize(
    ("point", "is_done"),
    [("attempt.written", False), ("attempt.kept", False), ("receipt.made", True)],
)
def test_a_worker_that_is_killed(schema: Schema, point: str, is_done: bool) -> None:
    driver = state(schema)
    driver.begin(PLAN)
    publish(driver, 0)
    publish(driver, 1)
    _killed(schema, point, shard=True)
    assert set(driver.receipts(RUN)) == ({0, 1, 2} if is_done else {0, 1})
    assert "t" not in schema.tables()
    if not is_done:
        publish(driver, 2)
    commit(driver)
    assert ids(schema) == list(range(12))


@pytest.mark.parametrize("mode", ["error", "append", "replace"])
@pytest.mark.parametrize(("point", "is_done"), [("commit.files", False), ("commit.made", True)])
def test_a_commit_that_is_killed(schema: Schema, point: str, is_done: bool, mode: str) -> None:
    driver = state(schema, mode)
    old = []
    if mode != "error":
        schema.run("CREATE TABLE t (id bigint, score real)", "INSERT INTO t VALUES (-1)")
        old = [-1]
    driver.begin(PLAN)
    for shard in range(3):
        publish(driver, shard)
    _killed(schema, point, shard=False, mode=mode)
    new = list(range(12)) if mode != "append" else [-1, *range(12)]
    assert (ids(schema) if "t" in schema.tables() else []) == (new if is_done else old)
    assert (driver.unfinished(), len(driver.commits())) == (([], 1) if is_done else ([RUN], 0))
    assert commit(driver).number == 1
    assert ids(schema) == new
    assert schema.tables() == ["_engine_ledger", "_engine_runs", "t"]


def _killed(schema: Schema, point: str, shard: bool, mode: str = "error") -> None:
    folder = Path(__file__).parents[1]
    code = CHILD.format(folder=str(folder), options=schema.options("t", mode=mode), shard=shard)
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "ENGINE_FAILPOINT": point})
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("mode", ["error", "append", "replace"])
def test_two_commit_at_once(schema: Schema, mode: str) -> None:
    if mode != "error":
        schema.run("CREATE TABLE t (id bigint, score real)", "INSERT INTO t VALUES (-1)")
    driver = state(schema, mode)
    driver.begin(PLAN)
    receipts = {i: publish(driver, i) for i in range(3)}
    start = threading.Barrier(3)

    def end(_: int) -> Commit:
        other = state(schema, mode)
        start.wait(30)
        return other.commit(PLAN, receipts, OUT, REFUSED, {})

    with ThreadPoolExecutor(3) as pool:
        commits = list(pool.map(end, range(3)))
    assert commits == [commits[0]] * 3 == list(driver.commits()) * 3
    assert ids(schema) == [*([-1] if mode == "append" else []), *range(12)]


def test_a_reader_never_sees_a_mix(schema: Schema) -> None:
    schema.run("CREATE TABLE t AS SELECT -1::bigint AS id, 0::real AS score FROM generate_series(1, 20000)")
    driver = state(schema, "replace")
    driver.begin(PLAN)
    for shard in range(3):
        publish(driver, shard)
    seen, ended = [], threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(schema.rows("SELECT count(*), min(id) FROM t")[0])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        commit(driver)
    finally:
        ended.set()
        reader.join()
    seen.append(schema.rows("SELECT count(*), min(id) FROM t")[0])
    assert set(seen) <= {(20_000, -1), (12, 0)} and seen[-1] == (12, 0)


def test_who_is_late_is_told(schema: Schema) -> None:
    driver = state(schema)
    driver.begin(PLAN)
    for shard in range(3):
        publish(driver, shard)
    with driver.attempt(RUN, 0, OUT, REFUSED) as late:
        commit(driver)
        with pytest.raises(DataError, match="was ended or discarded by another process"):
            late.publish(Receipt(0, 0, 0, 0))
    with pytest.raises(DataError, match="was ended or discarded by another process"):
        publish(driver, 0)
    assert schema.tables() == ["_engine_ledger", "_engine_runs", "t"]
    assert ids(schema) == list(range(12))


def test_discarded(schema: Schema) -> None:
    driver = state(schema)
    driver.begin(PLAN)
    publish(driver, 0, rejects=1)
    with state(schema).lock(RUN), pytest.raises(BusyError):
        driver.discard(RUN)
    with driver.lock(RUN):
        driver.discard(RUN)
    assert schema.tables() == ["_engine_ledger", "_engine_runs"]
    assert (driver.unfinished(), driver.plan(RUN), driver.receipts(RUN)) == ([], None, {})
    with pytest.raises(DataError, match="was discarded by another process"):
        driver.commit(PLAN, {}, OUT, REFUSED, {})
    run(driver)
    driver.discard(RUN)
    assert ids(schema) == list(range(12))


def test_one_drives_a_run(schema: Schema) -> None:
    one, two = state(schema), state(schema)
    with one.lock(RUN):
        with pytest.raises(BusyError, match=f"another process works on run {RUN}"), two.lock(RUN):
            pass
        with two.lock("another"), state(schema, table="u").lock(RUN):
            pass
    with two.lock(RUN):
        pass
    code = f"""
import os, signal
from engine.runtime.io import open_sink
from engine.runtime.rejects import Rejects
with open_sink({schema.options("t")!r}).state(Rejects()).lock({RUN!r}):
    print("held", flush=True)
    signal.pause()
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    with pytest.raises(BusyError), one.lock(RUN):
        pass
    child.kill()
    child.communicate()
    for _ in range(100):  # the server ends what held the lock when it sees that nobody is there
        try:
            with one.lock(RUN):
                return
        except BusyError:
            threading.Event().wait(0.05)
    pytest.fail("the lock outlives its process")


def test_runs_follow_each_other(schema: Schema) -> None:
    second, third = (msgspec.structs.replace(PLAN, run_id=f"{n}" * 12) for n in (2, 3))
    first = run(state(schema))
    with pytest.raises(DataError, match="the table exists"):
        run(state(schema), second)
    appended = run(state(schema, "append"), second)
    assert (appended.number, appended.files[0].rows) == (2, 24)
    assert state(schema).commits() == [first, appended]
    replaced = run(state(schema, "replace"), third)
    assert (replaced.number, replaced.files[0].rows) == (3, 12)
    assert state(schema).commits() == [replaced]
    assert ids(schema) == list(range(12))
    # the first one's rows are gone, so it can be done again
    again = run(state(schema, "append"))
    assert again.number == 4 and state(schema).commits() == [replaced, again]
    schema.run("DROP TABLE t")
    assert state(schema).commits() == []
    assert run(state(schema)).number == 4
    assert ids(schema) == list(range(12))


def test_a_table_written_in_one_go_replaces_runs(schema: Schema) -> None:
    run(state(schema))
    with open_sink(schema.options("t", mode="replace")).open(OUT) as writer:
        writer.write(rows(0))
    assert state(schema).commits() == []
    assert ids(schema) == list(range(4))


def test_rejected_rows(schema: Schema) -> None:
    second = msgspec.structs.replace(PLAN, run_id="2" * 12)
    found = run(state(schema), rejects=2)
    assert found.rejects == f"{schema.name}.t_rejects"
    columns = 'run_id, file, "row", "column", code, reason, id, run_id_'
    table = schema.rows(f'SELECT {columns} FROM t_rejects ORDER BY "row"')
    assert len(table) == 6 and table[0] == (RUN, "in.csv", 0, "id", "invalid", "why", "x", "y")
    schema.run("ALTER TABLE t_rejects DROP COLUMN id", "ALTER TABLE t_rejects ADD COLUMN note text")
    run(state(schema, "append"), second, rejects=1)
    counts = schema.rows(
        "SELECT run_id, count(*), count(id) AS ids, count(note) AS notes FROM t_rejects GROUP BY 1 ORDER BY 1"
    )
    assert counts == [(RUN, 6, 0, 0), ("2" * 12, 3, 3, 0)]
    third = msgspec.structs.replace(PLAN, run_id="3" * 12)
    assert run(state(schema, "replace"), third).rejects == ""
    assert schema.rows("SELECT count(*) FROM t_rejects") == [(0,)]


def test_the_table_of_rejected_rows_can_be_named(schema: Schema) -> None:
    schema.run("CREATE TABLE theirs (id int)")
    with pytest.raises(DataError, match="theirs is no table of rejected rows that a batch made"):
        run(state(schema, rejects="theirs"), rejects=1)
    with pytest.raises(DataError, match="there is no schema 'nowhere'"):
        run(state(schema, rejects="nowhere.x"), rejects=1)
    with pytest.raises(DataError, match="the table of rejected rows is the sink"):
        run(state(schema, rejects="t"), rejects=1)
    for name, said in ((f"{schema.name}.t", "is the sink"), ("a.b.c", "expected a table")):
        with pytest.raises(ConfigError, match=said):
            state(schema, rejects=name)
    assert run(state(schema, rejects="Bad ones"), rejects=1).rejects == f"{schema.name}.Bad ones"
    assert schema.rows('SELECT count(*) FROM "Bad ones"') == [(3,)]


def test_rejected_rows_have_their_number_in_the_file(schema: Schema) -> None:
    pieces = [
        Piece("in.csv", 100, "s", "bytes", i * 10, i * 10 + 10, first=0 if i == 0 else None) for i in range(3)
    ]
    plan = msgspec.structs.replace(PLAN, shards=tuple(Shard(i, (piece,)) for i, piece in enumerate(pieces)))
    driver = state(schema)
    driver.begin(plan)
    for shard in (2, 1, 0):
        with driver.attempt(RUN, shard, OUT, REFUSED) as attempt:
            attempt.reject(refused(3))
            attempt.publish(Receipt(shard, 10 + shard, 9 + shard, 1, read=(10 + shard,)))
    commit(driver, plan)
    assert schema.rows('SELECT "row" FROM t_rejects ORDER BY 1') == [(3,), (13,), (24,)]
    assert schema.rows("SELECT count(*) FROM t") == [(0,)]


def test_what_another_engine_keeps_is_left_alone(schema: Schema) -> None:
    run(state(schema))
    schema.run("COMMENT ON TABLE _engine_runs IS 'engine: runs of batches, version 9'")
    with pytest.raises(DataError, match="_engine_runs is none that this engine keeps"):
        state(schema).commits()


def test_a_run_without_shards(schema: Schema) -> None:
    plan = Plan(RUN, {}, ())
    assert run(state(schema), plan).files[0].rows == 0
    assert schema.rows("SELECT id, score FROM t") == []
