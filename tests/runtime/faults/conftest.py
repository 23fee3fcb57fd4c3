"""A source of several files and row groups, and a pipeline that refuses some of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .forks import Forks
from .scene import COPY, PIPELINE, Scene, write_source


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    server = Forks(tmp_path_factory.mktemp("said"))
    yield server
    server.close()


@pytest.fixture
def scene(tmp_path: Path, forks: Forks) -> Scene:
    (tmp_path / "conf" / "pipeline").mkdir(parents=True)
    (tmp_path / "conf" / "pipeline" / "tiny.yaml").write_text(PIPELINE)
    (tmp_path / "conf" / "pipeline" / "copy.yaml").write_text(COPY)
    write_source(tmp_path / "in", "parquet")
    return Scene(tmp_path, forks)
