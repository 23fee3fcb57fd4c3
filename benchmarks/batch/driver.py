"""What the driver of a batch costs beside the scoring: many shards of one row, and Ray's tasks.

    python -m benchmarks.batch.driver [--shards 100000] [--tasks 1000] [--folder DIR] [--json FILE]

Each shard is a file of one row, read and scored by nobody. Its part and its receipt are written as any
shard's are: that is the workers' share, and is the rest of what the two runs take. The folder should lie on
the sort of disk that a batch would use, for much of it is waiting for the disk. With Ray and in threads
shards of one row are read and scored, too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.measure import machine
from engine.api import build
from engine.config.config import Config
from engine.runtime.batch import plan_batch, run_batch
from engine.runtime.executors.local import Threads
from engine.runtime.executors.ray import RayTasks
from engine.runtime.executors.ray_session import imported_ray, joined
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import rejected_schema
from engine.runtime.shards.plan import Receipt, Shard
from engine.runtime.shards.work import Stated, Work

_CONFIG = {
    "name": "one",
    "inputs": {"n": "number"},
    "stages": {"clip": {"use": "clip", "columns": ["n"], "lo": 0}},
    "outputs": ["n"],
}

_ROW = json.dumps({"n": 1, "more": "x" * 100}) + "\n"
"""So long that a file of it is taken for a row and not for less."""
_PUBLISHERS = 16


@dataclass
class Clock:
    """Seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Add the seconds of a block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - began


class TimedState:
    """The runs of a sink, each call of the driver's timed."""

    _NAMES = ("commits", "unfinished", "plan", "begin", "receipts", "clean", "commit")

    def __init__(self, state: Any, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._state, name)
        if name not in self._NAMES:
            return found

        def timed(*given: Any) -> Any:
            with self._clock.on(f"driver: {name}"):
                return found(*given)

        return timed


@dataclass(frozen=True)
class Publisher:
    """An executor that reads and scores nothing, but publishes every shard.

    Parameters
    ----------
    clock : Clock
    most : int or None
        So many shards, and then it is interrupted.
    """

    clock: Clock
    most: int | None = None

    def run(self, work: Work) -> None:
        """Publish the shards, several at a time, for each waits for the disk."""
        job, rejected = work.job, rejected_schema(work.job.columns)
        row = pa.RecordBatch.from_arrays([pa.array([1.0])], schema=job.schema)

        def publish(shard: Shard) -> Receipt:
            with work.state.attempt(job.run_id, shard.index, job.schema, rejected) as attempt:
                attempt.write(row)
                return attempt.publish(Receipt(shard.index, 1, 1, 0))

        with ThreadPoolExecutor(_PUBLISHERS) as pool:
            for receipt in pool.map(publish, work.shards[: self.most]):
                with self.clock.on("driver: settle"):
                    work.settle(receipt)
        if self.most is not None:
            raise KeyboardInterrupt


def write_rows(folder: Path, shards: int) -> None:
    """A file of one row for each shard."""
    folder.mkdir()
    for number in range(shards):
        (folder / f"{number:06d}.jsonl").write_text(_ROW)


def drive(folder: Path, shards: int) -> dict[str, float]:
    """The seconds of a run of so many shards, half of which were done before."""
    write_rows(folder / "in", shards)
    pipeline, clock = build(Config(_CONFIG)), Clock()
    for most in (shards // 2, None):
        begun = "begun" if most is not None else "resumed"
        with clock.on(f"driver: look at the source and plan, {begun}"):
            source = open_source({"path": str(folder / "in")})
            batch = plan_batch(pipeline, source, open_sink({"path": str(folder / "out")}), shard_rows=1)
        assert batch is not None
        assert batch.plan is not None
        assert len(batch.plan.shards) == shards
        batch = replace(batch, state=TimedState(batch.state, clock))
        with clock.on("all of the two runs"):
            try:
                batch.driver(Publisher(clock, most)).run()
            except KeyboardInterrupt:
                assert most is not None
    return clock.seconds


def tasks(folder: Path, count: int) -> dict[str, float]:
    """What a shard of one row takes, in threads and as a task of Ray."""
    write_rows(folder / "small", count)
    pipeline = build(Config(_CONFIG))
    source = {"path": str(folder / "small")}
    found = {}

    def run(name: str, executor: Any, shards: int) -> float:
        sink = {"path": str(folder / name)}
        stated = Stated(source, sink)
        began = time.perf_counter()
        summary = run_batch(
            pipeline, open_source(source), open_sink(sink), executor=executor, shard_rows=1, stated=stated
        )
        assert summary.shards == summary.rows_out == count
        return time.perf_counter() - began

    found["threads, ms a shard"] = run("warm", Threads(2), count) and run("threads", Threads(2), count)
    found["threads, ms a shard"] *= 1000 / count
    began = time.perf_counter()
    with joined(imported_ray(), None, 2, 0):
        found["Ray: start, s"] = time.perf_counter() - began
        found["Ray: first run, workers begin, s"] = run("first", RayTasks(), count)
        found["Ray, ms a shard"] = run("second", RayTasks(), count) * 1000 / count
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--folder", help="where to write; a temporary folder, unless given")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="driver-", dir=arguments.folder))
    found: dict[str, Any] = {"machine": machine("pyarrow", "ray"), "shards": arguments.shards}
    try:
        for part, measure, count in (("driver", drive, arguments.shards), ("tasks", tasks, arguments.tasks)):
            found[part] = measure(folder, count)
            for name, value in found[part].items():
                print(f"{value:12.3f}  {name}", flush=True)
    finally:
        shutil.rmtree(folder)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
