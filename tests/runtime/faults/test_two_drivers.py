"""Several processes with one run: each row is written once, and the output is committed once."""

from __future__ import annotations

import signal

import pytest

from .scene import REJECTED, ROWS, SHARDS, Scene, clean, commits, slow_but

SINKS = ("out", "out.parquet", "out.csv")
POINTS = (
    "run.planned", "shard.settled@3", "attempt.written@2", "attempt.kept@2", "receipt.made@2", "run.scored",
    "commit.rejects", "commit.files", "commit.made",
)  # fmt: skip
CASES = [
    (sink, point)
    for sink in SINKS
    for point in (*POINTS, "commit.joined" if "." in sink else "commit.part@3")
]


FAST = (
    ("out", "shard.settled@3"), ("out.csv", "attempt.kept@2"), ("out", "commit.part@3"),
    ("out.parquet", "commit.joined"), ("out.parquet", "commit.made"),
)  # fmt: skip


def check_once(scene: Scene, sink: str) -> None:
    assert scene.rows(sink) == clean()
    assert len(scene.refused(sink)) == REJECTED
    (commit,) = commits(scene, sink)
    assert commit["summary"]["rows_in"] == ROWS and commit["summary"]["shards"] == SHARDS
    assert scene.litter(sink) == []


@pytest.mark.parametrize("sink", SINKS[:2])
@pytest.mark.parametrize("point", ["run.planned", "shard.settled@5", "receipt.made@2", "commit.files"])
def test_a_second_driver_leaves(scene: Scene, sink: str, point: str) -> None:
    """The first one stands still at the point, and goes on when the second one is gone."""
    first = scene.start(sink, point=f"{point}:STOP")
    first.wait_for_stop()
    second = scene.run(sink)
    assert (second.code, second.out) == (75, "")
    path = scene.folder / sink
    assert second.err == f"{path}: another process is at work there; try again when it has ended\n"
    third = scene.run(sink, "resume=never")
    assert third.code == 75
    first.signal(signal.SIGCONT)
    assert first.wait().told["rows_in"] == ROWS
    check_once(scene, sink)


def test_another_run_leaves_the_one_at_work_alone(scene: Scene) -> None:
    first = scene.start("out", point="receipt.made@2:STOP")
    first.wait_for_stop()
    ended = scene.run("out", "executor.shard_rows=1000", "resume=never", "sink.mode=replace")
    assert ended.code == 75 and "another process is at work there" in ended.err
    first.signal(signal.SIGCONT)
    first.wait().done()
    check_once(scene, "out")


def test_many_at_once(scene: Scene) -> None:
    children = [scene.start("out.parquet") for _ in range(5)]
    codes = [child.wait().code for child in children]
    assert set(codes) <= {0, 75} and 0 in codes
    check_once(scene, "out.parquet")


@pytest.mark.parametrize(("sink", "point"), slow_but(lambda sink, point: (sink, point) in FAST, CASES))
def test_two_that_know_nothing_of_one_another(scene: Scene, sink: str, point: str) -> None:
    """Without a lock, as in an object store: one ends all while the other stands still."""
    first = scene.start(sink, point=f"{point}:STOP", DROP_LOCK="1")
    first.wait_for_stop()
    assert scene.run(sink, DROP_LOCK="1").told["rows_in"] == ROWS
    assert scene.rows(sink) == clean()
    first.signal(signal.SIGCONT)
    ended = first.wait()
    assert ended.code == 0, ended.err
    check_once_but_litter(scene, sink)


@pytest.mark.slow
def test_two_that_work_at_once_without_a_lock(scene: Scene) -> None:
    for sink in ("a", "b.parquet", "c.csv", "d", "e.parquet"):
        children = [scene.start(sink, DROP_LOCK="1") for _ in range(3)]
        for child in children:
            ended = child.wait()
            assert ended.code == 0, ended.err
        check_once_but_litter(scene, sink)


def check_once_but_litter(scene: Scene, sink: str) -> None:
    """What a driver without a lock wrote after the end may lie there, but nobody takes it for output."""
    assert scene.rows(sink) == clean()
    assert len(commits(scene, sink)) == 1
    assert scene.run(sink).told["nothing_to_do"]
    assert len(scene.refused(sink)) == REJECTED
    # and not for what is done of the same run, when its output is gone
    for path in (scene.folder / sink).glob("part-*") if "." not in sink else [scene.folder / sink]:
        path.unlink()
    told = scene.run(
        sink, f"rejects.path={scene.folder / 'other'}-{sink.partition('.')[0]}.parquet", "resume=never"
    ).told
    assert told["rows_in"] == ROWS and told["resumed_shards"] == 0
    assert scene.rows(sink) == clean()
