"""Follows expressions through the stages of a plan, once everything is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.errors import UserError, did_you_mean, listing
from engine.expr.called import Called
from engine.expr.node import Expr, as_expr, as_number
from engine.expr.walk import walk
from engine.plan.flow import (
    StageError,
    Step,
    added,
    column_names,
    declared,
    input_columns,
    merge,
    output_columns,
    score_columns,
    selected_by,
)
from engine.plan.guard import in_stage
from engine.plan.origins import NO_ORIGINS, Origins, behind, inputs_of
from engine.plan.plan import Plan, PlannedStage
from engine.plan.points import ComputePoint, Condition, FilterPoint, Point, ScorePoint
from engine.plan.select import select
from engine.schema import Column, Kind
from engine.stage import (
    NOTHING,
    ArrayStage,
    ColumnStage,
    GroupStage,
    Learned,
    RowFilter,
    RowStage,
    SchemaStage,
    ScoreStage,
)

State = Mapping[str, tuple[Column, Expr]]
"""The columns at some point of the pipeline, and how each is computed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A pipeline as expressions.

    Parameters
    ----------
    steps : tuple of Step
        What each stage read and made, with the names that were learned.
    points : tuple of Point
        Models, filters and stages that compute with NumPy, in order.
    outputs : tuple of (Column, Expr)
        The output columns behind ``keep``.
    final : mapping
        Every column after the last stage.
    """

    steps: tuple[Step, ...]
    points: tuple[Point, ...]
    outputs: tuple[tuple[Column, Expr], ...]
    final: State

    @property
    def scores(self) -> tuple[ScorePoint, ...]:
        """The models, in order."""
        return tuple(point for point in self.points if isinstance(point, ScorePoint))


def initial(plan: Plan) -> dict[str, tuple[Column, Expr]]:
    """The inputs, each as a leaf."""
    return {c.name: (c, Expr.input(c.name, c.kind)) for c in input_columns(plan)}


def selected(planned: PlannedStage, state: State) -> list[Column]:
    """The columns that a stage reads, by the names there are now.

    Raises
    ------
    UserError
        A column that a pattern promised was not learned.
    """
    try:
        return selected_by(planned, [column for column, _ in state.values()])
    except StageError as error:
        raise UserError(
            "\n".join(f"stages.{planned.label}.{key or 'columns'}: {text}" for key, text in error.found)
        ) from None


def trace_stage(
    planned: PlannedStage, learned: Learned, state: State, origins: Origins = NO_ORIGINS
) -> tuple[State, Step, Point | None]:
    """The columns after one stage; ``origins`` say which inputs the state's leaves come from."""
    with in_stage(planned):
        return _trace_stage(planned, learned, state, origins)


def _trace_stage(
    planned: PlannedStage, learned: Learned, state: State, origins: Origins
) -> tuple[State, Step, Point | None]:
    stage = planned.stage
    columns = [column for column, _ in state.values()]
    chosen = selected(planned, state)
    point: Point | None = None
    made: list[tuple[Column, Expr]] = []
    if isinstance(stage, SchemaStage):
        arranged = stage.arrange(list(state), [c.name for c in chosen])
        absent = [old for old in arranged.values() if old not in state]
        if absent:
            raise UserError(
                f"stages.{planned.label}: there is no column {absent[0]!r}.{did_you_mean(absent[0], state)} "
                f"Columns here: {listing(state)}"
            )
        after = {new: (_renamed(state[old][0], new), state[old][1]) for new, old in arranged.items()}
        renamed = tuple(after[new][0] for new, old in arranged.items() if new != old)
        return after, Step(planned.label, tuple(chosen), renamed, tuple(c for c, _ in after.values())), None
    if isinstance(stage, ColumnStage):
        for i, (name, column) in enumerate(zip(column_names(planned, chosen), chosen, strict=True)):
            node = stage.express(
                state[column.name][1], {key: _item(value, i) for key, value in learned.items()}
            )
            made.append((Column(name, node.kind), node))
    elif isinstance(stage, RowStage):
        result = stage.express({c.name: state[c.name][1] for c in chosen}, learned)
        named = {planned.into or planned.label: result} if isinstance(result, Expr) else result
        made = [(Column(name, node.kind), node) for name, node in named.items()]
    elif isinstance(stage, ScoreStage):
        names = stage.features([c.name for c in chosen], learned)
        made = [
            (column, Expr.score(planned.label, i))
            for i, column in enumerate(score_columns(planned, stage.outputs(learned)))
        ]
        features = tuple((name, as_number(stage.feature(name, state[name][1], learned))) for name in names)
        point = ScorePoint(planned.label, features, tuple(c for c, _ in made))
        made += _added(planned, stage, chosen, learned, point, origins)
    elif isinstance(stage, ArrayStage | GroupStage):
        outputs = _outputs(planned, stage, chosen, learned)
        made = [(column, Expr.made(planned.label, i, column.kind)) for i, column in enumerate(outputs)]
        read = tuple((c.name, state[c.name][1]) for c in chosen)
        point = ComputePoint(planned, learned, read, outputs)
    elif isinstance(stage, RowFilter):
        refused = stage.reject({c.name: state[c.name][1] for c in chosen}, learned)
        point = _filter(planned, [c.name for c in chosen], refused)
    made_columns = tuple(column for column, _ in made)
    try:
        merged = merge(planned, columns, chosen, made_columns)
    except StageError as error:
        raise UserError("\n".join(f"stages.{planned.label}: {text}" for _, text in error.found)) from None
    nodes = {name: node for name, (_, node) in state.items()} | {column.name: node for column, node in made}
    after = {column.name: (column, nodes[column.name]) for column in merged}
    return after, Step(planned.label, tuple(chosen), made_columns, merged), point


