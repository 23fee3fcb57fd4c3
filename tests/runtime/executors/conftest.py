"""Each test of this folder runs once in threads and once on Ray: one Ray for all tests of a process."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.api import fit
from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.plan.build import registry_of
from engine.registry import Registry
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.executors.local import Threads
from engine.runtime.executors.ray import RayTasks
from engine.runtime.executors.ray_session import imported_ray, joined
from engine.runtime.io import open_sink, open_source
from engine.runtime.shards.work import Executor, Stated

from .made import FIT, rows, write_plugins

MakeExecutor = Callable[..., Executor]


@pytest.fixture(scope="session")
def ray() -> Iterator[None]:
    """A Ray of two CPUs, which runs on Ray join."""
    with joined(imported_ray(), None, 2, 0):
        yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # files that Ray left open
        gc.collect()


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def make_executor(request: pytest.FixtureRequest) -> MakeExecutor:
    """``make(attempts=3)``."""
    if request.param == "local":
        return lambda **options: Threads(2, **options)
    request.getfixturevalue("ray")
    return RayTasks


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the user's own plugins."""
    return write_plugins(tmp_path_factory.mktemp("own") / "plugins")


@pytest.fixture(scope="session")
def table() -> pa.Table:
    """The rows that are scored."""
    return rows()


@pytest.fixture(scope="session")
def pipeline(plugins: Path, table: pa.Table) -> Pipeline:
    """A model behind a stage of the user's own."""
    return fit(Config({**FIT, "plugins": [str(plugins)]}), table)


@pytest.fixture(scope="session")
def answers(pipeline: Pipeline, table: pa.Table) -> pa.Table:
    """What a single thread answers in memory."""
    found = pipeline.predict_many(table)
    assert isinstance(found, pa.Table)
    return found


@dataclass(frozen=True)
class Batches:
    """Runs batches of the pipeline, stated as a config does.

    Parameters
    ----------
    pipeline : Pipeline
    plugins : Path
    registry : Registry
    """

    pipeline: Pipeline
    plugins: Path
    registry: Registry

    def run(
        self, executor: Executor, source: Mapping[str, Any], sink: Mapping[str, Any], **options: Any
    ) -> BatchSummary:
        """Run one; ``stated`` is made of source and sink."""
        stated = Stated(source, sink, (str(self.plugins),))
        return run_batch(
            self.pipeline,
            open_source(source, self.registry),
            open_sink(sink, self.registry),
            executor=executor,
            **{"shard_rows": 100, "stated": stated, **options},
        )


@pytest.fixture
def batches(pipeline: Pipeline, plugins: Path) -> Batches:
    """What runs batches."""
    return Batches(pipeline, plugins, registry_of([str(plugins)]))
