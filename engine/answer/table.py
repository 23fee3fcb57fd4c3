"""Tables and batches to answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.compile.layout import is_passed
from engine.compile.program import Program
from engine.decode import TableDecoder
from engine.decode.arrow import plain
from engine.encode import arrow_type, to_arrow
from engine.errors import DataError, did_you_mean, listing
from engine.plan.plan import Plan
from engine.values import MISSING, BadValue, Categories, Values, take


class TableAnswerer:
    """Answers tables of one program; safe to use from several threads.

    Parameters
    ----------
    plan : Plan
    program : Program
    decoded : tuple of str
        Inputs to decode: what the program reads, then those whose text is only passed on.
    """

    def __init__(self, plan: Plan, program: Program, decoded: tuple[str, ...]) -> None:
        self._plan = plan
        self._program = program
        self._names = decoded
        outputs = program.layout.outputs
        self._passed = tuple(dict.fromkeys(str(node.data) for _, node in outputs if is_passed(node)))

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a source that must be read, those to keep included."""
        return tuple(dict.fromkeys((*self._decoder.reads, *self._plan.keep)))

    def score(self, batch: pa.Table | pa.RecordBatch, *, text: bool) -> tuple[pa.RecordBatch, list[BadValue]]:
        """The output rows of a batch, and why the others are refused; see `Pipeline.score_batch`."""
        decoded = (self._text_decoder if text else self._decoder).decode(batch)
        columns: Mapping[str, Values] = decoded.columns
        rows = decoded.rows
        if decoded.bad:
            good = np.ones(rows, bool)
            good[[b.row for b in decoded.bad]] = False
            where = np.flatnonzero(good)
            columns = {name: take(values, where) for name, values in columns.items()}
            rows = len(where)
        computed = self._program.many(rows, columns)
        kept = {name: _whole(batch.column(name)) for name in self._plan.keep}
        if decoded.bad:
            places = pa.array(where)
            kept = {name: _take(column, places) for name, column in kept.items()}
        passed = {}
        for name in self._passed:
            if name not in batch.schema.names:
                passed[name] = pa.nulls(rows)
                continue
            column = _whole(batch.column(name))
            column = _take(column, places) if decoded.bad else column
            passed[name] = _text_of(column, columns[name])
        return self._assemble(computed, kept, passed), decoded.bad

    def _assemble(
        self, computed: Mapping[str, Values], kept: Mapping[str, pa.Array], passed: Mapping[str, pa.Array]
    ) -> pa.RecordBatch:
        arrays, names = list(kept.values()), list(kept)
        for column, node in self._program.layout.outputs:
            names.append(column.name)
            if is_passed(node):
                arrays.append(passed[node.data].cast(arrow_type(column)))
            else:
                arrays.append(to_arrow(computed[column.name], column))
        return pa.RecordBatch.from_arrays(arrays, names=names)

    @cached_property
    def _decoder(self) -> TableDecoder:
        return TableDecoder(self._plan.inputs, self._names, self._program.layout.vocabularies)

    @cached_property
    def _text_decoder(self) -> TableDecoder:
        vocabularies = self._program.layout.vocabularies
        return TableDecoder(self._plan.inputs, self._names, vocabularies, parse_text=True)

    def check_schema(self, schema: pa.Schema, where: str, *, text: bool = False) -> None:
        """Hold the columns of a source against the pipeline's inputs and ``keep``.

        Raises
        ------
        DataError
        """
        (self._text_decoder if text else self._decoder).check_schema(schema, where)
        twice = [name for name in self._plan.keep if len(schema.get_all_field_indices(name)) > 1]
        if twice:
            raise DataError(f"{where}: keep names {twice[0]!r}, and several columns have this name")
        absent = [name for name in self._plan.keep if name not in schema.names]
        if absent:
            raise DataError(
                f"{where}: keep names {listing(map(repr, absent))}, and there is no such column."
                f"{did_you_mean(absent[0], schema.names)}\n  columns there: {listing(schema.names, 40)}"
            )

    def output_schema(self, source: pa.Schema) -> pa.Schema:
        """The Arrow schema of what batch writes for this source."""
        kept = [source.field(name).remove_metadata() for name in self._plan.keep]
        made = [pa.field(column.name, arrow_type(column)) for column, _ in self._program.layout.outputs]
        return pa.schema([*(pa.field(f.name, f.type) for f in kept), *made])


def _text_of(column: pa.Array, decoded: Values) -> pa.Array:
    """A column's text as it came; null where the decoder found none."""
    column = plain(column)
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pt.is_string_view(column.type):
        column = column.cast(pa.large_string())
    assert isinstance(decoded, Categories)
    gone = decoded.codes == MISSING
    if np.count_nonzero(gone) == column.null_count:
        return column
    return pc.if_else(pa.array(gone), pa.scalar(None, column.type), column)  # it was no UTF-8


def _take(column: pa.Array, where: pa.Array) -> pa.Array:
    """Some rows of a column, of types, too, that Arrow can't take from."""
    if pt.is_run_end_encoded(column.type):
        taken = _take(pc.run_end_decode(column), where)
        return pc.run_end_encode(taken, column.type.run_end_type)
    if pt.is_string_view(column.type) or pt.is_binary_view(column.type):
        large = pa.large_string() if pt.is_string_view(column.type) else pa.large_binary()
        return column.cast(large).take(where).cast(column.type)
    return column.take(where)


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