def _added(
    planned: PlannedStage,
    stage: ScoreStage,
    chosen: Sequence[Column],
    learned: Learned,
    point: ScorePoint,
    origins: Origins,
) -> list[tuple[Column, Expr]]:
    """The columns that a score stage makes besides its scores."""
    columns = stage.adds(chosen)
    if not columns:
        return []
    first = len(point.columns)
    outputs = [Expr.score(planned.label, first + i) for i in range(stage.added_outputs())]
    features = [(name, inputs_of([node], origins)) for name, node in point.features]
    made = stage.express(outputs, features, learned)
    return [(added(planned, column), made[column.name]) for column in columns]


def _outputs(
    planned: PlannedStage, stage: ArrayStage | GroupStage, chosen: Sequence[Column], learned: Learned
) -> tuple[Column, ...]:
    """The columns that a stage which computes with NumPy makes."""
    try:
        found = tuple(declared(planned, stage.outputs(chosen, learned)))
    except StageError as error:
        raise UserError(f"stages.{planned.label}: {error}") from None
    unnamed = [column for column in found if column.open]
    if unnamed:
        raise UserError(
            f"stages.{planned.label}: outputs of {stage.use!r} must name what {unnamed[0].name!r} stands for"
        )
    return found


def _filter(planned: PlannedStage, columns: Sequence[str], found: Any) -> FilterPoint:
    """Where a filter refuses rows, and what it says."""
    where, use = f"stages.{planned.label}", planned.stage.use
    first = columns[0] if columns else ""
    named = found if isinstance(found, Mapping) else {f"refused by {use!r}": found}
    given: list[tuple[str, str, Any]] = []
    for key, value in named.items():
        if not isinstance(value, Mapping):
            given.append((str(key), first, value))
            continue
        if key not in columns:
            raise UserError(
                f"{where}: reject of {use!r} gave reasons that concern {key!r}, which it doesn't select; "
                f"columns it selects: {listing(columns)}"
            )
        given += [(str(reason), str(key), inner) for reason, inner in value.items()]
    conditions: dict[str, Condition] = {}
    for reason, column, value in given:
        node = as_expr(value)
        if node.kind is not Kind.BOOLEAN:
            raise UserError(
                f"{where}: reject of {use!r} gave a {node.kind} for {reason!r}; "
                "a boolean is expected, true where a row is refused"
            )
        if reason in conditions:
            raise UserError(
                f"{where}: reject of {use!r} gave the reason {reason!r} twice; name the column in it"
            )
        conditions[reason] = Condition(reason, column, node)
    return FilterPoint(planned.label, tuple(conditions.values()))


def trace(plan: Plan, learned: Mapping[str, Learned]) -> Trace:
    """The whole pipeline as expressions.

    Parameters
    ----------
    plan : Plan
    learned : mapping of str to Learned
        By stage label, for every stage that learned or read a model.

    Raises
    ------
    UserError
        Learned columns don't fit what later stages or ``outputs`` name.
    """
    state: State = initial(plan)
    steps: list[Step] = []
    points: list[Point] = []
    origins: dict[tuple[str, str], tuple[str, ...]] = {}
    for planned in plan.stages:
        state, step, point = trace_stage(planned, learned.get(planned.label, NOTHING), state, origins)
        steps.append(step)
        if point:
            points.append(point)
            origins |= behind(point, origins)
    if plan.outputs:
        _, problems = select(plan.outputs, [column for column, _ in state.values()], tuple(Kind))
        if problems:
            raise UserError("\n".join(f"outputs: {problem}" for problem in problems))
    outputs = tuple(state[column.name] for column in output_columns(plan, steps))
    return Trace(tuple(steps), tuple(points), outputs, state)


def calling_stages(plan: Plan, learned: Mapping[str, Learned], called: Called) -> list[str]:
    """The labels of the stages whose expressions call a function."""
    state: State = initial(plan)
    found: list[str] = []
    nodes: list[Expr] = []
    for planned in plan.stages:
        known = {id(node) for node in walk(nodes)}
        state, _, point = trace_stage(planned, learned.get(planned.label, NOTHING), state)
        nodes += [node for _, node in state.values()]
        nodes += point.reads if isinstance(point, FilterPoint) else ()
        new = (node for node in walk(nodes) if id(node) not in known)
        if any(node.op == "call" and node.data == called for node in new):
            found.append(planned.label)
    return found


def _renamed(column: Column, name: str) -> Column:
    return replace(column, name=name)


def _item(value: Any, i: int) -> Any:
    """What was learned for column ``i`` alone."""
    item = value[i]
    return item.item() if isinstance(item, np.generic) else item


def materialised(columns: Sequence[Column]) -> dict[str, tuple[Column, Expr]]:
    """A state in which every column is a leaf: for fitting, where each is computed once and kept."""
    return {c.name: (c, Expr.input(c.name, c.kind)) for c in columns}
