"""`engine batch` from and to a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.api import build
from engine.config.config import Config
from engine.errors import DataError
from engine.pipeline import Pipeline
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import RefusedError, Rejects
from engine.runtime.shards.drive import UnfinishedError
from engine.runtime.shards.plan import Plan, Shard
from engine.testing.rows import difference

from .server import Schema

CONFIG: dict[str, Any] = {
    "name": "tiny",
    "inputs": {"n": "number", "word": "category", "at": "timestamp"},
    "keep": ["id", "word"],
    "stages": {
        "clip": {"use": "clip", "columns": ["n"], "lo": -1, "hi": 1},
        "when": {"use": "calendar", "columns": ["at"], "parts": ["hour"]},
    },
    "outputs": ["n", "at_hour"],
}
ROWS = 3000


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return build(Config(CONFIG))


@pytest.fixture
def flights(schema: Schema) -> Schema:
    schema.run(
        "CREATE TABLE flights AS SELECT i AS id, CASE WHEN i % 10 <> 0 THEN (i - 1500) / 1000.0 END AS n,"
        " CASE WHEN i % 7 <> 0 THEN ('w ' || i % 3)::char(9) END AS word,"
        " timestamp '2020-01-01 00:00:00' + make_interval(mins => i::int) AS at, interval '1 day' AS unread"
        f" FROM generate_series(0::bigint, {ROWS - 1}) AS i"
    )
    return schema


def source_rows(schema: Schema) -> pa.Table:
    source = open_source(schema.options("flights"))
    return pa.Table.from_batches(source.batches(["id", "n", "word", "at"], ROWS))


def batch(
    pipeline: Pipeline, source: Mapping[str, Any], sink: Mapping[str, Any], **options: Any
) -> BatchSummary:
    return run_batch(pipeline, open_source(source), open_sink(sink), threads=2, **options)


def answers(schema: Schema, table: str = "scores") -> pa.Table:
    return schema.table(f"SELECT * FROM {table} ORDER BY id")


def test_table_to_table_is_predict_many(pipeline: Pipeline, flights: Schema) -> None:
    summary = batch(pipeline, flights.options("flights"), flights.options("scores"), batch_rows=70)
    assert (summary.rows_in, summary.rows_out, summary.rejected, summary.rejects) == (ROWS, ROWS, 0, None)
    assert difference(answers(flights), pipeline.predict_many(source_rows(flights))) is None
    assert flights.tables() == ["_engine_ledger", "_engine_runs", "flights", "scores"]
    with pytest.raises(DataError, match="the table exists"):
        batch(pipeline, flights.options("flights"), flights.options("scores"))
    with pytest.raises(DataError, match="the sink is what the batch reads"):
        batch(pipeline, flights.options("flights"), flights.options("flights", mode="append"))


def test_parquet_to_a_table_in_shards(pipeline: Pipeline, flights: Schema, tmp_path: Path) -> None:
    rows = source_rows(flights)
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=500)
    source = {"path": str(tmp_path / "in.parquet")}
    summary = batch(pipeline, source, flights.options("scores"), shard_rows=500)
    assert (summary.shards, summary.rows_out, summary.now) == (6, ROWS, True)
    assert difference(answers(flights), pipeline.predict_many(rows)) is None
    again = batch(pipeline, source, flights.options("scores"), shard_rows=500)
    assert (again.now, again.run_id) == (False, summary.run_id)
    assert answers(flights).num_rows == ROWS


def test_rejected_rows_go_to_a_table(pipeline: Pipeline, schema: Schema, tmp_path: Path) -> None:
    lines = [f"{i},{'abc' if i in (3, 7) else i},w,2020-01-01T00:00:00Z" for i in range(10)]
    (tmp_path / "in.csv").write_text("id,n,word,at\n" + "\n".join(lines) + "\n")
    source = {"path": str(tmp_path / "in.csv")}
    with pytest.raises(RefusedError, match="2 of the 10 rows"):
        batch(pipeline, source, schema.options("scores"))
    assert schema.tables() == ["_engine_ledger", "_engine_runs"]
    summary = batch(pipeline, source, schema.options("scores"), rejects=Rejects(max=5))
    assert (summary.rows_out, summary.rejected, summary.rejects) == (8, 2, f"{schema.name}.scores_rejects")
    found = schema.rows('SELECT run_id, file, "row", "column", code, id, n FROM scores_rejects ORDER BY 3')
    where = str(tmp_path / "in.csv")
    assert found == [(summary.run_id, where, i, "n", "invalid", str(i), "abc") for i in (3, 7)]


def engine_batch(folder: Path, options: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", "batch", "pipeline=tiny", "--json", "--config-dir", str(folder),
         *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("point", ["attempt.written", "receipt.made", "commit.files", "commit.made"])
def test_killed_and_resumed(pipeline: Pipeline, flights: Schema, tmp_path: Path, point: str) -> None:
    rows = source_rows(flights)
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=500)
    (tmp_path / "pipeline").mkdir()
    config = {key: value for key, value in CONFIG.items() if key != "name"}
    (tmp_path / "pipeline" / "tiny.yaml").write_text("# @package _global_\n" + json.dumps(config))
    sink = flights.options("scores")
    options = [
        f"source.path={tmp_path / 'in.parquet'}",
        "executor.shard_rows=500",
        *(f"sink.{key}={value}" for key, value in sink.items()),
    ]
    killed = engine_batch(tmp_path, options, ENGINE_FAILPOINT=point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert ("scores" in flights.tables()) == (point == "commit.made")
    resumed = engine_batch(tmp_path, options)
    assert resumed.returncode == 0, resumed.stderr
    told = json.loads(resumed.stdout)
    assert told["nothing_to_do"] == (point == "commit.made")
    assert "postgres@" not in resumed.stdout + resumed.stderr
    assert difference(answers(flights), pipeline.predict_many(rows)) is None
    assert flights.tables() == ["_engine_ledger", "_engine_runs", "flights", "scores"]


def test_a_server_that_refuses_leaves_the_run_to_be_continued(
    pipeline: Pipeline, flights: Schema, tmp_path: Path
) -> None:
    rows = source_rows(flights)
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=500)
    source = {"path": str(tmp_path / "in.parquet")}
    flights.run("CREATE TABLE scores (id bigint, word text, n float8 CHECK (n < 1), at_hour float8)")
    with pytest.raises(DataError, match="violates check constraint"):
        batch(pipeline, source, flights.options("scores", mode="append"), shard_rows=500)
    assert flights.rows("SELECT count(*) FROM scores") == [(0,)]
    flights.run("ALTER TABLE scores DROP CONSTRAINT scores_n_check")
    summary = batch(pipeline, source, flights.options("scores", mode="append"), shard_rows=500)
    assert (summary.resumed, summary.rows_out) == (6, ROWS)
    assert difference(answers(flights), pipeline.predict_many(rows)) is None


def test_two_drivers_of_a_query(pipeline: Pipeline, flights: Schema) -> None:
    sink = open_sink(flights.options("scores"))
    first = batch(pipeline, flights.options("flights"), flights.options("others"))
    assert first.now
    state = sink.state(Rejects())  # type: ignore[attr-defined]
    run_id = "f" * 12
    state.begin(Plan(run_id, {}, (Shard(0),), resumable=False))
    with state.lock(run_id), pytest.raises(UnfinishedError, match="another process is at work"):
        batch(pipeline, flights.options("flights"), flights.options("scores"))
    batch(pipeline, flights.options("flights"), flights.options("scores"))
    assert state.unfinished() == []
