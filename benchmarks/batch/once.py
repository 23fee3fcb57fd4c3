"""One measurement in a process of its own: ``python -m benchmarks.batch.once '<task>'`` prints JSON."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any, Literal

import msgspec

import engine
from benchmarks.batch.driver import Clock, TimedState
from benchmarks.batch.parts import parts_of
from benchmarks.batch.processes import Processes
from benchmarks.batch.usage import Usage, measured, peak
from engine.runtime.batch import Batch, plan_batch, run_batch
from engine.runtime.executors.local import Threads
from engine.runtime.io import open_sink, open_source
from engine.runtime.shards.work import Executor, Stated

Way = Literal["threads", "processes", "parts"]


class Task(msgspec.Struct, frozen=True):
    """What is measured.

    Parameters
    ----------
    way : {"threads", "processes", "parts"}
        A run in threads or in processes; or its parts, one after the other in one thread.
    bundle : str
    source : dict
    sink : dict
    count : int
        Threads or processes.
    join : bool
        False: one file is written in one go, as a format is whose files can't be joined.
    """

    way: Way
    bundle: str
    source: dict[str, Any]
    sink: dict[str, Any]
    count: int
    join: bool = True


class Timed:
    """An executor, timed from outside."""

    def __init__(self, executor: Executor, clock: Clock) -> None:
        self._executor = executor
        self._clock = clock

    def run(self, work: Any) -> None:
        """As the executor does."""
        with self._clock.on("shards"):
            self._executor.run(work)


def run(task: Task) -> dict[str, float]:
    """Do it once; a process that has done nothing else yet tells the memory of this alone."""
    pipeline = engine.load(task.bundle)
    pipeline.program  # noqa: B018  # made now, and not with the first rows
    if task.way == "parts":
        return parts_of(pipeline, task.source, task.sink)
    began = time.perf_counter()
    source, sink = open_source(task.source), open_sink(task.sink)
    opened = time.perf_counter() - began
    clock = Clock()
    processes = Processes(task.count)
    executor: Executor = processes if task.way == "processes" else Threads(task.count)
    with measured() as usage:
        if task.join:
            with clock.on("plan"):
                batch = plan_batch(pipeline, source, sink, threads=task.count)
            rows = _drive(batch, Timed(executor, clock), clock, task)
        else:
            sink.join = None  # type: ignore[attr-defined]
            rows = run_batch(pipeline, source, sink, threads=task.count).rows_in
    found = {**_told(usage, rows), "peak": float(peak()), "open": opened}
    found |= {f"wall: {what}": seconds for what, seconds in clock.seconds.items()}
    if task.way == "processes":
        found["start"] = processes.start
        found["start, processor"] = sum(cost.start for cost in processes.costs)
        found["peak of processes"] = float(sum(cost.peak for cost in processes.costs))
    return found


def _drive(batch: Batch | None, executor: Executor, clock: Clock, task: Task) -> int:
    assert batch is not None
    batch = replace(batch, state=TimedState(batch.state, clock))
    driver = batch.driver(executor, stated=Stated(task.source, task.sink))
    rows: int = driver.run().commit.summary["rows_in"]
    return rows


def _told(usage: Usage, rows: int) -> dict[str, float]:
    return {
        "rows": float(rows),
        "wall": usage.wall,
        "processor": usage.processor,
        "idle": usage.idle,
        "busy": usage.busy,
        "ready": usage.ready,
    }


if __name__ == "__main__":
    print(msgspec.json.encode(run(msgspec.json.decode(sys.argv[1], type=Task))).decode())
