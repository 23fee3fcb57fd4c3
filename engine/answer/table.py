"""Tables and batches to answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.answer.groups import read_runs
from engine.compile.layout import Refusal, is_passed
from engine.compile.program import Program
from engine.decode import TableDecoder, cells, messages
from engine.decode.arrow import plain_text, take_rows
from engine.encode import arrow_type, to_arrow
from engine.errors import DataError, did_you_mean, listing
from engine.expr.derived import InputKey
from engine.plan.plan import Plan
from engine.schema import Input, Kind
from engine.values import FILTERED, MISSING, BadValue, Categories, Stored, Values, take


class TableAnswerer:
    """Answers tables of one program; safe to use from several threads.

    Parameters
    ----------
    plan : Plan
    program : Program
    decoded : tuple of str or Derived
        Inputs to decode: what the program reads, then those whose text is only passed on.
    """

    def __init__(self, plan: Plan, program: Program, decoded: tuple[InputKey, ...]) -> None:
        self._plan = plan
        self._program = program
        self._names = decoded
        outputs = program.layout.outputs
        self._inputs = [item for item in plan.inputs if item.name in program.layout.groups]
        self._passed = tuple(dict.fromkeys(str(node.data) for _, node in outputs if is_passed(node)))

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a source that must be read, those to keep included."""
        return tuple(dict.fromkeys((*self._decoder.reads, *self._plan.keep)))

    @property
    def looks_at(self) -> tuple[str, ...]:
        """The inputs whose values can change an answer, or refuse a row."""
        return self._decoder.reads

    def score(
        self,
        batch: pa.Table | pa.RecordBatch,
        *,
        text: bool,
        known: Sequence[BadValue] = (),
        seen: Callable[[Mapping[InputKey, Values | Stored]], None] | None = None,
    ) -> tuple[pa.RecordBatch, list[BadValue]]:
        """The output rows of a batch, and why the others are refused; see `Pipeline.score_batch`.

        ``known`` are values that are refused already, and missing in the batch. ``seen`` is given the inputs
        as they were decoded.
        """
        decoded = (self._text_decoder if text else self._decoder).decode(batch)
        columns: Mapping[InputKey, Values | Stored] = decoded.inputs
        if seen is not None:
            seen(columns)
        rows = decoded.rows
        groups = self._groups(batch, text)
        kept = {name: _whole(batch.column(name)) for name in self._plan.keep}
        bad = _with_undecodable(decoded.bad, kept) if text else decoded.bad
        bad = self._with_known(bad, known) if known else bad
        where = None
        if bad:
            good = np.ones(rows, bool)
            good[[b.row for b in bad]] = False
            where = np.flatnonzero(good)
            columns = {name: take(_values(values), where) for name, values in columns.items()}
            groups = {by: numbers[where] for by, numbers in groups.items()}
            rows = len(where)
        computed, refused = self._program.answer(rows, columns, groups)
        if refused is not None and (refused >= 0).any():
            passing = np.flatnonzero(refused < 0)
            bad = _with_filtered(bad, where, refused, self._program.layout.refusals)
            where = passing if where is None else where[passing]
            computed = {name: take(values, passing) for name, values in computed.items()}
            columns = {name: take(_values(columns[name]), passing) for name in self._passed}
            rows = len(where)
        if where is not None:
            kept = {name: take_rows(column, where) for name, column in kept.items()}
        kept = {name: _decoded(column) if text else column for name, column in kept.items()}
        passed = {}
        for name in self._passed:
            if name not in batch.schema.names:
                passed[name] = pa.nulls(rows)
                continue
            column = _whole(batch.column(name))
            column = take_rows(column, where) if where is not None else column
            passed[name] = _text_of(column, columns[name])
        return self._assemble(computed, kept, passed), bad

    def _with_known(self, bad: list[BadValue], known: Sequence[BadValue]) -> list[BadValue]:
        """What is refused, each value once, by row and in the order of the inputs."""
        cells = {(value.row, value.column) for value in known}
        more = [value for value in bad if (value.row, value.column) not in cells]
        places = {item.name: place for place, item in enumerate(self._plan.inputs)}
        return sorted([*known, *more], key=lambda value: (value.row, places[value.column]))

    def cuts(self, table: pa.Table | pa.RecordBatch) -> NDArray[np.int64]:
        """Where a table may be cut, so that its groups stay whole: the first rows of groups, ascending.

        Raises
        ------
        DataError
            A group is seen in two places.
        """
        cuts: NDArray[np.int64] | None = (
            np.zeros(0, np.int64) if None in self._program.layout.groups else None
        )
        for runs in read_runs(self._inputs, table, text=False):
            runs.check("")
            cuts = runs.starts if cuts is None else np.intersect1d(cuts, runs.starts)
        assert cuts is not None
        return cuts

    def _groups(self, batch: pa.Table | pa.RecordBatch, text: bool) -> dict[str | None, NDArray[np.int64]]:
        """The number of each row's group, for every ``by``."""
        groups: dict[str | None, NDArray[np.int64]] = {}
        if None in self._program.layout.groups:
            groups[None] = np.zeros(batch.num_rows, np.int64)
        for runs in read_runs(self._inputs, batch, text=text):
            runs.check("")
            groups[runs.by] = runs.numbers
        return groups

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
        return TableDecoder(
            self._plan.inputs,
            self._names,
            self._program.layout.vocabularies,
            as_stored=set(self._names).difference(self._passed),
        )

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


def _values(values: Values | Stored) -> Values:
    return values.plain() if isinstance(values, Stored) else values


def _with_filtered(
    bad: list[BadValue],
    where: NDArray[np.int64] | None,
    refused: NDArray[np.int64],
    refusals: Sequence[Refusal],
) -> list[BadValue]:
    """What is refused, and the rows that filters refuse of those (at ``where``) that were left."""
    found = np.flatnonzero(refused >= 0)
    rows = found if where is None else where[found]
    reasons = [refusals[number] for number in refused[found].tolist()]
    filtered = [
        BadValue(row, reason.column, FILTERED, reason.message)
        for row, reason in zip(rows.tolist(), reasons, strict=True)
    ]
    return sorted([*bad, *filtered], key=lambda value: value.row)


def _text_of(column: pa.Array, decoded: Values | Stored) -> pa.Array:
    """A column's text as it came; null where the decoder found none."""
    column = plain_text(column)
    assert isinstance(decoded, Categories)
    gone = decoded.codes == MISSING
    if np.count_nonzero(gone) == column.null_count:
        return column
    return pc.if_else(pa.array(gone), pa.scalar(None, column.type), column)  # it was no UTF-8


def _decoded(column: pa.Array) -> pa.Array:
    """Cells of a text file as text: a column is binary where some cell was no UTF-8."""
    return column.cast(pa.string()) if pt.is_binary(column.type) else column


def _with_undecodable(bad: list[BadValue], kept: Mapping[str, pa.Array]) -> list[BadValue]:
    """What is refused, and the rows of text whose kept cells are no UTF-8."""
    known = {(value.row, value.column) for value in bad}
    found = [
        BadValue(row, name, "invalid", messages.invalid(Input(name, Kind.TEXT), what), False)
        for name, column in kept.items()
        for row, what in cells.undecodable(column).items()
        if (row, name) not in known
    ]
    return sorted([*bad, *found], key=lambda value: value.row) if found else bad


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
