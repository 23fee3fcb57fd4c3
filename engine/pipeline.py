"""A pipeline: a plan and all it needs to answer. Immutable; compiled when it is first asked."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.compile.kernel import vocabulary
from engine.compile.layout import Layout, is_passed, lay_out
from engine.compile.program import ROWS, Program
from engine.decode import RowDecoder, TableDecoder
from engine.decode.arrow import plain
from engine.encode import arrow_type, encode, to_python
from engine.errors import ConfigError, DataError, Mistake, RowError, did_you_mean, listing
from engine.expr.graph import Expr
from engine.plan.plan import Plan
from engine.plan.trace import State, Trace, initial, selected, trace, trace_stage
from engine.schema import Column, Kind
from engine.stage import NOTHING, Learned, Scorer, ScoreStage
from engine.values import MISSING, BadValue, Categories, Values, take

if TYPE_CHECKING:
    from engine.compile.program import Program as _Program


@dataclass(frozen=True)
class Fitted:
    """What is known of the data a pipeline was fitted on.

    Parameters
    ----------
    metrics : mapping of str to float
        On the test part (the valid or train part where there is no test).
    rows : mapping of str to int
        Labelled rows by part, and ``unlabelled`` ones.
    golden : pyarrow.Table or None
        Rows with their answers: struct columns ``row`` and ``answer``.
    profile : pyarrow.Table or None
        Distributions of inputs, features and scores on train.
    data : mapping
        The table's fingerprint.
    origin : mapping of str to str
        Platform and XGBoost where it was fitted (`engine.bundle.this_origin`); empty: here.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    golden: pa.Table | None = None
    profile: pa.Table | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)


