"""One source to one sink: read, score and write in threads, in order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.types as pt

from engine.errors import DataError
from engine.plan.plan import Plan
from engine.runtime.groups import check_grouping, whole_groups
from engine.runtime.io.apart import check_apart
from engine.runtime.io.files import reason
from engine.runtime.line import in_order
from engine.runtime.rejects import Rejects, RejectsWriter, rejects_path
from engine.schema import Kind
from engine.sink import Sink
from engine.source import Source
from engine.values import BadValue

_MOST_ROWS, _LEAST_ROWS = 1 << 17, 1 << 14
"""Rows of a batch: with more, batches leave the caches; with fewer, what is done for each counts."""
Progress = Callable[[int, int | None], None]


class BatchPipeline(Protocol):
    """What a batch needs of a pipeline."""

    @property
    def plan(self) -> Plan: ...

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a source that must be read, kept ones too."""
        ...

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The inputs by which rows are grouped."""
        ...

    def score_batch(self, batch: pa.RecordBatch, *, text: bool) -> tuple[pa.RecordBatch, list[BadValue]]:
        """The output rows without refused ones, and why those are refused; safe to call from threads."""
        ...

    def check_schema(self, schema: pa.Schema, where: str, *, text: bool = False) -> None:
        """Raise `DataError` if a source's columns don't fit."""
        ...

    def output_schema(self, source: pa.Schema) -> pa.Schema:
        """The columns of the output."""
        ...


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What a batch did.

    Parameters
    ----------
    rows_in, rows_out, rejected : int
        ``rows_in == rows_out + rejected``.
    seconds : float
    files : tuple of Path
        The files written.
    rejects : Path or None
        The file of rejected rows, if there are any.
    columns : tuple of str
        The columns of the output.
    """

    rows_in: int
    rows_out: int
    rejected: int
    seconds: float
    files: tuple[Path, ...]
    rejects: Path | None
    columns: tuple[str, ...]


@dataclass(slots=True)
class _Count:
    rows: int = 0
    written: int = 0
    rejected: int = 0


def run_batch(
    pipeline: BatchPipeline,
    source: Source,
    sink: Sink,
    *,
    rejects: Rejects | None = None,
    batch_rows: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> BatchSummary:
    """Score every row of a source into a sink.

    The memory it takes depends on ``batch_rows`` and ``threads``, not on the size of the source; where stages
    need whole groups, on the number of groups and the greatest of them, too.

    Parameters
    ----------
    pipeline : BatchPipeline
    source : Source
    sink : Sink
    rejects : Rejects, optional
        How many rows may be refused and where they go; none may, unless given.
    batch_rows : int, optional
        Rows that are read and scored at a time; None is 131,072, or fewer for a small source.
    threads : int, optional
        How many read, score and write in turn; None is one for each processor.
    progress : callable, optional
        ``progress(rows_done, rows_total)``; the total is None where it isn't known.

    Returns
    -------
    BatchSummary

    Raises
    ------
    DataError
        The source doesn't fit, can't be read, or has more bad rows than allowed, or the sink can't be
        written. Nothing is then left behind.
    """
    started = time.perf_counter()
    rejects = rejects or Rejects()
    threads = threads or len(os.sched_getaffinity(0))
    batch_rows = batch_rows or _batch_rows(source.rows, threads)
    schema = check_batch(pipeline, source, sink, rejects)
    columns = tuple(name for name in pipeline.reads if name in set(source.schema.names))
    count = _Count()
    with ExitStack() as stack:
        refused = RejectsWriter(rejects, pipeline.plan.inputs, source, sink)
        stack.push(refused.settle)
        writer = stack.enter_context(sink.open(schema))
        # left, and so committed, before the output: where an output is, no row is lost
        stack.enter_context(refused)

        def score(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[BadValue]]:
            answer, bad = pipeline.score_batch(batch, text=source.text)
            return _conform(answer, schema, source.path, sink.takes_coded), bad

        def settle(batch: pa.RecordBatch, scored: tuple[pa.RecordBatch, list[BadValue]]) -> None:
            answer, bad = scored
            rejected = refused.add(batch, count.rows, bad)
            if answer.num_rows + rejected != batch.num_rows:
                raise RuntimeError(
                    f"{source.path}: of {batch.num_rows} rows, {answer.num_rows} were scored"
                    f" and {rejected} rejected"
                )
            count.rows += batch.num_rows
            count.rejected += rejected
            refused.check(count.rows)
            writer.write(answer)
            count.written += answer.num_rows
            if progress is not None:
                progress(count.rows, source.rows)

        batches = source.batches(columns, batch_rows, _coded(pipeline, schema, sink))
        grouped = [item for item in pipeline.plan.inputs if item.name in pipeline.groups]
        if grouped:
            batches = whole_groups(grouped, source, batches)
        in_order(batches, score, settle, threads)
        refused.check(count.rows, final=True)
        if source.rows is not None and source.rows != count.rows:
            raise DataError(
                f"{source.path}: expected {source.rows:,} rows, read {count.rows:,};"
                " did a file change meanwhile?"
            )
    return BatchSummary(
        rows_in=count.rows,
        rows_out=count.written,
        rejected=count.rejected,
        seconds=time.perf_counter() - started,
        files=writer.files(),
        rejects=refused.path if count.rejected else None,
        columns=tuple(schema.names),
    )


def check_batch(
    pipeline: BatchPipeline, source: Source, sink: Sink, rejects: Rejects | None = None
) -> pa.Schema:
    """Refuse what `run_batch` would refuse before it reads a row.

    Returns
    -------
    pyarrow.Schema
        The columns of the output.

    Raises
    ------
    DataError
        The source doesn't fit the pipeline, or the sink, or that of the rejects, can't be written.
    ConfigError
        A stage doesn't say what its groups are.
    """
    rejects = rejects or Rejects()
    _check(pipeline, source, sink, rejects)
    schema = pipeline.output_schema(source.schema)
    sink.check_columns(schema)
    sink.check()
    RejectsWriter(rejects, pipeline.plan.inputs, source, sink).__enter__()  # it only looks
    return schema


def _check(pipeline: BatchPipeline, source: Source, sink: Sink, rejects: Rejects) -> None:
    check_grouping(pipeline.plan)
    pipeline.check_schema(source.schema, str(source.path), text=source.text)
    check_apart(source, sink.path, rejects_path(rejects, sink))


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


def _conform(answer: pa.RecordBatch, schema: pa.Schema, path: Path, takes_coded: bool) -> pa.RecordBatch:
    """The answer with the columns' types as promised: a kept column may differ from file to file."""
    if answer.schema.equals(schema):
        return answer
    arrays = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        column = answer.column(name)
        found = column.type
        if takes_coded and pt.is_dictionary(found) and not pt.is_dictionary(kind):
            # dictionaries with a null in them can't be made one
            found = found if column.dictionary.null_count else found.value_type
        try:
            arrays.append(column if found == kind else column.cast(kind))
        except pa.ArrowException as error:
            raise DataError(f"{path}: column '{name}' can't be kept as {kind}: {reason(error)}") from None
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)
