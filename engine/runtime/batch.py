"""A source to a sink: checked, cut in shards where the sink takes them, scored and committed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.errors import DataError
from engine.runtime.executors.alone import Alone
from engine.runtime.executors.local import Threads
from engine.runtime.groups import check_grouping
from engine.runtime.io.apart import check_apart
from engine.runtime.io.piece import Piece
from engine.runtime.io.pipe import PipeSource
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.line import helped
from engine.runtime.onego import OneGo
from engine.runtime.piped import check_output, check_run, columns_to_read, source_schema
from engine.runtime.rejects import Rejects, check_rejects, rejects_path
from engine.runtime.shards.cut import SHARD_ROWS, cut, cut_between_groups
from engine.runtime.shards.drive import Driver, Progress, Resume
from engine.runtime.shards.identity import identify, run_id
from engine.runtime.shards.job import BatchPipeline as BatchPipeline
from engine.runtime.shards.job import Job
from engine.runtime.shards.news import new_pieces
from engine.runtime.shards.pace import PaceKeeper
from engine.runtime.shards.plan import Commit, Plan, Shard
from engine.runtime.shards.score import score_shard
from engine.runtime.shards.sink import RunState, ShardedSink
from engine.runtime.shards.work import Executor, Stated
from engine.schema import Kind
from engine.sink import Sink
from engine.source import FilesSource, PiecedSource, Source

_MOST_ROWS, _LEAST_ROWS = 1 << 17, 1 << 14
"""Rows of a batch: with more, batches leave the caches; with fewer, what is done for each counts."""

_NO_NEWS = (
    "source.new_only needs files to read, and a sink that remembers what it has of them: a folder or a table;"
    " {source} and {sink} are not"
)


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What a batch did.

    Parameters
    ----------
    rows_in, rows_out, rejected : int
        ``rows_in == rows_out + rejected``.
    seconds : float
    files : tuple of str
        The files written.
    rejects : str or None
        The file of rejected rows, if there are any.
    columns : tuple of str
        The columns of the output.
    sink : str
        What messages call it.
    scored : int
        Rows read by this process.
    run_id : str or None
        None: the sink takes no shards.
    shards, resumed : int
        In all, and done by earlier processes.
    now : bool
        False: all of it was committed before, and there was nothing to do.
    outputs : mapping of str to dict
        How the values of each output column are spread.
    """

    rows_in: int
    rows_out: int
    rejected: int
    seconds: float
    files: tuple[str, ...]
    rejects: str | None
    columns: tuple[str, ...]
    sink: str
    scored: int
    run_id: str | None = None
    shards: int = 1
    resumed: int = 0
    now: bool = True
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was looked at, and can be run.

    Parameters
    ----------
    job : Job
    sink : Sink
    plan : Plan or None
        None: the sink takes no shards.
    state : RunState or None
    """

    job: Job
    sink: Sink
    plan: Plan | None
    state: RunState | None

    def driver(
        self,
        executor: Executor,
        resume: Resume = "auto",
        progress: Progress | None = None,
        stated: Stated | None = None,
    ) -> Driver:
        """What runs it, or says what it would do."""
        assert self.plan is not None and self.state is not None and isinstance(self.sink, ShardedSink)
        return Driver(self.job, self.plan, self.sink, self.state, executor, resume, progress, stated)


def run_batch(
    pipeline: BatchPipeline,
    source: Source,
    sink: Sink,
    *,
    rejects: Rejects | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    batch_rows: int | None = None,
    shard_rows: int | None = None,
    resume: Resume = "auto",
    new_only: bool = False,
    progress: Progress | None = None,
    stated: Stated | None = None,
) -> BatchSummary:
    """Score every row of a source into a sink.

    What was begun and not committed is continued; what is committed is left as it is. The memory it takes
    depends on ``batch_rows`` and ``threads``, not on the size of the source; where stages need whole groups,
    on the number of groups and the greatest of them, too.

    Parameters
    ----------
    pipeline : BatchPipeline
    source : Source
    sink : Sink
    rejects : Rejects, optional
        How many rows may be refused and where they go; none may, unless given.
    executor : Executor, optional
        Who scores the shards; None: threads of this process.
    threads : int, optional
        How many read, score and write in turn; None is one for each processor.
    batch_rows : int, optional
        Rows that are read and scored at a time; None is 131,072, or fewer for a small source.
    shard_rows : int, optional
        Rows of a shard; None is 1,048,576.
    resume : {"auto", "never", "require"}
        What happens to a run that was begun: it is continued; discarded; must be there.
    new_only : bool
        Read only files that no committed run of the sink has read.
    progress : callable, optional
        ``progress(pace)``, from any thread.
    stated : Stated, optional
        What the config said, for executors that work in other processes.

    Returns
    -------
    BatchSummary

    Raises
    ------
    DataError
        The source doesn't fit, can't be read, or has more bad rows than allowed, or the sink can't be
        written.
    UnfinishedError
        The run ended before it was done; the same call continues it.
    FailedShardsError
        Some shards couldn't be scored.
    """
    started = time.perf_counter()
    threads = threads or len(os.sched_getaffinity(0))
    check_run(source, sink, executor, resume)
    batch = plan_batch(
        pipeline,
        source,
        sink,
        rejects=rejects,
        threads=threads,
        batch_rows=batch_rows,
        shard_rows=shard_rows,
        new_only=new_only,
    )
    if batch is None:
        return _nothing_new(sink)
    if batch.plan is None:
        return _in_one_go(batch, threads, progress, started)
    if isinstance(source, PipeSource):
        executor = Alone()
    driver = batch.driver(executor or Threads(threads), resume, progress, stated)
    ended = driver.run()
    told = ended.commit.summary
    return BatchSummary(
        rows_in=told["rows_in"],
        rows_out=told["rows_out"],
        rejected=told["rejected"],
        seconds=time.perf_counter() - started,
        files=_files(sink, ended.commit),
        rejects=ended.commit.rejects or None,
        columns=tuple(told["columns"]),
        sink=str(sink.path),
        scored=ended.scored,
        run_id=ended.commit.run_id,
        shards=told["shards"],
        resumed=ended.resumed,
        now=ended.now,
        outputs=told["outputs"],
    )


def plan_batch(
    pipeline: BatchPipeline,
    source: Source,
    sink: Sink,
    *,
    rejects: Rejects | None = None,
    threads: int = 1,
    batch_rows: int | None = None,
    shard_rows: int | None = None,
    new_only: bool = False,
) -> Batch | None:
    """Check a batch and cut its source; nothing is written, and of rows at most those of groups are read.

    Returns
    -------
    Batch or None
        None: only new files are to be read, and there are none.

    Raises
    ------
    DataError
        The source doesn't fit the pipeline, or the sink can't hold its output.
    ConfigError
        A stage doesn't say what its groups are.
    """
    rejects = rejects or Rejects()
    check_output(sink, rejects)
    schema = _check(pipeline, source, sink, rejects)
    columns = columns_to_read(pipeline, source)
    if isinstance(source, FilesSource):
        source.check_columns(columns)
    state = sink.state(rejects) if isinstance(sink, ShardedSink) else None
    shard_rows = shard_rows or SHARD_ROWS
    plan = None
    name = ""
    if new_only and (state is None or not isinstance(source, PiecedSource)):
        raise DataError(_NO_NEWS.format(source=source.path, sink=sink.path))
    if state is None:
        sink.check()
        check_rejects(rejects, sink)
    else:
        assert isinstance(sink, ShardedSink)
        pieces: Sequence[Piece] = source.pieces() if isinstance(source, PiecedSource) else ()
        if new_only:
            pieces = new_pieces(pieces, state, sink)
            if not pieces:
                return None
        identity, resumable = identify(pipeline, source, pieces, sink.identity, rejects, shard_rows)
        name = run_id(identity)
        plan = state.plan(name) or Plan(
            name, identity, _shards(pipeline, source, pieces, shard_rows), resumable
        )
    job = Job(
        run_id=name,
        pipeline=pipeline,
        source=source,
        rejects=rejects,
        schema=schema,
        columns=columns,
        coded=tuple(_coded(pipeline, schema, sink)),
        takes_coded=sink.takes_coded,
        batch_rows=batch_rows or _batch_rows(source.rows, threads),
        is_final=isinstance(sink, PipeSink),
    )
    return Batch(job, sink, plan, state)


def _check(pipeline: BatchPipeline, source: Source, sink: Sink, rejects: Rejects) -> pa.Schema:
    check_grouping(pipeline.plan)
    columns = source_schema(pipeline, source)
    pipeline.check_schema(columns, str(source.path), text=source.text)
    check_apart(source, sink.path, rejects_path(rejects, sink))
    schema = pipeline.output_schema(columns)
    sink.check_columns(schema)
    return schema


def _shards(
    pipeline: BatchPipeline, source: Source, pieces: Sequence[Piece], shard_rows: int
) -> tuple[Shard, ...]:
    if not pieces or not isinstance(source, PiecedSource):
        return (Shard(0, (), source.rows),)
    grouped = [item for item in pipeline.plan.inputs if item.name in pipeline.groups]
    if grouped:
        return cut_between_groups(source, pieces, grouped, shard_rows)
    return cut(pieces, shard_rows)


def _in_one_go(batch: Batch, threads: int, progress: Progress | None, started: float) -> BatchSummary:
    job = batch.job
    shard = Shard(0, (), job.source.rows)
    keeper = PaceKeeper([shard], [])
    state = OneGo(job, batch.sink)

    def told(index: int, rows: int) -> None:
        keeper.told(index, rows)
        if progress is not None:
            progress(keeper.now())

    # a pipe may have nothing to say for long, and a signal ends the wait of this thread alone
    if isinstance(job.source, PipeSource) or isinstance(batch.sink, PipeSink):
        threads = 1
    receipt = score_shard(
        job, shard, state, lend=partial(helped, threads=threads), told=told, threads=threads
    )
    return BatchSummary(
        rows_in=receipt.rows_in,
        rows_out=receipt.rows_out,
        rejected=receipt.rejected,
        seconds=time.perf_counter() - started,
        files=tuple(map(str, state.files)),
        rejects=str(state.rejects) if receipt.rejected else None,
        columns=tuple(job.schema.names),
        sink=str(batch.sink.path),
        scored=receipt.rows_in,
        outputs={name: spread.described() for name, spread in receipt.spreads.items()},
    )


def _nothing_new(sink: Sink) -> BatchSummary:
    return BatchSummary(0, 0, 0, 0.0, (), None, (), str(sink.path), 0, now=False)


def _files(sink: Sink, commit: Commit) -> tuple[str, ...]:
    if not sink.is_folder:
        return (str(sink.path),)
    written = [file.name for file in commit.files if commit.run_id in file.name]
    return tuple(f"{sink.path}/{name}" for name in written)


def _batch_rows(rows: int | None, threads: int) -> int:
    """Some batches for each thread, so that reading, scoring and writing overlap in a small source, too."""
    if rows is None:
        return _MOST_ROWS
    return min(_MOST_ROWS, max(_LEAST_ROWS, -(-rows // (4 * threads))))


def _coded(pipeline: BatchPipeline, schema: pa.Schema, sink: Sink) -> list[str]:
    """Columns that had better come as the dictionaries which they may lie in.

    A category goes in as codes anyway, and what is derived from text once for each; kept text goes out as it
    came.
    """
    plan = pipeline.plan
    texts = (Kind.CATEGORY, Kind.TEXT)
    coded = [item.name for item in plan.inputs if item.kind in texts and item.name not in plan.keep]
    if sink.takes_coded:
        coded += [name for name in plan.keep if pt.is_string(schema.field(name).type)]
    return coded
