"""KServe's own clients against a running server; they live in an environment of their own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from engine.pipeline import Pipeline

from .running import serving

COLUMNS: dict[str, list[Any]] = {
    "size": [80.5, 12.0, 0.1],
    "rooms": [3, 1, 7],
    "age": [12.0, 0.5, 300.0],
    "city": ["Bath", "nowhere", "Łódź"],
    "sold": [1_600_000_000_000_000, 0, -1],
    "note": ["", "ünï", "sea view"],
}
CLIENT = Path(__file__).with_name("kserve_client.py")


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of an environment with KServe in it, which pins an old pandas; made once and kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "engine-tests"
    folder = cache / f"kserve-{sys.version_info[0]}.{sys.version_info[1]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kserve.lock").open("w") as lock:  # another test run may be making it
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = folder / "bin" / "python"
        if not (folder / "made").exists():
            venv.create(folder, clear=True, with_pip=True)
            command = [str(found), "-m", "pip", "install", "--quiet", "kserve>=0.15"]
            installed = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
            if installed.returncode:
                last = (installed.stderr.strip().splitlines() or [""])[-1]
                pytest.skip(f"kserve can't be installed from the package index: {last}")
            (folder / "made").touch()
    return found


@pytest.mark.slow
def test_infer_and_readiness(bundle: Path, pipeline: Pipeline, python: Path) -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
    answers = [pipeline.predict_one({**row, "id": None}) for row in rows]
    names = [name for name in answers[0] if name != "id"]
    wanted = {name: [answer[name] for answer in answers] for name in names}
    with serving(f"bundle={bundle}", "server.grpc_port=0") as server:
        command = [str(python), str(CLIENT), server.url, server.grpc, "homes", json.dumps(COLUMNS)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env=environment
        )
    assert ran.returncode == 0, ran.stderr[-4000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["rest"] == [True] * 4 and found["grpc"] == [True] * 3
    for way in ("rest lists", "rest json", "rest binary", "grpc raw"):
        assert found[way] == {"id": "k 1", "model": "homes", "outputs": wanted}, way
    for way in ("rest error", "grpc error"):
        assert "input tensors are absent: rooms" in found[way]
