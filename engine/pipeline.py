"""A pipeline: a plan and all it needs to answer. Immutable; compiled when it is first asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from engine.answer.live import UNOBSERVED, Live, Observer
from engine.answer.many import ManyAnswerer
from engine.answer.row import row_answerer
from engine.answer.table import TableAnswerer
from engine.compile.folding import fold_models
from engine.compile.layout import Layout, is_passed, lay_out, narrow
from engine.compile.program import Program
from engine.errors import UserError
from engine.expr.derived import InputKey
from engine.expr.graph import Expr
from engine.expr.reached import CallError
from engine.fitted import Fitted
from engine.jit.cache import why_not
from engine.plan.plan import Plan
from engine.plan.prepare import prepared as prepared
from engine.plan.trace import Trace, calling_stages, trace
from engine.schema import Column
from engine.stage import NOTHING, Learned, Scorer, ScoreStage
from engine.values import BadValue

if TYPE_CHECKING:
    from engine.answer.traced import RowTrace
    from engine.compile.program import Program as _Program


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
    folding : bool
        Fold preparation into models that can take it. The bits don't depend on it; tests do.
    """

    def __init__(
        self,
        plan: Plan,
        learned: Mapping[str, Learned],
        fitted: Fitted | None = None,
        overrides: Sequence[str] = (),
        *,
        interpreted: bool = False,
        folding: bool = True,
    ) -> None:
        self.plan = plan
        self.learned = MappingProxyType({label: _frozen(found) for label, found in learned.items()})
        self.fitted = fitted
        self.overrides = tuple(overrides)
        self.interpreted = interpreted
        self.folding = folding
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
                found[planned.label] = planned.stage.make_scorer(self.learned.get(planned.label, NOTHING))
        return found

    @cached_property
    def layout(self) -> Layout:
        """What is read, computed, folded and pruned."""
        return self._running[0]

    @cached_property
    def _running(self) -> tuple[Layout, Mapping[str, Scorer]]:
        """What the program runs. The interpreter, which is the oracle, folds nothing."""
        scorers = narrow(self.trace, self.scorers)
        layout = lay_out(self.trace, scorers)
        if not self.folding or self.interpreted or why_not():
            return layout, scorers
        return fold_models(layout, scorers)

    @cached_property
    def program(self) -> _Program:
        """The pipeline compiled for this processor; interpreted where numba can't run."""
        with self._lock:
            layout, scorers = self._running
            try:
                return Program(layout, scorers, interpreted=self.interpreted or bool(why_not()))
            except CallError as error:
                labels = calling_stages(self.plan, self.learned, error.called)
                raise UserError(f"stages.{', '.join(labels)}: {error}") from error

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The columns of a source that must be read, those to keep included."""
        return self._table.reads

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The inputs whose runs of equal values are groups, for stages that need a group's rows together.

        None is for a stage without ``by``. Groups that no output needs are left out.
        """
        return self.layout.groups

    @cached_property
    def _decoded(self) -> tuple[InputKey, ...]:
        """Inputs to decode: what the program reads, those whose text is only passed on, those of groups."""
        passed = [str(node.data) for _, node in self.layout.outputs if is_passed(node)]
        groups = [by for by in self.groups if by is not None]
        return tuple(dict.fromkeys((*self.layout.reads, *passed, *groups)))

    def scoring(self) -> Pipeline:
        """The same pipeline, which answers with the last model's scores alone, whatever later stages do."""
        plan = replace(self.plan, outputs=(), keep=())
        found = Pipeline(plan, self.learned, interpreted=self.interpreted, folding=self.folding)
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
        return row_answerer(self.plan, self.program, self._decoded)

    def trace_one(self, row: Mapping[str, Any]) -> RowTrace:
        """Follow one row: what every stage makes of it, and why it is refused where it is.

        The values are those that `predict_one` computes with, to the bit; the interpreter computes those
        that no answer needs, too. Without its group's others a row is a group of its own.

        Parameters
        ----------
        row : mapping of str to object
            As for `predict_one`.

        Returns
        -------
        RowTrace
            `engine.answer.traced.RowTrace`: ``inputs``, ``stages``, ``answer``, ``refusal``.
        """
        from engine.answer.traced import trace_row

        outputs = [column for column, _ in self.trace.outputs]
        return trace_row(self.plan, self.learned, self.scorers, self.layout, self._decoded, outputs, row)

    # -- many rows

    def predict_many(self, rows: Any, *, rejects: bool = False, threads: int = 1) -> Any:
        """Score many rows, and give the answer in the form in which they come.

        Parameters
        ----------
        rows : pyarrow.Table, RecordBatch or stream, pandas or polars DataFrame, or sequence of mapping
            Columns in any order; those that are no inputs are ignored, but for those in ``keep``. A value in
            a mapping is taken as `predict_one` takes it.
        rejects : bool
            Leave refused rows out and return them too, instead of raising.
        threads : int
            The bits of the answer don't depend on it.

        Returns
        -------
        pyarrow.Table, pyarrow.RecordBatchReader, pandas.DataFrame, polars.DataFrame or list of dict
            ``keep``, then the output columns; a row for each row. A stream is scored as it is read, a frame
            of pandas keeps its index. With ``rejects``: a pair of that and a `pyarrow.Table` with the columns
            ``row`` (int64, from 0), ``column``, ``code`` and ``reason``.

        Raises
        ------
        DataError
            A column is absent or of another family; a row is refused and ``rejects`` is false.
        """
        return self._many.answer(rows, rejects=rejects, threads=threads)

    @cached_property
    def _many(self) -> ManyAnswerer:
        return ManyAnswerer(self.plan, self.layout, self._table)

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
        return self._table.score(batch, text=text)

    @cached_property
    def _table(self) -> TableAnswerer:
        return TableAnswerer(self.plan, self.program, self._decoded)

    def live(self, observer: Observer = UNOBSERVED) -> Live:
        """What answers requests: rows of JSON, and columns.

        Parameters
        ----------
        observer : Observer
            Is told what is asked and answered, for metrics.
        """
        return Live(self, self._decoded, self._table, observer)

    def check_schema(self, schema: pa.Schema, where: str, *, text: bool = False) -> None:
        """Hold the columns of a source against the pipeline's inputs and ``keep``.

        Raises
        ------
        DataError
        """
        self._table.check_schema(schema, where, text=text)

    def output_schema(self, source: pa.Schema) -> pa.Schema:
        """The Arrow schema of what batch writes for this source."""
        return self._table.output_schema(source)

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


def _frozen(learned: Learned) -> Learned:
    """What a stage learned, so that nobody changes it: a pipeline's version is computed once."""
    found: dict[str, Any] = {}
    for name, value in learned.items():
        found[name] = value
        if isinstance(value, np.ndarray):
            found[name] = value.copy()
            found[name].flags.writeable = False
    return MappingProxyType(found)
