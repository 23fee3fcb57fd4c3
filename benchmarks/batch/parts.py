"""What reading, scoring and writing take, each by itself in one thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from engine.pipeline import Pipeline
from engine.runtime.batch import plan_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import rejected_schema
from engine.runtime.shards.plan import Receipt
from engine.runtime.shards.score import conform
from engine.runtime.shards.spread import SpreadCounter
from engine.source import PiecedSource

PARTS = ("reading", "scoring", "counting", "writing", "publishing", "commit")
"""In order; counting is how scores are spread, publishing has an attempt on the disk with its receipt."""


class Watch:
    """Seconds of this thread by what they were spent on: of the processor, and by the clock."""

    def __init__(self) -> None:
        self.processor = dict.fromkeys(PARTS, 0.0)
        self.wall = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Add a block's."""
        began, spent = time.perf_counter(), time.thread_time()
        yield
        self.processor[part] += time.thread_time() - spent
        self.wall[part] += time.perf_counter() - began


def parts_of(pipeline: Pipeline, source: dict[str, Any], sink: dict[str, Any]) -> dict[str, float]:
    """The seconds of each part of a run over a source, which is scored shard by shard in this thread."""
    pa.set_cpu_count(1)
    batch = plan_batch(pipeline, open_source(source), open_sink(sink), threads=1)
    assert batch is not None
    assert batch.plan is not None
    assert batch.state is not None
    job, plan, state = batch.job, batch.plan, batch.state
    assert isinstance(job.source, PiecedSource)
    rejected, watch, receipts, rows = rejected_schema(job.columns), Watch(), {}, 0
    told = [name for name in job.schema.names if name not in pipeline.plan.keep]
    state.begin(plan)
    for shard in plan.shards:
        part = job.source.part(shard.pieces)
        batches = part.batches(job.columns, job.batch_rows, job.coded)
        answers = []
        while True:
            with watch.on("reading"):
                read = next(batches, None)
            if read is None:
                break
            with watch.on("scoring"):
                answer, _ = pipeline.score_batch(read, text=part.text)
                answers.append(conform(answer, job.schema, "", job.takes_coded))
        counters = {name: SpreadCounter() for name in told}
        with watch.on("counting"):
            for answer in answers:
                for name, counter in counters.items():
                    counter.add(answer.column(name))
            spreads = {name: counter.spread() for name, counter in counters.items()}
        count = sum(answer.num_rows for answer in answers)
        rows += count
        with state.attempt(plan.run_id, shard.index, job.schema, rejected) as attempt:
            with watch.on("writing"):
                for answer in answers:
                    attempt.write(answer)
            receipt = Receipt(shard.index, count, count, 0, part.counts(), spreads)
            with watch.on("publishing"):
                receipts[shard.index] = attempt.publish(receipt)
    with watch.on("commit"):
        state.commit(plan, receipts, job.schema, rejected, {})
    processor = {f"processor: {part}": seconds for part, seconds in watch.processor.items()}
    return {"rows": float(rows), **processor, **{f"wall: {p}": s for p, s in watch.wall.items()}}
