"""SIGTERM and SIGINT: the process ends soon, says how to go on, and leaves nothing half done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .scene import REJECTED, ROWS, Scene, clean, commits, slow_but
from .test_commit import POINTS as COMMIT_POINTS

SAID = "stopped by SIGTERM; the same command goes on where this one ended\n"
POINTS = (
    "run.planned", "shard.settled@4", "shard.scored@2", "attempt.written", "receipt.made@5", "run.scored",
    "store.linking@2", *(point for point in COMMIT_POINTS if not point.startswith("commit.replaced")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("sink", "point"),
    slow_but(
        lambda sink, point: sink == "out.parquet",
        [
            (sink, point)
            for sink in ("out", "out.parquet")
            for point in POINTS
            if not point.startswith("commit.part" if "." in sink else ("commit.joined", "commit.renamed"))
        ],
    ),
)
def test_sigterm(scene: Scene, sink: str, point: str) -> None:
    begun = time.monotonic()
    ended = scene.run(sink, point=f"{point}:TERM")
    assert time.monotonic() - begun < 10
    # where the signal comes behind the last shard, it may find nothing left to be stopped
    assert (ended.code, ended.err) == (75, SAID) or point.startswith("finish"), ended
    assert scene.rows(sink) in ([], clean())
    told = scene.run(sink).told
    assert (told["rows_in"], told["rejected"]) == (ROWS, REJECTED)
    assert scene.rows(sink) == clean()
    assert len(scene.refused(sink)) == REJECTED
    assert len(commits(scene, sink)) == 1
    assert scene.litter(sink) == []


@pytest.mark.parametrize("point", ["shard.settled@4", "commit.files"])
def test_sigint(scene: Scene, point: str) -> None:
    ended = scene.run("out", point=f"{point}:INT")
    assert (ended.code, ended.err) == (130, "interrupted\n")
    assert scene.rows("out") == []
    scene.run("out").done()
    assert scene.rows("out") == clean()


def test_an_impatient_user(scene: Scene) -> None:
    """Signals after the first one don't disturb the end."""
    child = scene.start("out", point="shard.settled@3:STOP")
    child.wait_for_stop()
    child.signal(signal.SIGTERM)
    child.signal(signal.SIGCONT)
    for _ in range(5):
        child.signal(signal.SIGTERM)
    assert child.wait().code == 75
    scene.run("out").done()
    assert scene.rows("out") == clean()


@pytest.mark.slow
def test_sigterm_at_random_moments(scene: Scene) -> None:
    """As a scheduler sends it, to a command as it is typed."""
    rng = random.Random(0)
    command = [
        sys.executable, "-m", "engine", "batch", "pipeline=tiny", "--config-dir", str(scene.folder / "conf"),
        f"source.path={scene.folder / 'in'}", f"sink.path={scene.folder / 'out'}", "rejects.max=null",
        "executor.shard_rows=20", "executor.batch_rows=1", "sink.mode=replace",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    codes = []
    for _ in range(20):
        child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.uniform(0.2, 2.5))
        child.terminate()
        begun = time.monotonic()
        _, err = child.communicate()
        assert time.monotonic() - begun < 3
        # before the command is read, there is nothing that a signal could leave behind
        assert child.returncode in (-signal.SIGTERM, 75, 0), err
        codes.append(child.returncode)
        assert scene.rows("out") in ([], clean())
    assert 75 in codes
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    assert scene.rows("out") == clean()
