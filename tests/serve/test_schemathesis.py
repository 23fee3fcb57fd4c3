"""A running server does what its OpenAPI document says, and nothing sent to it makes it fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from .described import described
from .running import Server, serving

pytest.importorskip("schemathesis")

CONFIG = """
# every check is on but for these

[[operations]]
include-path = ["/predict", "/invocations"]
# a bad row of an array has its error in its place, and an input that the model doesn't need isn't looked at
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "/infer$"
# no schema can say that Inference-Header-Content-Length belongs to the body, or which datatype a column takes
checks.positive_data_acceptance.enabled = false
"""
EXAMPLES = 25


def check(server: Server, folder: Path, *options: str) -> None:
    """Run all checks; what it finds is in the failure's text."""
    tool = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert tool is not None
    (folder / "schemathesis.toml").write_text(CONFIG)
    begin = [tool, "--config-file", str(folder / "schemathesis.toml"), "run", f"{server.url}/openapi.json"]
    examples = ["--max-examples", str(EXAMPLES), "--warnings", "off", "--no-color"]
    ran = subprocess.run(
        [*begin, *options, *examples], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert server.ask("GET", "/v2/health/ready").json == {"ready": True}
    assert [event for event in server.events if event["level"] == "error"] == []


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with every kind of input and output, names that no program likes, and groups."""
    folder = tmp_path_factory.mktemp("kinds") / "all"
    described().save(folder)
    return folder


@pytest.mark.slow
def test_all_checks(bundle: Path, tmp_path: Path) -> None:
    with serving(f"bundle={bundle}") as server:
        check(server, tmp_path)


@pytest.mark.slow
def test_all_checks_with_keys(all_kinds: Path, tmp_path: Path) -> None:
    """``ignored_auth``, too: without the key, or with a wrong one, nothing that asks for it is answered."""
    key, options = keys(tmp_path)
    with serving(f"bundle={all_kinds}", *options) as server:
        check(server, tmp_path, "--header", f"Authorization: Bearer {key}")
        counted = server.metrics(**{"x-api-key": key})
        assert counted['engine_requests_total{route="predict",status="401"}'] > 0


def keys(folder: Path) -> tuple[str, Sequence[str]]:
    """A new key, and the options of a server that takes it."""
    file = folder / "keys.txt"
    made = subprocess.run(
        [sys.executable, "-m", "engine", "new", "key", "someone", f"file={file}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip(), (f"server.keys={file}",)
