"""kill -9 while shards are scored: the same command redoes the missing ones; the rows are a clean run's."""

from __future__ import annotations

import pytest

from .scene import GROUP_ROWS, REJECTED, ROWS, SHARDS, Scene, clean

SINKS = ("out", "out.parquet", "out.csv")


def check_whole(scene: Scene, sink: str) -> None:
    """The output is a clean run's, so are its rejects, and nothing else lies there."""
    assert scene.rows(sink) == clean()
    assert [int(row[1]) + 60 * str(row[0]).endswith("f1.parquet") for row in scene.refused(sink)] == [
        number for number in range(ROWS) if number % 10 == 3
    ]
    assert scene.litter(sink) == []


@pytest.mark.parametrize("sink", SINKS)
def test_a_clean_run(scene: Scene, sink: str) -> None:
    told = scene.run(sink).told
    assert (told["rows_in"], told["rows_out"], told["rejected"]) == (ROWS, ROWS - REJECTED, REJECTED)
    assert (told["shards"], told["resumed_shards"]) == (SHARDS, 0)
    check_whole(scene, sink)
    told = scene.run(sink).told
    assert told["nothing_to_do"] and told["rows_out"] == ROWS - REJECTED
    check_whole(scene, sink)


@pytest.mark.parametrize("sink", ["out", pytest.param("out.csv", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("point", "done"),
    [
        ("run.planned", 0),
        ("shard.settled@6", None),
        ("shard.scored@3", None),
        ("attempt.written@2", None),
        ("attempt.kept@2", None),
        ("receipt.made@3", None),
        ("receipt.made@6", SHARDS),
        ("run.scored", SHARDS),
    ],
)
def test_killed_in_a_shard(scene: Scene, sink: str, point: str, done: int | None) -> None:
    assert scene.killed(sink, point)
    assert scene.rows(sink) == []
    receipts = scene.receipts(sink)
    if done is not None:
        assert receipts == done
    told = scene.run(sink, "resume=require").told
    assert told["resumed_shards"] == receipts
    assert (told["rows_in"], told["rows_out"], told["rejected"]) == (ROWS, ROWS - REJECTED, REJECTED)
    check_whole(scene, sink)


def test_what_was_not_finished_is_removed_before_more_is_written(scene: Scene) -> None:
    assert scene.killed("out", "attempt.kept@3")
    attempts = next(scene.state("out").glob("*/attempts"))
    written = set(attempts.iterdir())
    assert scene.killed("out", "run.scored")
    kept = {path for path in attempts.iterdir() if path.suffix == ".parquet"}
    assert len(kept) == SHARDS
    assert written - set(attempts.iterdir())  # an orphan, at least, was there and went
    scene.run("out").done()
    check_whole(scene, "out")


def test_killed_again_and_again(scene: Scene) -> None:
    """Each time two more shards are done: nothing is done twice."""
    scene.options.append("executor.threads=1")
    for done in (2, 4):
        assert scene.killed("out.parquet", "receipt.made@2")
        assert scene.receipts("out.parquet") == done
    told = scene.run("out.parquet", "executor.threads=3").told
    assert told["resumed_shards"] == 4
    assert told["rows_in"] == SHARDS * GROUP_ROWS
    check_whole(scene, "out.parquet")
