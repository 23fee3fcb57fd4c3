"""``engine fit``, killed at any moment: the version in use stays, and the next fit succeeds."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.errors import BundleError

pytestmark = pytest.mark.slow  # each fit is a process of its own

PIPELINE = """\
# @package _global_
name: small
inputs: {a: number, b: number}
target: {column: y}
golden: 4
stages:
  fill: {use: impute, columns: [a], strategy: mean}
  model: {use: xgboost, rounds: 3, params: {max_depth: 2, nthread: 1}}
"""
FILES = ("config.json", "learned.arrow", "model-model.ubj", "golden.arrow", "profile.arrow")
BEFORE = (
    *(f"bundle.file.{name}" for name in FILES),
    "bundle.before-rename",
    "bundle.renamed",
    "bundle.before-current",
)
ROW = {"a": 0.3, "b": -1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its data, its config, and a bundle with one version."""
    path = tmp_path_factory.mktemp("killed")
    (path / "conf" / "pipeline").mkdir(parents=True)
    (path / "conf" / "pipeline" / "small.yaml").write_text(PIPELINE)
    a, b = np.random.default_rng(0).normal(size=(2, 80))
    pq.write_table(pa.table({"a": a, "b": b, "y": a - b}), path / "rows.parquet")
    child = start(path, "stages.model.rounds=2")
    child.communicate()
    assert child.returncode == 0
    return path


def start(folder: Path, *overrides: str, point: str = "") -> subprocess.Popen[bytes]:
    """A fit as a user runs it, in a process of its own."""
    command = [
        sys.executable, "-m", "engine", "fit", "pipeline=small", "--config-dir", str(folder / "conf"),
        f"source.path={folder / 'rows.parquet'}", f"bundle={folder / 'bundle'}", *overrides,
    ]  # fmt: skip
    root = str(Path(engine.__file__).parents[1])
    environment = {**os.environ, "ENGINE_FAILPOINT": point, "PYTHONPATH": root}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def in_use(folder: Path) -> tuple[str, object]:
    pipeline = engine.load(folder / "bundle")
    return pipeline.version, pipeline.predict_one(ROW)


def test_killed_while_it_writes(folder: Path) -> None:
    before = in_use(folder)
    for number, point in enumerate(BEFORE):
        child = start(folder, f"seed={number}", "stages.model.rounds=5", point=point)
        child.communicate()
        assert child.returncode == -signal.SIGKILL, point
        assert in_use(folder) == before, point
    versions = [path for path in (folder / "bundle" / "versions").iterdir() if not path.name.startswith(".")]
    assert len(versions) == 3  # this one, and the two that were renamed but never came into use
    for path in versions:
        assert engine.load(path).version == path.name
    # what a killed fit had finished is taken up by the next one
    child = start(folder, f"seed={len(BEFORE) - 1}", "stages.model.rounds=5")
    child.communicate()
    assert child.returncode == 0
    assert in_use(folder)[0] in {path.name for path in versions} - {before[0]}


def test_killed_just_after_the_version_came_into_use(folder: Path) -> None:
    before = in_use(folder)
    child = start(folder, "seed=99", "stages.model.rounds=6", point="bundle.current-replaced")
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    after = in_use(folder)
    assert after[0] != before[0]
    child = start(folder, "seed=99", "stages.model.rounds=6")
    child.communicate()
    assert child.returncode == 0 and in_use(folder) == after


def test_killed_while_it_trains(folder: Path) -> None:
    """At random moments between its first word and its end."""
    before = in_use(folder)
    rng = random.Random(0)
    for number in range(3):
        child = start(folder, f"seed={200 + number}", "stages.model.rounds=100000")
        assert child.stderr is not None
        # something has been reported, or it has worked for a while: either way it is far from done
        select.select([child.stderr], [], [], 3 + 3 * rng.random())
        assert child.poll() is None
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        assert in_use(folder) == before
    child = start(folder, "stages.model.rounds=7")
    child.communicate()
    assert child.returncode == 0 and in_use(folder)[0] != before[0]


def test_killed_before_there_was_any(folder: Path) -> None:
    for point in ("bundle.file.config.json", "bundle.renamed", "bundle.before-current"):
        child = start(folder, f"bundle={folder / 'fresh'}", point=point)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        with pytest.raises(BundleError):
            engine.load(folder / "fresh")
    child = start(folder, f"bundle={folder / 'fresh'}")
    child.communicate()
    assert child.returncode == 0
    assert engine.load(folder / "fresh").predict_one(ROW)["score"] is not None
