"""Fits the stages of a plan, one after another, each on the columns that those before it made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.answer.groups import find_runs
from engine.errors import DataError, UserError
from engine.expr.graph import Expr
from engine.expr.interpret import Leaf, interpret
from engine.plan.flow import Step
from engine.plan.guard import calling, in_stage
from engine.plan.origins import NO_ORIGINS, Origins, behind, inputs_of
from engine.plan.plan import Plan, PlannedStage
from engine.plan.points import ComputePoint, FilterPoint, ScorePoint
from engine.plan.trace import State, initial, materialised, selected, trace_stage
from engine.schema import Column, Kind
from engine.stage import NOTHING, ColumnStage, FitContext, FitResult, Learned, Part, ScoreStage
from engine.values import Categories, FloatArray, Values, take

Progress = Callable[[int, int, str], None]
"""``progress(done, total, what)``."""


@dataclass(frozen=True)
class TrainingData:
    """Labelled rows, decoded: those of train first, then those of valid.

    Parameters
    ----------
    columns : mapping of str to Values
        The pipeline's inputs.
    train : int
        How many rows are train's.
    y : float64 array, shape (n,)
    kind : Kind
        Of the target.
    classes : tuple of str
    weight : float64 array, shape (n,), or None
    group : int64 array, shape (n,), or None
    """

    columns: Mapping[str, Values]
    train: int
    y: FloatArray
    kind: Kind
    classes: tuple[str, ...] = ()
    weight: FloatArray | None = None
    group: NDArray[np.int64] | None = None

    def at(self, rows: NDArray[np.int64]) -> TrainingData:
        """The rows at these ascending positions."""
        return replace(
            self,
            columns={name: take(column, rows) for name, column in self.columns.items()},
            train=int(np.searchsorted(rows, self.train)),
            y=self.y[rows],
            weight=None if self.weight is None else self.weight[rows],
            group=None if self.group is None else self.group[rows],
        )


@dataclass(frozen=True)
class Seen:
    """What the models saw of the train rows, and their scores, by column name; how many rows were left."""

    features: Mapping[str, Values]
    scores: Mapping[str, Values]
    train: int
    valid: int
    """Rows of each part that no filter refused."""


def learn(plan: Plan, data: TrainingData, progress: Progress) -> tuple[dict[str, Learned], Seen]:
    """Fit every stage that learns.

    Parameters
    ----------
    plan : Plan
    data : TrainingData
    progress : callable

    Returns
    -------
    dict of str to Learned
        By stage label.
    Seen
    """
    values: dict[str, Values] = dict(data.columns)
    state: State = initial(plan)
    origins: Origins = NO_ORIGINS
    learned: dict[str, Learned] = {}
    features: dict[str, Values] = {}
    scored: dict[str, Values] = {}
    for number, planned in enumerate(plan.stages):
        progress(number, len(plan.stages), planned.label)
        columns = selected(planned, state)
        fitted = _learn_stage(plan, planned, columns, values, data, progress)
        found, training = fitted if isinstance(fitted, tuple) else (fitted, {})
        if found is not None:
            learned[planned.label] = found
        after, step, point = trace_stage(planned, found or NOTHING, state, origins)
        leaves: dict[Leaf, Values] = {("input", name): column for name, column in values.items()}
        rows = len(data.y)
        matters = any(later.stage.learns() for later in plan.stages[number + 1 :])
        if isinstance(point, FilterPoint):
            refused = np.zeros(rows, bool)
            with calling(planned):
                conditions = interpret(point.reads, leaves, rows)
            for holds in conditions:
                refused |= np.asarray(holds)
            if refused.any():
                data = data.at(np.flatnonzero(~refused))
                values = {name: take(column, ~refused) for name, column in values.items()}
                if not data.train:
                    raise DataError(
                        f"stages.{planned.label}: the filter refuses every row that is left of train"
                    )
            continue
        if isinstance(point, ComputePoint):
            starts = _group_starts(point, data, matters)
            for i, column in enumerate(_computed(point, leaves, rows, starts)):
                leaves["made", (planned.label, i)] = column
        if isinstance(point, ScorePoint):
            first = np.arange(data.train)
            seen = {name: values[name] for name, _ in point.features}
            features |= {name: take(column, first) for name, column in seen.items() if name not in scored}
            with calling(planned):
                matrix = feature_matrix(point.reads, leaves, rows)
            assert isinstance(planned.stage, ScoreStage)
            scorer: Any = planned.stage.make_scorer(found or NOTHING)
            if not matters and hasattr(scorer, "narrow"):  # nobody learns from what lies behind the scores
                scorer = scorer.narrow(range(len(point.columns)))
            scores = scorer.many(matrix)
            for i in range(len(point.columns) + planned.stage.added_outputs()):
                there = i < scores.shape[1]
                leaves["score", (planned.label, i)] = (
                    scores[:, i] if there else np.full(rows, np.nan, np.float32)
                )
            for i, score in enumerate(point.columns):
                scored[score.name] = scores[: data.train, i]
        with calling(planned):
            computed = interpret([node for _, node in after.values()], leaves, rows)
        values = dict(zip(after, computed, strict=True))
        _put_training(planned, step, training, values, data.train)
        known = {**origins, **(behind(point, origins) if point else {})}
        origins = {("input", name): inputs_of([node], known) for name, (_, node) in after.items()}
        state = materialised([column for column, _ in after.values()])
    progress(len(plan.stages), len(plan.stages), "metrics")
    return learned, Seen(features, scored, data.train, len(data.y) - data.train)


def _group_starts(point: ComputePoint, data: TrainingData, matters: bool) -> NDArray[np.int64]:
    """The first rows of the groups in train, then of those in valid.

    Parameters
    ----------
    matters : bool
        Whether a later stage learns from what is made of them.

    Raises
    ------
    DataError
        A group isn't whole: a model would learn from other values than it gets later.
    """
    if point.by is None:
        if point.grouped and matters:
            raise UserError(
                f"stages.{point.label}.by: is needed where a later stage learns: "
                "without it nothing says which rows of the training data are a group"
            )
        return np.zeros(1, np.int64)
    values = data.columns[point.by]
    parts = [
        find_runs(point.by, take(values, rows)) for rows in np.split(np.arange(len(data.y)), [data.train])
    ]
    for name, runs in zip(("train", "valid"), parts, strict=True):
        if matters:
            runs.check(f"stages.{point.label}: of the {name} rows, ")
    common = set(parts[0].keys) & set(parts[1].keys)
    if matters and common:
        raise DataError(
            f"stages.{point.label}: {len(common):,} groups of {point.by!r} lie in train and in valid; "
            f"keep them whole: 'split={{kind: group, column: {point.by}}}'"
        )
    return np.concatenate([parts[0].starts, data.train + parts[1].starts])


def _computed(
    point: ComputePoint, leaves: Mapping[Leaf, Values], rows: int, starts: NDArray[np.int64]
) -> list[NDArray[Any]]:
    """What a stage that computes with NumPy makes of the rows that are left."""
    given = interpret(point.reads, leaves, rows)
    columns = {name: values for (name, _), values in zip(point.inputs, given, strict=True)}
    return point.compute(columns, rows, starts) if rows else point.new(0)


def _learn_stage(
    plan: Plan,
    planned: PlannedStage,
    columns: list[Column],
    values: Mapping[str, Values],
    data: TrainingData,
    progress: Progress,
) -> FitResult | None:
    stage = planned.stage
    if not stage.learns():
        with in_stage(planned):
            return stage.prepare(columns) or None
    chosen = {column.name: values[column.name] for column in columns}
    if isinstance(stage, ScoreStage):
        chosen = {
            name: column if isinstance(column, Categories) else np.asarray(column, np.float64)
            for name, column in chosen.items()
        }
    rows = np.arange(len(data.y))
    train = _part(chosen, data, rows[: data.train])
    valid = _part(chosen, data, rows[data.train :]) if data.train < len(rows) else None
    number = int.from_bytes(hashlib.sha256(planned.label.encode()).digest()[:8], "little")
    context = FitContext(
        train,
        valid,
        np.random.default_rng([plan.seed, number]),
        plan.seed,
        data.kind,
        data.classes,
        lambda done, total, text: progress(
            done, total, f"{planned.label}: {text}" if text else planned.label
        ),
    )
    try:
        with in_stage(planned):
            return stage.fit(train.columns, context)
    except UserError as error:
        raise UserError(f"stages.{planned.label}: {error}") from None


def _put_training(
    planned: PlannedStage,
    step: Step,
    training: Mapping[str, NDArray[Any]] | NDArray[Any],
    values: dict[str, Values],
    train: int,
) -> None:
    """Put what a stage says of the training rows in the place of what it computes for them.

    Raises
    ------
    UserError
        It isn't what the stage makes.
    """
    if isinstance(planned.stage, ColumnStage):  # it knows the columns by what they were called before
        made = {old.name: new for old, new in zip(step.selected, step.made, strict=True)}
    else:
        made = {column.name: column for column in step.made}
    if not isinstance(training, Mapping):
        training = dict.fromkeys(list(made)[:1], training) if len(made) == 1 else {"": training}
    kinds = {name: column.kind for name, column in made.items()}
    dtypes = {Kind.NUMBER: np.dtype(np.float64), Kind.BOOLEAN: np.dtype(np.bool_)}
    for name, found in training.items():
        expected = dtypes.get(kinds[name]) if name in kinds else None
        if name not in kinds:
            message = f"for {name!r}, which is no column that it makes"
        elif expected is None:
            message = f"for {name!r}, a {kinds[name]}; only numbers and booleans can have others"
        elif not isinstance(found, np.ndarray) or (found.shape, found.dtype) != ((train,), expected):
            given = f"a {type(found).__name__}"
            if isinstance(found, np.ndarray):
                given = f"{found.dtype} of shape {found.shape}"
            message = f"for {name!r} as {given}; an array of {expected} of shape ({train},) is expected"
        else:
            whole = np.array(values[made[name].name], dtype=expected)
            whole[:train] = found
            values[made[name].name] = whole
            continue
        raise UserError(
            f"stages.{planned.label}: fit of {planned.stage.use!r} gave training values {message}"
        )


def _part(columns: Mapping[str, Values], data: TrainingData, rows: NDArray[np.int64]) -> Part:
    return Part(
        {name: take(column, rows) for name, column in columns.items()},
        data.y[rows],
        None if data.weight is None else data.weight[rows],
        None if data.group is None else data.group[rows],
    )


def feature_matrix(features: Sequence[Expr], leaves: Mapping[Leaf, Values], rows: int) -> NDArray[np.float32]:
    """Features as a model takes them: float32 ``(n_rows, n_features)``, row-major, missing as NaN."""
    matrix = np.empty((rows, len(features)), np.float32)
    with np.errstate(over="ignore"):
        for i, node in enumerate(features):  # one by one: together they would be a second table
            matrix[:, i] = np.asarray(interpret([node], leaves, rows)[0])
    return matrix
