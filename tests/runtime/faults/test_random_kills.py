"""Kills at random points, any number of them: what comes out is what a clean run gives."""

from __future__ import annotations

import random

import pytest

from .scene import REJECTED, ROWS, Scene, clean, commits, write_file

POINTS = (
    "run.planned", "shard.settled", "shard.scored", "attempt.written", "attempt.kept", "receipt.made",
    "run.scored", "rejects.written", "commit.rejects", "commit.part", "commit.joined", "commit.files",
    "commit.made", "commit.renamed", "commit.replaced", "finish.removed", "store.linking",
)  # fmt: skip


def one_life(scene: Scene, sink: str, rng: random.Random) -> None:
    mode = rng.choice(["error", "replace"] if "." in sink else ["error", "append", "replace"])
    old = []
    if mode != "error":
        scene.run(sink, f"source.path={scene.folder / 'old'}", f"sink.mode={mode}").done()
        old = scene.rows(sink)
        assert old == clean(1000, 60)
    new = [*old, *clean()] if mode == "append" else clean()
    for _ in range(rng.randint(1, 5)):
        signal = rng.choice(["KILL", "KILL", "TERM"])
        point = f"{rng.choice(POINTS)}@{rng.randint(1, 7)}:{signal}"
        threads = f"executor.threads={rng.randint(1, 3)}"
        rows = f"executor.batch_rows={rng.randint(3, 30)}"
        ended = scene.run(sink, f"sink.mode={mode}", threads, rows, point=point)
        assert ended.code in (-9, 75, 0), ended
        assert scene.rows(sink) in (old, new), (mode, point)
    told = scene.run(sink, f"sink.mode={mode}").told
    assert scene.rows(sink) == new
    assert (told["rows_in"], told["rows_out"], told["rejected"]) == (ROWS, ROWS - REJECTED, REJECTED)
    assert scene.litter(sink) == []
    assert [commit["run_id"] for commit in commits(scene, sink)].count(told["run_id"]) == 1
    refused = scene.refused(sink) if mode != "append" else None
    assert refused is None or len(refused) == REJECTED


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
@pytest.mark.parametrize("sink", ["out", "out.parquet", "out.csv"])
def test_random_kills(scene: Scene, sink: str, seed: int) -> None:
    (scene.folder / "old").mkdir()
    write_file(scene.folder / "old" / "f.parquet", 1000)
    one_life(scene, sink, random.Random(f"{sink} {seed}"))
