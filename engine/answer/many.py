"""Many rows at a time: tables, frames, lists of rows and streams, in threads where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from engine.answer.frames import Given, Places, is_stream, to_table
from engine.answer.refuse import refusal, reject_table
from engine.answer.table import TableAnswerer
from engine.compile.layout import Layout
from engine.plan.plan import Plan
from engine.values import BadValue

_LEAST = 4096
"""Rows that are worth a thread."""
_STREAMED = 131_072


class ManyAnswerer:
    """Answers whatever rows a caller has, in the form in which they came.

    Parameters
    ----------
    plan : Plan
    layout : Layout
    table : TableAnswerer
    """

    def __init__(self, plan: Plan, layout: Layout, table: TableAnswerer) -> None:
        self._plan = plan
        self._layout = layout
        self._table = table

    def answer(self, given: Any, *, rejects: bool, threads: int) -> Any:
        """See `engine.Pipeline.predict_many`."""
        if not is_stream(given):
            taken = to_table(given, self._plan.inputs, self._plan.keep, self._table.looks_at)
            return self._answer(taken, rejects, threads)
        reader = pa.RecordBatchReader.from_stream(given)
        if rejects or self._layout.groups:  # what is refused, and where groups end, is known at the end
            return self._answer(Given(reader.read_all(), _as_stream), rejects, threads)
        self._table.check_schema(reader.schema, "the stream")
        schema = self._table.output_schema(reader.schema)
        return pa.RecordBatchReader.from_batches(schema, self._stream(reader, threads))

    def _stream(self, reader: pa.RecordBatchReader, threads: int) -> Iterator[pa.RecordBatch]:
        done = 0
        for whole in reader:
            for start in range(0, whole.num_rows, _STREAMED):
                part = whole.slice(start, _STREAMED)
                answer, bad = self._score(part, threads)
                if bad:
                    raise refusal([_moved(value, done) for value in bad])
                done += part.num_rows
                yield from answer.to_batches()

    def _answer(self, given: Given, rejects: bool, threads: int) -> Any:
        table = given.table
        self._table.check_schema(table.schema, "the table")
        answer, bad = self._score(table, threads, given.bad)
        refused = [value for value in bad if value.fatal] or ([] if rejects else bad)
        if refused:
            raise refusal(refused)
        places = np.arange(table.num_rows)
        if not bad:
            made = given.back(answer, places)
            return (made, reject_table(bad)) if rejects else made
        gone = np.unique([value.row for value in bad])
        return given.back(answer, np.delete(places, gone)), reject_table(bad)

    def _score(
        self, table: pa.Table | pa.RecordBatch, threads: int, known: list[BadValue] | None = None
    ) -> tuple[pa.Table, list[BadValue]]:
        starts = [0] if known else self._starts(table, threads)
        slices = [
            table.slice(start, stop - start) for start, stop in pairwise([*starts, max(table.num_rows, 1)])
        ]
        score: Callable[[Any], Any] = lambda part: self._table.score(part, text=False, known=known or ())  # noqa: E731
        if threads > 1 and len(slices) > 1:
            with ThreadPoolExecutor(threads) as pool:
                results = list(pool.map(score, slices))
        else:
            results = [score(part) for part in slices]
        bad = [
            _moved(value, start) for start, (_, found) in zip(starts, results, strict=True) for value in found
        ]
        parts = [out for out, _ in results]
        return pa.Table.from_batches(parts, parts[0].schema), bad

    def _starts(self, table: pa.Table | pa.RecordBatch, threads: int) -> list[int]:
        """Where the parts of a table begin that threads take: at any row, or at one that begins a group."""
        size = max(_LEAST, -(-table.num_rows // max(1, threads) // _LEAST) * _LEAST)
        starts = list(range(0, max(table.num_rows, 1), size))
        if len(starts) == 1 or not self._layout.groups:
            return starts
        cuts = self._table.cuts(table)
        found = np.searchsorted(cuts, starts[1:])
        return [0, *np.unique(cuts[found[found < len(cuts)]]).tolist()]


def _moved(value: BadValue, rows: int) -> BadValue:
    return BadValue(value.row + rows, value.column, value.code, value.message, value.fatal)


def _as_stream(answer: pa.Table, places: Places) -> pa.RecordBatchReader:
    return answer.to_reader()
