"""Checks of what a sink holds: the rows that were written, however they came."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from engine.errors import DataError
from engine.runtime.io import open_source
from engine.testing.batch import passing, run
from engine.testing.outcome import CheckFailedError, described, running
from engine.testing.sinks.bench import WRITE, SinkBench

_ODD: tuple[tuple[pa.DataType, Any], ...] = (
    (pa.uint64(), 2**64 - 1),
    (pa.decimal128(5, 2), None),
    (pa.date32(), 1),
    (pa.time64("us"), 1),
    (pa.duration("s"), 1),
    (pa.binary(), b"a"),
    (pa.large_string(), "a"),
    (pa.dictionary(pa.int32(), pa.string()), "a"),
    (pa.list_(pa.int64()), [1]),
    (pa.struct([("a", pa.int64())]), {"a": 1}),
    (pa.null(), None),
)
"""Types that a kept column may have, each with a value."""


def reads_back(bench: SinkBench) -> None:
    """What was written reads back equal."""
    bench.need_open()
    if bench.misread is not None:
        raise CheckFailedError(bench.misread)


def unusual_values(bench: SinkBench) -> None:
    """Missing, infinite and extreme numbers, quotes and line breaks in text read back equal."""
    bench.need_open()
    path = bench.fresh("unusual") / bench.file
    bench.write(path, bench.unusual, "given unusual values")
    remedy = "what it can't hold, refuse by check_columns(); a missing number may be read as null or as NaN"
    bench.same(path, bench.unusual, "written", remedy)


def columns(bench: SinkBench) -> None:
    """A column that it can't hold is refused by a `DataError` that names it; any other can be written."""
    bench.need_open()
    for kind, value in _ODD:
        rows = pa.table({"kept": pa.array([value, None], kind)})
        folder = bench.fresh("columns")
        check = bench.sink(folder / bench.file).check_columns
        try:
            check(rows.schema)
        except DataError as error:
            if "kept" not in str(error):
                raise CheckFailedError(
                    f"a column of {kind} is refused, and the message doesn't name it: {error}"
                ) from None
            continue
        except Exception as error:
            raise CheckFailedError(
                f"given a column of {kind}, check_columns() raises {described(error)}; raise DataError"
            ) from error
        remedy = "refuse it in check_columns(), which is asked before anything is read"
        with (
            running(f"given a column of {kind}", remedy),
            bench.sink(folder / bench.file).open(rows.schema) as writer,
        ):
            for batch in rows.to_batches():
                writer.write(batch)


def empty(bench: SinkBench) -> None:
    """Of no rows it makes an output without rows, of the same columns where its format can say them."""
    bench.need_open()
    none = bench.rows.slice(0, 0)
    rowless = pa.RecordBatch.from_pylist([], schema=none.schema)
    for name, batches in (("no batches", []), ("a batch of no rows", [rowless])):
        path = bench.fresh("empty") / bench.file
        bench.write_batches(path, none.schema, batches, f"given {name}")
        if not path.exists():
            raise CheckFailedError(
                f"given {name}, nothing is there afterwards; write the columns all the same"
            )
        # a file of lines without a head is nothing to its source
        with running(f"given {name}, read back", "what was written can be read", allowed=DataError):
            bench.read(path)
            bench.same(path, none, f"given {name}", "write the columns all the same")


def batches(bench: SinkBench) -> None:
    """Many small batches are written as one large."""
    bench.need_open()
    path = bench.fresh("batches") / bench.file
    cut = bench.rows.combine_chunks().to_batches(max_chunksize=7)
    parts = [*cut[:1], cut[0].slice(0, 0), *cut[1:]] if cut else cut
    bench.write_batches(path, bench.rows.schema, parts, "given batches of 7 rows")
    bench.same(path, bench.rows, "given batches of 7 rows", "append each batch behind the last")


def coded(bench: SinkBench) -> None:
    """Text that comes dictionary-encoded, where it says that it takes that, reads back as text."""
    bench.need_open()
    rows = pa.table({"text": pa.array(["red", None, "", "red", "blue"] * 20)})
    path = bench.fresh("coded") / bench.file
    if not bench.sink(path).takes_coded or not bench.held(rows).num_columns:
        return
    first, second, third, fourth = rows.combine_chunks().to_batches(max_chunksize=25)
    with_null = pa.DictionaryArray.from_arrays(
        pa.array(
            [0 if text is None else 1 + ["red", "", "blue"].index(text) for text in third["text"].to_pylist()]
        ),
        pa.array([None, "red", "", "blue"]),
    )
    mixed = [_coded(first.column(0)), second.column(0), with_null, _coded(fourth.column(0))]
    given = [pa.RecordBatch.from_arrays([column], ["text"]) for column in mixed]
    how = "given text as dictionaries in some batches"
    bench.write_batches(path, rows.schema, given, how)
    remedy = "write text as text, each batch by its own dictionary, or say takes_coded = False"
    bench.same(path, rows, how, remedy)


def _coded(column: pa.Array) -> pa.Array:
    return column if pt.is_dictionary(column.type) else column.dictionary_encode()


def threads(bench: SinkBench) -> None:
    """Several threads that write in turn write what one does."""
    bench.need_open()
    path = bench.fresh("threads") / bench.file
    how = "written by threads in turn"
    with (
        running(how, WRITE),
        ThreadPoolExecutor(1) as first,
        ThreadPoolExecutor(1) as second,
        bench.sink(path).open(bench.rows.schema) as writer,
    ):
        for number, batch in enumerate(bench.rows.combine_chunks().to_batches(max_chunksize=29)):
            (second if number % 2 else first).submit(writer.write, batch).result()
    bench.same(path, bench.rows, how, WRITE)


def batch(bench: SinkBench) -> None:
    """`engine batch` writes to it what `predict_many` gives."""
    bench.need_open()
    folder = bench.fresh("batch")
    pq.write_table(bench.rows, folder / "rows.parquet")
    source = open_source({"path": str(folder / "rows.parquet")})
    pipeline = passing(bench.rows.schema)
    (folder / "out").mkdir()
    path = folder / "out" / bench.file
    with running("written by a batch", WRITE):
        sink = bench.sink(path)
        # a pipeline makes other types of the same values
        sink.check_columns(pipeline.output_schema(source.schema))
        run(pipeline, source, sink)
    bench.same(path, pipeline.predict_many(bench.rows), "written by a batch", "see the other checks, too")
