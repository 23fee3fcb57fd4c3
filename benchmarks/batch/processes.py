"""Shards in processes of their own, one thread each: what threads are measured beside."""

from __future__ import annotations

import functools
import multiprocessing
import time
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec
import pyarrow as pa

from engine.runtime.executors.ray_worker import Answer
from engine.runtime.executors.recipe import Recipe, open_recipe, recipe_of
from engine.runtime.shards.job import Job
from engine.runtime.shards.plan import Receipt, Shard
from engine.runtime.shards.score import try_shard
from engine.runtime.shards.sink import RunState
from engine.runtime.shards.work import Work


class Cost(msgspec.Struct, frozen=True):
    """What a process took.

    Parameters
    ----------
    start, whole : float
        Seconds of processor time until it was ready, and in all.
    peak : int
        Bytes of memory, at most.
    """

    start: float
    whole: float
    peak: int


class Processes:
    """An executor that spawns processes; nothing is tried again.

    Parameters
    ----------
    count : int

    Attributes
    ----------
    start : float
        Seconds until all processes were ready.
    costs : list of Cost
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.start = 0.0
        self.costs: list[Cost] = []

    def run(self, work: Work) -> None:
        """Score every shard."""
        began = time.perf_counter()
        recipe = msgspec.msgpack.encode(recipe_of(work.job, work.stated))
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(self._count)]
        processes = [spawn.Process(target=_serve, args=(theirs, recipe), daemon=True) for _, theirs in pipes]
        for process in processes:
            process.start()
        ours = [mine for mine, _ in pipes]
        for _, theirs in pipes:
            theirs.close()
        for mine in ours:
            mine.recv_bytes()
        self.start = time.perf_counter() - began
        left = iter(work.shards)
        busy = {mine for mine in ours if _give(mine, next(left, None))}
        while busy:
            for mine in [mine for mine in wait(list(busy)) if isinstance(mine, Connection)]:
                answer = msgspec.json.decode(mine.recv_bytes(), type=Answer)
                if not _give(mine, next(left, None)):
                    busy.discard(mine)
                outcome = answer.receipt or answer.failure
                assert outcome is not None
                work.settle(outcome)
        for mine, process in zip(ours, processes, strict=True):
            mine.send_bytes(b"")
            self.costs.append(msgspec.json.decode(mine.recv_bytes(), type=Cost))
            process.join()


def _give(pipe: Any, shard: Shard | None) -> bool:
    if shard is not None:
        pipe.send_bytes(msgspec.json.encode(shard))
    return shard is not None


def _serve(pipe: Any, recipe: bytes) -> None:
    from benchmarks.batch.usage import peak

    job, state = _opened(recipe)
    started = time.process_time()
    pipe.send_bytes(b"")
    while told := pipe.recv_bytes():
        outcome = try_shard(job, msgspec.json.decode(told, type=Shard), state)
        key = "receipt" if isinstance(outcome, Receipt) else "failure"
        pipe.send_bytes(msgspec.json.encode(Answer(**{key: outcome})))  # type: ignore[arg-type]
    pipe.send_bytes(msgspec.json.encode(Cost(started, time.process_time(), peak())))


@functools.lru_cache(1)
def _opened(recipe: bytes) -> tuple[Job, RunState]:
    pa.set_cpu_count(1)
    job, state = open_recipe(msgspec.msgpack.decode(recipe, type=Recipe))
    job.pipeline.program  # type: ignore[attr-defined]  # noqa: B018  # made now, and not with the first rows
    return job, state
