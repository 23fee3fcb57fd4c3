"""Tries at a shard: the first receipt wins, faults that pass are tried again, others are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api import build
from engine.config.config import Config
from engine.runtime.batch import Batch, plan_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.runtime.shards.plan import Receipt
from engine.runtime.shards.score import score_shard, try_shard

from .scene import ROWS, SHARDS, Scene, clean, write_source

FAULT = '''\
from pathlib import Path

import numpy as np

from engine.schema import Kind
from engine.stage import ArrayStage, stage


@stage("faulty")
class Faulty(ArrayStage):
    """A column as it is; at 85 / 7 something goes wrong as often as a file has bytes."""

    def declare(self, columns):
        return Kind.NUMBER

    def compute(self, columns, learned):
        path = Path({file!r})
        (column,) = columns.values()
        if np.any(column == 85 / 7) and path.stat().st_size:
            path.write_bytes(path.read_bytes()[1:])
            raise MemoryError("no room")
        return column
'''


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    write_source(tmp_path / "in", "parquet")
    stages = {"clip": {"use": "clip", "columns": ["n"], "lo": 0, "hi": 50}}
    m = {"kind": "number", "missing": "reject"}
    config = {"name": "tiny", "inputs": {"n": "number", "m": m}, "keep": ["id"], "stages": stages}
    planned = plan_batch(
        build(Config(config | {"outputs": ["n"]})),
        open_source({"path": str(tmp_path / "in")}),
        open_sink({"path": str(tmp_path / "out")}),
        rejects=Rejects(max=None),
        batch_rows=7,
        shard_rows=20,
    )
    assert planned is not None
    return planned


def test_the_first_receipt_wins(batch: Batch, tmp_path: Path) -> None:
    assert batch.plan is not None and batch.state is not None
    shard = batch.plan.shards[1]
    batch.state.begin(batch.plan)
    first = score_shard(batch.job, shard, batch.state)
    attempts = next((tmp_path / "out").glob("_engine/*/attempts"))
    before = sorted(attempts.iterdir())
    assert len(before) == 2  # of rows, and of rejected ones
    assert score_shard(batch.job, shard, batch.state) == first
    assert sorted(attempts.iterdir()) == before
    assert batch.state.receipts(batch.plan.run_id) == {1: first}


def test_two_tries_at_the_same_time(batch: Batch, tmp_path: Path) -> None:
    """The second begins and ends while the first is under way, which then takes the second's."""
    assert batch.plan is not None and batch.state is not None
    shard = batch.plan.shards[0]
    batch.state.begin(batch.plan)
    second: list[Receipt] = []

    def told(index: int, rows: int) -> None:
        if not second:
            assert batch.state is not None
            second.append(score_shard(batch.job, shard, batch.state))

    assert score_shard(batch.job, shard, batch.state, told=told) == second[0]
    attempts = next((tmp_path / "out").glob("_engine/*/attempts"))
    assert {path.name[:18] for path in attempts.iterdir()} == {second[0].attempt}


def test_a_try_that_fails_leaves_nothing(batch: Batch, tmp_path: Path) -> None:
    assert batch.plan is not None and batch.state is not None
    batch.state.begin(batch.plan)

    def told(index: int, rows: int) -> None:
        raise MemoryError("no room")

    outcome = try_shard(batch.job, batch.plan.shards[0], batch.state, told=told)
    assert not isinstance(outcome, Receipt) and outcome.may_pass and "MemoryError: no room" in outcome.message
    assert list(next((tmp_path / "out").glob("_engine/*/attempts")).iterdir()) == []
    assert batch.state.receipts(batch.plan.run_id) == {}


@pytest.fixture
def faulty(scene: Scene) -> Scene:
    """With a stage that fails at a value as often as a file has bytes."""
    (scene.folder / "plugins").mkdir()
    (scene.folder / "plugins" / "faulty.py").write_text(FAULT.format(file=str(scene.folder / "faults")))
    scene.options += [
        f"plugins=[{scene.folder / 'plugins'}]",
        "+stages.faulty={use: faulty, columns: [n], into: same}",
        "outputs=[same]",
    ]
    return scene


@pytest.mark.parametrize("sink", ["out", "out.parquet"])
def test_faults_that_pass(faulty: Scene, sink: str) -> None:
    (faulty.folder / "faults").write_bytes(bytes(2))
    told = faulty.run(sink).told
    assert told["rows_in"] == ROWS and faulty.rows(sink) == clean()
    assert faulty.litter(sink) == []


@pytest.mark.parametrize("sink", ["out", "out.parquet"])
def test_faults_that_do_not_pass(faulty: Scene, sink: str) -> None:
    (faulty.folder / "faults").write_bytes(bytes(5))
    ended = faulty.run(sink)
    assert ended.code == 3, ended
    assert f"1 of {SHARDS} shards failed; the others are done and wait, nothing is committed\n" in ended.err
    where = f"shard 4 ({faulty.folder / 'in' / 'f1.parquet'}): stages.faulty: the stage 'faulty' failed: "
    assert f"{where}MemoryError: no room " in ended.err
    assert 'raise MemoryError("no room") (tried 3 times)\n' in ended.err
    assert faulty.rows(sink) == []
    assert faulty.receipts(sink) == SHARDS - 1
    assert (faulty.folder / "faults").stat().st_size == 2
    told = faulty.run(sink).told
    assert told["resumed_shards"] == SHARDS - 1
    assert faulty.rows(sink) == clean()
    assert (faulty.folder / "faults").stat().st_size == 0


def test_as_often_as_is_asked(faulty: Scene) -> None:
    (faulty.folder / "faults").write_bytes(bytes(9))
    assert 'MemoryError("no room")\n' in faulty.run("out", "executor.attempts=1").err
    assert (faulty.folder / "faults").stat().st_size == 8
    assert faulty.run("out", "executor.attempts=9").told["resumed_shards"] == SHARDS - 1
    assert faulty.rows("out") == clean()