class Pipeline:
    """A plan with everything it learned.

    Parameters
    ----------
    plan : Plan
    learned : mapping of str to Learned
        By stage label.
    fitted : Fitted, optional
    overrides : sequence of str
        What was typed when it was made.
    interpreted : bool
        Run by the interpreter instead of compiled kernels.
    """

    def __init__(
        self,
        plan: Plan,
        learned: Mapping[str, Learned],
        fitted: Fitted | None = None,
        overrides: Sequence[str] = (),
        *,
        interpreted: bool = False,
    ) -> None:
        self.plan = plan
        self.learned = MappingProxyType({label: _frozen(found) for label, found in learned.items()})
        self.fitted = fitted
        self.overrides = tuple(overrides)
        self.interpreted = interpreted
        self._lock = threading.RLock()

    # -- what it is

    @cached_property
    def digest(self) -> str:
        """The sha256 of all that can change an answer, 64 hex digits."""
        from engine.bundle import compute_version

        versions = {planned.stage.use: planned.stage.version for planned in self.plan.stages}
        return compute_version(self.plan.config, self.learned, versions)

    @property
    def version(self) -> str:
        """The first 12 hex digits of `digest`: what a bundle's folder is called."""
        return self.digest[:12]

    @property
    def inputs(self) -> Mapping[str, str]:
        """The kind of each input, in order."""
        return {item.name: str(item.kind) for item in self.plan.inputs}

    @property
    def outputs(self) -> Mapping[str, str]:
        """The dtype of each output column, in order; a kept column that is no input is ``any``."""
        kinds = {item.name: Column(item.name, item.kind).dtype for item in self.plan.inputs}
        kept = {name: kinds.get(name, "any") for name in self.plan.keep}
        return kept | {column.name: column.dtype for column, _ in self.trace.outputs}

    @cached_property
    def trace(self) -> Trace:
        """The pipeline as expressions."""
        return trace(self.plan, self.learned)

    @cached_property
    def scorers(self) -> Mapping[str, Scorer]:
        """The models, ready to score, by stage label."""
        found: dict[str, Scorer] = {}
        for planned in self.plan.stages:
            if isinstance(planned.stage, ScoreStage):
                found[planned.label] = planned.stage.make_scorer(self.learned[planned.label])
        return found

    @cached_property
    def layout(self) -> Layout:
        """What is read, computed and pruned."""
        return lay_out(self.trace, self.scorers)

    @cached_property
    def program(self) -> _Program:
        """The pipeline compiled for this processor."""
        with self._lock:
            return Program(self.layout, self.scorers, interpreted=self.interpreted)

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The columns of a source that must be read, those to keep included."""
        return tuple(dict.fromkeys((*self._table_decoder.reads, *self.plan.keep)))

    @cached_property
    def _passed(self) -> tuple[str, ...]:
        """Inputs whose text is an output as it came."""
        return tuple(dict.fromkeys(str(node.data) for _, node in self.layout.outputs if is_passed(node)))

    @cached_property
    def _decoded(self) -> tuple[str, ...]:
        """What is decoded: what the program reads, then what is only passed on."""
        return tuple(dict.fromkeys((*self.layout.reads, *self._passed)))

    def scoring(self) -> Pipeline:
        """The same pipeline, which answers with the last model's scores alone, whatever later stages do."""
        found = Pipeline(replace(self.plan, outputs=(), keep=()), self.learned, interpreted=self.interpreted)
        point = self.trace.scores[-1]
        scores = tuple((column, Expr.score(point.label, i)) for i, column in enumerate(point.columns))
        found.trace = replace(self.trace, outputs=scores)
        return found

    # -- one row

    def predict_one(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Score one row.

        Parameters
        ----------
        row : mapping of str to object
            Values by input; an absent key, None and NaN are missing. Keys that are no inputs are ignored,
            but for those in ``keep``.

        Returns
        -------
        dict
            ``keep`` as given, then the output columns: float, bool, str, datetime, or None.

        Raises
        ------
        RowError
            A value is refused by its input.
        """
        return self._predict_one(row)

    @cached_property
    def _predict_one(self) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        program = self.program
        values, one = self._row_decoder.values, program.one
        keep = self.plan.keep
        read = len(self.layout.reads)
        passed = [
            (column.name, str(node.data), self._decoded.index(str(node.data)))
            for column, node in self.layout.outputs
            if is_passed(node)
        ]
        names = [column.name for column, _ in self.layout.computed]
        coded = [
            (i, column, vocabulary(node, self.layout.vocabularies) if node.kind is Kind.CATEGORY else ())
            for i, (column, node) in enumerate(self.layout.computed)
            if node.kind in (Kind.CATEGORY, Kind.TIMESTAMP)
        ]
        order = [*keep, *(column.name for column, _ in self.layout.outputs)]

        def simple(row: Mapping[str, Any]) -> dict[str, Any]:
            answer = {name: row.get(name) for name in keep}
            answer.update(zip(names, one(values(row)), strict=True))
            return answer

        def general(row: Mapping[str, Any]) -> dict[str, Any]:
            decoded = values(row)
            found = list(one(decoded[:read]))
            for i, column, texts in coded:
                found[i] = to_python(found[i], column, texts)
            answer = dict(zip(names, found, strict=True))
            answer.update((name, row.get(name)) for name in keep)
            for name, source, place in passed:
                answer[name] = None if decoded[place] == MISSING else str(row[source])
            return {name: answer[name] for name in order}

        return general if coded or passed else simple

    @cached_property
    def _row_decoder(self) -> RowDecoder:
        return RowDecoder(self.plan.inputs, self._decoded, self.layout.vocabularies)

    # -- many rows

    def predict_many(
        self, table: pa.Table | pa.RecordBatch, *, rejects: bool = False, threads: int = 1
    ) -> Any:
        """Score a table.

        Parameters
        ----------
        table : pyarrow.Table or pyarrow.RecordBatch
            Columns in any order; those that are no inputs are ignored, but for those in ``keep``.
        rejects : bool
            Leave refused rows out and return them too, instead of raising.
        threads : int
            The bits of the answer don't depend on it.

        Returns
        -------
        pyarrow.Table
            ``keep``, then the output columns; a row for each row. With ``rejects``: a pair of that and a
            table with the columns ``row`` (int64, from 0), ``column``, ``code`` and ``reason``.

        Raises
        ------
        DataError
            A column is absent or of another family; a row is refused and ``rejects`` is false.
        """
        if not isinstance(table, pa.Table | pa.RecordBatch):
            raise TypeError(
                f"predict_many takes a pyarrow.Table or RecordBatch, not {type(table).__name__}: "
                "pyarrow.table(columns), or pyarrow.Table.from_pandas(frame), makes one"
            )
        self.check_schema(table.schema, "the table")
        parts, bad = [], []
        size = max(ROWS, -(-table.num_rows // max(1, threads) // ROWS) * ROWS)
        slices = [table.slice(start, size) for start in range(0, max(table.num_rows, 1), size)]
        if threads > 1 and len(slices) > 1:
            with ThreadPoolExecutor(threads) as pool:
                results = list(pool.map(self.score_batch, slices))
        else:
            results = [self.score_batch(part) for part in slices]
        for number, (out, found) in enumerate(results):
            parts.append(out)
            bad += [BadValue(b.row + number * size, b.column, b.code, b.message, b.fatal) for b in found]
        refused = [b for b in bad if b.fatal] or ([] if rejects else bad)
        if refused:
            raise _refusal(refused)
        out = pa.Table.from_batches(parts, parts[0].schema)
        return (out, _reject_table(bad)) if rejects else out

    def score_batch(
        self, batch: pa.Table | pa.RecordBatch, *, text: bool = False
    ) -> tuple[pa.RecordBatch, list[BadValue]]:
        """Score a batch; safe to call from several threads.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or pyarrow.Table
            At least the columns in `reads`.
        text : bool
            Every column is text to parse, as a CSV file's are.

        Returns
        -------
        pyarrow.RecordBatch
            The output rows, in order, without those that are refused.
        list of BadValue
            Why rows are refused; ``row`` counts from 0 in ``batch``.
        """
        decoded = (self._text_decoder if text else self._table_decoder).decode(batch)
        columns: Mapping[str, Values] = decoded.columns
        rows = decoded.rows
        if decoded.bad:
            good = np.ones(rows, bool)
            good[[b.row for b in decoded.bad]] = False
            where = np.flatnonzero(good)
            columns = {name: take(values, where) for name, values in columns.items()}
            rows = len(where)
        computed = self.program.many(rows, columns)
        kept = {name: _whole(batch.column(name)) for name in self.plan.keep}
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
        for column, node in self.layout.outputs:
            names.append(column.name)
            if not is_passed(node):
                arrays.append(encode({column.name: computed[column.name]}, [column], {}).column(0))
            else:
                arrays.append(passed[node.data].cast(arrow_type(column)))
        return pa.RecordBatch.from_arrays(arrays, names=names)

    @cached_property
    def _table_decoder(self) -> TableDecoder:
        return TableDecoder(self.plan.inputs, self._decoded, self.layout.vocabularies)

    @cached_property
    def _text_decoder(self) -> TableDecoder:
        return TableDecoder(self.plan.inputs, self._decoded, self.layout.vocabularies, parse_text=True)

    def check_schema(self, schema: pa.Schema, where: str, *, text: bool = False) -> None:
        """Hold the columns of a source against the pipeline's inputs and ``keep``.

        Raises
        ------
        DataError
        """
        (self._text_decoder if text else self._table_decoder).check_schema(schema, where)
        twice = [name for name in self.plan.keep if len(schema.get_all_field_indices(name)) > 1]
        if twice:
            raise DataError(f"{where}: keep names {twice[0]!r}, and several columns have this name")
        absent = [name for name in self.plan.keep if name not in schema.names]
        if absent:
            raise DataError(
                f"{where}: keep names {listing(map(repr, absent))}, and there is no such column."
                f"{did_you_mean(absent[0], schema.names)}\n  columns there: {listing(schema.names, 40)}"
            )

    def output_schema(self, source: pa.Schema) -> pa.Schema:
        """The Arrow schema of what batch writes for this source."""
        kept = [source.field(name).remove_metadata() for name in self.plan.keep]
        made = [pa.field(column.name, arrow_type(column)) for column, _ in self.trace.outputs]
        return pa.schema([*(pa.field(f.name, f.type) for f in kept), *made])

    # -- on disk and for people

    def save(self, path: str | os.PathLike[str], *, make_current: bool = True) -> Path:
        """Write a version of a bundle; returns its folder.

        The version in use (``current``) changes last and at once.
        """
        from engine.bundle import Contents, write

        fitted = self.fitted or Fitted()
        contents = Contents(
            config=self.plan.config,
            learned=self.learned,
            golden=fitted.golden,
            profile=fitted.profile,
            metrics=dict(fitted.metrics),
            plugin_versions={planned.stage.use: planned.stage.version for planned in self.plan.stages},
            overrides=self.overrides,
            data=dict(fitted.data),
            version=self.digest,
        )
        return write(Path(path), contents, make_current=make_current)

    def explain(self, *, kernel: bool = False) -> str:
        """The compiled plan, for people: stages, columns, fused groups, what was pruned and learned.

        Parameters
        ----------
        kernel : bool
            Print the emitted source, too.
        """
        from engine.explain import explain

        return explain(self, kernel=kernel)

    def __repr__(self) -> str:
        return f"<Pipeline {self.plan.name!r} {self.version}: {len(self.plan.stages)} stages>"


def prepared(plan: Plan) -> dict[str, Learned]:
    """What the stages of a plan that needs no fit have: models read from files.

    Raises
    ------
    ConfigError
        A stage learns.
    """
    learners = [planned for planned in plan.stages if planned.stage.learns()]
    if learners:
        lines = [
            f"stages.{planned.label}: {planned.stage.use!r} learns from data with these options"
            for planned in learners
        ]
        raise ConfigError(
            [
                Mistake(
                    "",
                    "\n".join(
                        (
                            f"pipeline {plan.name!r} has to be fitted first, and there is no data here",
                            *(f"  {line}" for line in lines),
                        )
                    ),
                    (f"run: engine fit pipeline={plan.name} source.path=PATH   or state what they learn",),
                )
            ]
        )
    state: State = initial(plan)
    learned: dict[str, Learned] = {}
    for planned in plan.stages:
        found = planned.stage.prepare(selected(planned, state))
        if found:
            learned[planned.label] = found
        state, _, _ = trace_stage(planned, learned.get(planned.label, NOTHING), state)
    return learned


def _frozen(learned: Learned) -> Learned:
    """What a stage learned, so that nobody changes it: a pipeline's version is computed once."""
    found: dict[str, Any] = {}
    for name, value in learned.items():
        found[name] = value
        if isinstance(value, np.ndarray):
            found[name] = value.copy()
            found[name].flags.writeable = False
    return MappingProxyType(found)


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


def _refusal(bad: Sequence[BadValue]) -> DataError:
    if len(bad) == 1:
        return RowError(f"row {bad[0].row}: {bad[0].message}", column=bad[0].column, code=bad[0].code)
    rows = len({b.row for b in bad})
    shown = [f"row {b.row}: {b.message}" for b in itertools.islice(bad, 5)]
    more = [f"and {len(bad) - 5:,} more"] if len(bad) > 5 else []
    takes = ", ".join(sorted({f"inputs.NAME.{b.code}=null" for b in bad}))
    advice = f"predict_many(table, rejects=True) leaves such rows out; {takes} lets such values pass"
    if any(b.fatal for b in bad):
        advice = f"their inputs say 'fail'; {takes} lets such values pass, 'reject' leaves such rows out"
    return DataError("\n  ".join((f"{rows:,} rows are refused", *shown, *more, advice)))


def _reject_table(bad: Sequence[BadValue]) -> pa.Table:
    return pa.table(
        {
            "row": pa.array([b.row for b in bad], pa.int64()),
            "column": pa.array([b.column for b in bad], pa.string()),
            "code": pa.array([b.code for b in bad], pa.string()),
            "reason": pa.array([b.message for b in bad], pa.string()),
        }
    )
