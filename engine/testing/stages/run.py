"""A stage run on plain values, as its author tries it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from engine.answer.groups import find_runs
from engine.errors import UserError
from engine.expr.graph import Expr
from engine.expr.interpret import Leaf, interpret
from engine.learning import learned_of
from engine.plan.flow import advance
from engine.plan.plan import PlannedStage
from engine.plan.points import ComputePoint, FilterPoint
from engine.plan.trace import trace_stage
from engine.registry import Registry
from engine.schema import Column, Kind
from engine.stage import FitContext, Part, SchemaStage, ScoreStage
from engine.values import FIRST, MISSING, NAT, UNKNOWN, Categories, Values

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """What `run_stage` was called with."""

    use: str
    data: Mapping[str, Sequence[Any]]
    columns: tuple[str, ...] | None
    into: str | None
    drop: bool
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Watch:
    registry: Registry
    calls: list[Call] = field(default_factory=list)


_WATCH: ContextVar[_Watch | None] = ContextVar("_WATCH", default=None)


@contextmanager
def watched(registry: Registry) -> Iterator[list[Call]]:
    """Note what `run_stage` is called with, and find stages in this registry where none is given."""
    watch = _Watch(registry)
    token = _WATCH.set(watch)
    try:
        yield watch.calls
    finally:
        _WATCH.reset(token)


def run_stage(
    use: str,
    data: Mapping[str, Sequence[Any]],
    *,
    columns: Sequence[str] | None = None,
    into: str | None = None,
    drop: bool = False,
    registry: Registry | None = None,
    target: Sequence[Any] | None = None,
    **options: Any,
) -> dict[str, list[Any]]:
    """Fit a stage on some rows, if it learns, and run it on the same rows.

    Parameters
    ----------
    use : str
        The stage's name.
    data : mapping of str to sequence
        Columns as plain values: numbers, texts (a category), datetimes (without a zone: UTC) or booleans;
        None is missing. A column of None alone is a number.
    columns : sequence of str, optional
        Selectors as in a config; left out: every column of a kind that the stage accepts.
    into, drop
        As in a config.
    registry : Registry, optional
        Where the stage is found; left out: built-in and installed ones.
    target : sequence, optional
        What a stage learns that learns from the target: booleans, numbers, or texts (classes). The rows are
        those of the valid part, too.
    **options
        The stage's own.

    Returns
    -------
    dict of str to list
        The columns that the stage makes or changes (of a `SchemaStage`: all) as plain values; a missing
        number is NaN, a missing text or datetime None. Of a `RowFilter`: by each reason, where it refuses.

    Raises
    ------
    UserError
        The options don't fit the columns, or the stage can't learn from them.

    Examples
    --------
    >>> run_stage("clip", {"x": [-5.0, 0.5]}, lo=0)
    {'x': [0.0, 0.5]}
    """
    watch = _WATCH.get()
    if watch is not None:
        selectors = None if columns is None else tuple(columns)
        watch.calls.append(Call(use, dict(data), selectors, into, drop, dict(options)))
        registry = registry or watch.registry
    registry = registry or Registry()
    stage = registry.load(use)(**options).told(registry)
    if isinstance(stage, ScoreStage):
        raise UserError(f"{use!r} is a score stage, and run_stage runs the others")
    frame = [_Column.of(name, values) for name, values in data.items()]
    if columns is None and stage.selects:
        columns = [c.column.name for c in frame if c.column.kind in stage.accepts]
    planned = PlannedStage(use, stage, tuple(columns or ()), into or "", drop)

    before = {c.column.name: c for c in frame}
    step = advance(planned, [c.column for c in frame], None)
    if stage.learns():
        selected = {column.name: before[column.name].values for column in step.selected}
        learned = learned_of(stage.fit(selected, _context(selected, target)))
    else:
        learned = stage.prepare(step.selected)

    after, step, point = trace_stage(planned, learned, {c.column.name: (c.column, c.node) for c in frame})
    made = step.columns if isinstance(stage, SchemaStage) else step.made
    rows = len(frame[0].values) if frame else 0
    leaves: dict[Leaf, Values] = {("input", c.column.name): c.leaf for c in frame}
    if isinstance(point, FilterPoint):
        refused = interpret(point.reads, leaves, rows)
        return {
            found.reason: _plain(Column(found.reason, Kind.BOOLEAN), holds)
            for found, holds in zip(point.conditions, refused, strict=True)
        }
    if isinstance(point, ComputePoint):
        given = {name: before[name].values for name, _ in point.inputs}
        starts = (
            np.zeros(1, np.int64) if point.by is None else find_runs(point.by, before[point.by].values).starts
        )
        for i, found in enumerate(point.compute(given, rows, starts)):
            leaves["made", (use, i)] = found
    results = interpret([after[column.name][1] for column in made], leaves, rows)
    return {column.name: _plain(column, values) for column, values in zip(made, results, strict=True)}


def _context(columns: Mapping[str, Values], target: Sequence[Any] | None) -> FitContext:
    if target is None:
        return FitContext(train=Part(columns))
    found = _Column.of("target", target)
    kind, values = found.column.kind, found.values
    if isinstance(values, Categories):
        part = Part(columns, (values.codes - FIRST).astype(np.float64))
        return FitContext(part, part, target=kind, classes=values.texts)
    part = Part(columns, np.asarray(values, np.float64))
    return FitContext(part, part, target=kind)


@dataclass(frozen=True, slots=True)
class _Column:
    column: Column
    values: Values  # as a stage's fit sees them
    node: Expr
    leaf: Values  # what the node's leaf reads: a boolean is a comparison, as in a pipeline

    @staticmethod
    def of(name: str, plain: Sequence[Any]) -> _Column:
        types = {type(value) for value in plain if value is not None}
        if types == {bool} and None not in plain:
            numbers = np.array(plain, np.float64)
            node = Expr.input(name, Kind.NUMBER) != 0
            return _Column(Column(name, Kind.BOOLEAN), numbers != 0, node, numbers)
        kind, values = _decoded(name, plain, types)
        return _Column(Column(name, kind), values, Expr.input(name, kind), values)


def _decoded(name: str, plain: Sequence[Any], types: set[type]) -> tuple[Kind, Values]:
    if types == {str}:
        texts = tuple(sorted({value for value in plain if value is not None}))
        codes = {text: FIRST + i for i, text in enumerate(texts)} | {None: MISSING}
        return Kind.CATEGORY, Categories(np.array([codes[value] for value in plain], np.int32), texts)
    if types and all(issubclass(found, datetime) for found in types):
        return Kind.TIMESTAMP, np.array([_microseconds(value) for value in plain], np.int64)
    try:
        return Kind.NUMBER, np.array([np.nan if value is None else value for value in plain], np.float64)
    except (TypeError, ValueError):
        names = ", ".join(sorted(found.__name__ for found in types))
        raise UserError(f"{name!r} has values of these types: {names}; a column has one kind") from None


def _microseconds(value: datetime | None) -> int:
    if value is None:
        return NAT
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _plain(column: Column, values: Values) -> list[Any]:
    if isinstance(values, Categories):
        texts = {FIRST + i: text for i, text in enumerate(values.texts)} | {MISSING: None, UNKNOWN: None}
        return [texts[code] for code in values.codes.tolist()]
    if column.kind is Kind.TIMESTAMP:
        return [None if us == NAT else _EPOCH + timedelta(microseconds=us) for us in values.tolist()]
    plain: list[Any] = values.tolist()
    if column.whole:
        return [None if value != value else int(value) for value in plain]
    return plain
