"""Checks of the rows that a source gives: the same ones, however they are read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from engine.errors import DataError, listing
from engine.runtime.io import open_sink, open_source
from engine.testing.batch import passing, run
from engine.testing.outcome import CheckFailedError, NotCheckedError, running
from engine.testing.rows import KINDS, difference, kind_of
from engine.testing.sources.bench import READ, SourceBench, read, same, together

_TEXT = KINDS[-1]


def rows(bench: SourceBench) -> None:
    """It gives the rows that are there, in order."""
    said = difference(bench.read_whole(), bench.full.rows, text=bench.source.text)
    if said is not None:
        raise CheckFailedError(f"read as a whole, {said}; give the rows that are there, in order")


def batch_rows(bench: SourceBench) -> None:
    """No batch is larger than asked, and cut in any way the rows are the same."""
    source, whole = bench.source, bench.whole
    for size in (1, 2, 7, max(1, whole.num_rows - 1), whole.num_rows + 1):
        how = f"read in batches of {size:,} rows"
        with running(how, READ):
            batches = list(source.batches(None, size))
        largest = max((batch.num_rows for batch in batches), default=0)
        if largest > size:
            raise CheckFailedError(
                f"asked for batches of at most {size:,} rows, it gives one of {largest:,}; cut it: "
                "memory is reckoned by that"
            )
        same(together(batches, source, None), whole, how, "batches may be cut anywhere")


def columns(bench: SourceBench) -> None:
    """It gives the columns that are asked for, in that order; of none, as many rows."""
    source, whole = bench.source, bench.whole
    names = whole.column_names
    some: list[list[str]] = [names[::-1], names[:1], names[-1:], names[1::2], []]
    for asked in some:
        how = f"asked for the columns {asked}"
        found = read(source, asked, how=how)
        remedy = "give these columns, in this order; of none, batches that have rows and no columns"
        same(found, whole.select(asked), how, remedy)


def coded(bench: SourceBench) -> None:
    """Text that may come dictionary-encoded is the same text."""
    source, whole = bench.source, bench.whole
    texts = [field.name for field in bench.full.rows.schema if kind_of(field.type) is _TEXT]
    how = f"asked for {texts} as dictionaries, or as it is"
    found = read(source, None, 50, texts, how)
    same(found, whole, how, "'coded' may change the encoding, and nothing else")


def twice(bench: SourceBench) -> None:
    """Read again, also after a reading that was left halfway, it gives the same rows."""
    source, whole = bench.source, bench.whole
    with running("left halfway", READ):
        halfway = iter(source.batches(None, 1))
        next(halfway, None)
        del halfway
    same(read(source, how="read again"), whole, "read again", "let batches() begin anew each time")


def empty(bench: SourceBench) -> None:
    """A place without rows has none; what can't be told apart from nothing is a `DataError`."""
    bench.need_open()
    try:
        nothing = bench.written("none", bench.full.rows.slice(0, 0))
    except NotCheckedError:
        raise
    except Exception as error:
        raise NotCheckedError(f"rows that are none can't be written: {error}") from error
    how = "opened where there are no rows"
    with running(how, "give no batches, or empty ones", allowed=DataError):
        source = bench.open(nothing)
        found = read(source, how=how)
        if found.num_rows or found.column_names != nothing.rows.column_names:
            raise CheckFailedError(
                f"{how}, it gives {found.num_rows:,} rows of the columns {listing(found.column_names)}; "
                "give no batches, or empty ones"
            )
        if source.rows:
            raise CheckFailedError(f"{how}, it says that there are {source.rows:,}")


def threads(bench: SourceBench) -> None:
    """Opened in one thread it is read in others, which take batches in turn."""
    whole = bench.whole
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        with running("opened in another thread", READ):
            source = first.submit(bench.open, bench.full).result()
        with running("read by two threads in turn", READ):
            batches = list(_in_turn(iter(source.batches(None, 7)), first, second))
    found = together(batches, source, None)
    same(found, whole, "read by two threads in turn", READ)


def _in_turn(
    batches: Iterator[pa.RecordBatch], first: ThreadPoolExecutor, second: ThreadPoolExecutor
) -> Iterator[pa.RecordBatch]:
    while (batch := second.submit(next, batches, None).result()) is not None:
        first, second = second, first
        yield batch


def batch(bench: SourceBench) -> None:
    """`engine batch` gives for it what `predict_many` gives for the same rows."""
    wanted = bench.full.rows
    if difference(bench.whole, wanted, text=bench.source.text) is not None:
        raise NotCheckedError("see 'rows'")
    pipeline = passing(wanted.schema)
    out = bench.folder / "answers.parquet"
    with running("in a batch", READ):
        run(pipeline, bench.open(bench.full), open_sink({"path": str(out), "mode": "replace"}))
    remedy = "see 'rows' and 'threads'; 'text' says whether values come as text to be parsed"
    answers = read(open_source({"path": str(out)}))
    same(answers, pipeline.predict_many(wanted), "in a batch", remedy)
