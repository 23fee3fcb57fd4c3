"""Servers that answer while the tests of a file run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("tritonclient.grpc")
pytest.importorskip("uvloop")

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

    from .running import Served


@pytest.fixture(scope="session")
def rides() -> Pipeline:
    from .running import rides

    return rides()


@pytest.fixture
def serve() -> Iterator[Any]:
    """Starts servers, which are stopped behind the test."""
    from .running import Served

    started: list[Served] = []

    def start(pipeline: Pipeline | None) -> Served:
        started.append(Served(pipeline.live() if pipeline else None))
        return started[-1]

    yield start
    for served in started:
        served.stop()


@pytest.fixture(scope="module")
def address(rides: Pipeline) -> Iterator[str]:
    """Of a server of `rides`."""
    from .running import Served

    served = Served(rides.live())
    yield served.start()
    served.stop()
