"""One row's values after every stage: why its answer is what it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.compile.layout import Layout
from engine.decode import row_packer
from engine.decode.row import converter
from engine.encode import to_python
from engine.errors import RowError
from engine.expr.derived import InputKey
from engine.expr.interpret import Leaf, interpret
from engine.plan.plan import Plan
from engine.plan.points import ComputePoint, FilterPoint, Point, ScorePoint
from engine.plan.trace import State, initial, trace_stage
from engine.schema import Column, Input, Kind
from engine.stage import NOTHING, Learned, Scorer
from engine.values import FILTERED, FIRST, MISSING, Categories, Values


@dataclass(frozen=True, slots=True)
class TracedColumn:
    """A column that a stage made or changed.

    Parameters
    ----------
    name : str
    dtype : str
        The column's Arrow type on output.
    value : float, int, bool, str, datetime or None
        As `Pipeline.predict_one` would give it: None is a missing text or timestamp, NaN a missing number.
    made : bool
        Whether the stage made it; else it changed it.
    before : object
        What it was before the stage changed it.
    """

    name: str
    dtype: str
    value: Any
    made: bool = True
    before: Any = None


@dataclass(frozen=True, slots=True)
class TracedRefusal:
    """Why a row has no answer.

    Parameters
    ----------
    stage : str
        The label of the filter that refuses it; empty: an input does.
    column : str
        What it concerns; empty: no column alone.
    code : str
        ``missing``, ``invalid``, ``unknown`` or ``filtered``.
    message : str
        What `Pipeline.predict_one` says.
    """

    stage: str
    column: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TracedStage:
    """What a stage did to a row.

    Parameters
    ----------
    label, use : str
    columns : tuple of TracedColumn
        What it made or changed, those included that no answer needs; of a model, its scores.
    dropped : tuple of str
        Columns that are gone behind it.
    note : str
        What isn't in the columns, for people.
    """

    label: str
    use: str
    columns: tuple[TracedColumn, ...]
    dropped: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class RowTrace:
    """One row on its way through a pipeline.

    Parameters
    ----------
    inputs : tuple of TracedColumn
        As they were read; what the row doesn't have, or what no policy refuses though it doesn't fit, is
        missing.
    stages : tuple of TracedStage
        In order; of a row that is refused, up to the filter that refuses it.
    answer : dict or None
        What `Pipeline.predict_one` gives, to the bit; None: the row is refused.
    refusal : TracedRefusal or None
    """

    inputs: tuple[TracedColumn, ...]
    stages: tuple[TracedStage, ...]
    answer: Mapping[str, Any] | None
    refusal: TracedRefusal | None = None


def trace_row(
    plan: Plan,
    learned: Mapping[str, Learned],
    scorers: Mapping[str, Scorer],
    layout: Layout,
    decoded: Sequence[InputKey],
    outputs: Collection[Column],
    row: Mapping[str, Any],
) -> RowTrace:
    """Follow a row through the stages, by the interpreter; nothing is pruned or folded.

    Parameters
    ----------
    plan : Plan
    learned : mapping of str to Learned
    scorers : mapping of str to Scorer
        By the label of the score stage.
    layout : Layout
        Of the program that answers rows: it decides which values are looked at, and refused.
    decoded : sequence of str or Derived
        The inputs that this program needs.
    outputs : collection of Column
        Behind ``keep``.
    row : mapping of str to object

    Raises
    ------
    TypeError
        It is no mapping.
    """
    refusal = _refused_by_input(plan, layout, decoded, row)
    values = {item.name: _read(item, row.get(item.name)) for item in plan.inputs}
    walk = _Walk(values)
    state: State = initial(plan)
    inputs, _ = walk.step({}, state)
    stages: list[TracedStage] = []
    for planned in plan.stages:
        if refusal is not None:
            return RowTrace(inputs, tuple(stages), None, refusal)
        after, _, point = trace_stage(planned, learned.get(planned.label, NOTHING), state)
        refusal = walk.refused(point) if isinstance(point, FilterPoint) else None
        note = refusal.message if refusal else walk.pass_point(point, scorers)
        columns, dropped = walk.step(state, after)
        stages.append(TracedStage(planned.label, planned.stage.use, columns, dropped, note))
        state = after
    if refusal is not None:
        return RowTrace(inputs, tuple(stages), None, refusal)
    answer = {name: row.get(name) for name in plan.keep}
    answer |= {column.name: walk.shown[column.name] for column in outputs}
    return RowTrace(inputs, tuple(stages), answer)


class _Walk:
    """A row's values so far: what leaves read, and what each column there is now is shown as."""

    def __init__(self, values: Mapping[str, Values]) -> None:
        self._leaves: dict[Leaf, Values] = {("input", name): found for name, found in values.items()}
        self.shown: dict[str, Any] = {}

    def step(self, before: State, after: State) -> tuple[tuple[TracedColumn, ...], tuple[str, ...]]:
        """What is new or changed behind a stage, and what is gone."""
        fresh = [
            (column, node)
            for name, (column, node) in after.items()
            if name not in before or before[name][1] is not node
        ]
        found = interpret([node for _, node in fresh], self._leaves, 1)
        columns, shown = [], {name: self.shown[name] for name in after if name in before}
        for (column, _), values in zip(fresh, found, strict=True):
            old = shown.get(column.name)
            shown[column.name] = value = _plain(values, column)
            columns.append(TracedColumn(column.name, column.dtype, value, column.name not in before, old))
        self.shown = shown
        return tuple(columns), tuple(name for name in before if name not in after)

    def refused(self, point: FilterPoint) -> TracedRefusal | None:
        """The first reason of a filter that holds."""
        for found, holds in zip(point.conditions, interpret(point.reads, self._leaves, 1), strict=True):
            if np.asarray(holds)[0]:
                message = f"stages.{point.label}: {found.reason}"
                return TracedRefusal(point.label, found.column, FILTERED, message)
        return None

    def pass_point(self, point: Point | None, scorers: Mapping[str, Scorer]) -> str:
        """Score, or compute with NumPy; what there is to say of it."""
        if isinstance(point, ScorePoint):
            scorer = scorers[point.label]
            features = np.full((1, len(point.features)), np.nan, np.float32)
            used = [i for i in range(len(point.features)) if i in scorer.used]
            nodes = [point.features[i][1] for i in used]
            with np.errstate(over="ignore"):
                for i, values in zip(used, interpret(nodes, self._leaves, 1), strict=True):
                    features[0, i] = np.asarray(values)[0]
            for i, score in enumerate(scorer.many(features)[0]):
                self._leaves["score", (point.label, i)] = np.array([score], np.float32)
            return f"{len(used)} of {len(point.features)} features can change a score"
        if isinstance(point, ComputePoint):
            given = interpret(point.reads, self._leaves, 1)
            columns = {name: values for (name, _), values in zip(point.inputs, given, strict=True)}
            for column in columns.values():
                np.asarray(column).flags.writeable = False
            for i, made in enumerate(point.compute(columns, 1, np.zeros(1, np.int64))):
                self._leaves["made", (point.label, i)] = made
            return "the row alone, as a group of its own" if point.grouped else ""
        return "lets the row pass" if isinstance(point, FilterPoint) else ""


def _refused_by_input(
    plan: Plan, layout: Layout, decoded: Sequence[InputKey], row: Mapping[str, Any]
) -> TracedRefusal | None:
    try:
        row_packer(plan.inputs, decoded, layout.vocabularies)(row)
    except RowError as error:
        return TracedRefusal("", error.column, error.code, str(error))
    return None


def _read(item: Input, value: Any) -> Values:
    """An input's value; what doesn't fit and isn't refused is missing. A text is its own vocabulary."""
    found = converter(replace(item, missing="null", invalid="null", unknown="null"), None)(value)
    if item.kind in (Kind.CATEGORY, Kind.TEXT):
        there = found != MISSING
        return Categories(np.array([FIRST if there else MISSING], np.int32), (str(value),) if there else ())
    return np.array([found], np.int64 if item.kind is Kind.TIMESTAMP else np.float64)


def _plain(values: Values, column: Column) -> Any:
    if isinstance(values, Categories):
        return to_python(values.codes[0], column, values.texts)
    return to_python(values[0], column)
