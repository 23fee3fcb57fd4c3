"""The one function that scores a shard, whoever calls it and wherever."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.types as pt

from engine.errors import DataError, EngineError, fault
from engine.failpoint import reach
from engine.runtime.groups import whole_groups
from engine.runtime.io.files import SinkError, reason
from engine.runtime.io.piece import InputChanged
from engine.runtime.line import Line
from engine.runtime.rejects import Refusals, RefusedError, check_share, rejected_schema
from engine.runtime.shards.job import Job
from engine.runtime.shards.plan import Receipt, Shard
from engine.runtime.shards.sink import Attempt, Attempts
from engine.runtime.shards.spread import SpreadCounter
from engine.source import PiecedSource, SourcePart
from engine.values import BadValue

Lend = Callable[[Line[Any, Any]], AbstractContextManager[None]]
"""Lets other threads join a line for as long as a block runs."""
Told = Callable[[int, int], None]
"""``told(shard, rows)``: so many rows more were read of a shard."""
_MOST_UNDER_WAY = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """That a shard couldn't be scored.

    Parameters
    ----------
    shard : int
    why : {"data", "refused", "changed", "sink", "fault"}
        What it reads is wrong; rows that may not be are refused; a file has changed; the sink can't be
        written; anything else, which may pass.
    message : str
    """

    shard: int
    why: Literal["data", "refused", "changed", "sink", "fault"]
    message: str

    @property
    def may_pass(self) -> bool:
        """Whether another attempt makes sense."""
        return self.why == "fault"


Outcome = Receipt | Failure


def try_shard(
    job: Job,
    shard: Shard,
    state: Attempts,
    *,
    lend: Lend | None = None,
    told: Told | None = None,
    threads: int = 1,
) -> Outcome:
    """`score_shard`, with what goes wrong as a `Failure`."""
    try:
        return score_shard(job, shard, state, lend=lend, told=told, threads=threads)
    except RefusedError as error:
        return Failure(shard.index, "refused", str(error))
    except InputChanged as error:
        return Failure(shard.index, "changed", str(error))
    except SinkError as error:
        return Failure(shard.index, "sink", str(error))
    except DataError as error:
        return Failure(shard.index, "data", str(error))
    except EngineError as error:  # it says itself where it was
        return Failure(shard.index, "fault", " ".join(str(error).split()))
    except Exception as error:
        return Failure(shard.index, "fault", fault(error))


def score_shard(
    job: Job,
    shard: Shard,
    state: Attempts,
    *,
    lend: Lend | None = None,
    told: Told | None = None,
    threads: int = 1,
) -> Receipt:
    """Score the rows of a shard, and publish what came of them.

    Parameters
    ----------
    job : Job
    shard : Shard
    state : Attempts
    lend : callable, optional
    told : callable, optional
    threads : int
        How many may join, this one included.

    Returns
    -------
    Receipt
        The one that stands: of this attempt, or of another that was faster.

    Raises
    ------
    DataError
        The source can't be read, rows are refused that may not be, or the sink can't be written. Nothing of
        this attempt is then left behind.
    """
    source = job.source
    if shard.pieces:
        assert isinstance(source, PiecedSource)
        source = source.part(shard.pieces)
    inputs = job.pipeline.plan.inputs
    refusals = Refusals(inputs, source)
    counters = {name: SpreadCounter() for name in job.schema.names if name not in job.pipeline.plan.keep}
    rows_in = rows_out = 0

    def score(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[BadValue]]:
        answer, bad = job.pipeline.score_batch(batch, text=source.text)
        return conform(answer, job.schema, str(source.path), job.takes_coded), bad

    with state.attempt(job.run_id, shard.index, job.schema, rejected_schema(job.columns)) as attempt:

        def settle(batch: pa.RecordBatch, scored: tuple[pa.RecordBatch, list[BadValue]]) -> None:
            nonlocal rows_in, rows_out
            answer, bad = scored
            before = refusals.count
            _reject(attempt, refusals.take(batch, rows_in, bad))
            rejected = refusals.count - before
            if answer.num_rows + rejected != batch.num_rows:
                raise RuntimeError(
                    f"{source.path}: of {batch.num_rows} rows, {answer.num_rows} were scored"
                    f" and {rejected} rejected"
                )
            rows_in += batch.num_rows
            written = rows_out if job.is_final else 0
            check_share(
                job.rejects, inputs, refusals.count, rows_in, job.source.rows, refusals.samples, written
            )
            attempt.write(answer)
            rows_out += answer.num_rows
            for name, counter in counters.items():
                counter.add(answer.column(name))
            if told is not None:
                told(shard.index, batch.num_rows)
            reach("shard.settled")

        batches = source.batches(job.columns, job.batch_rows, job.coded)
        grouped = [item for item in inputs if item.name in job.pipeline.groups]
        if grouped:
            batches = whole_groups(grouped, source, batches)
        line = Line(batches, score, settle, _MOST_UNDER_WAY * threads)
        with lend(line) if lend else nullcontext():
            line.finish()
        expected = shard.rows if shard.pieces else source.rows
        if expected is not None and expected != rows_in:
            raise InputChanged(
                f"{source.path}: expected {expected:,} rows, read {rows_in:,}; did a file change meanwhile?"
            )
        receipt = Receipt(
            shard.index,
            rows_in,
            rows_out,
            refusals.count,
            read=source.counts() if isinstance(source, SourcePart) else (),
            spreads={name: counter.spread() for name, counter in counters.items()},
            samples=tuple(refusals.samples),
        )
        reach("shard.scored")
        return attempt.publish(receipt)


def _reject(attempt: Attempt, rejected: pa.RecordBatch | None) -> None:
    if rejected is not None:
        attempt.reject(rejected)


def conform(answer: pa.RecordBatch, schema: pa.Schema, where: str, takes_coded: bool) -> pa.RecordBatch:
    """The answer with the columns' types as promised: a kept column may differ from file to file.

    Raises
    ------
    DataError
        A kept column can't be made what it is in other files.
    """
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
            raise DataError(f"{where}: column '{name}' can't be kept as {kind}: {reason(error)}") from None
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)
