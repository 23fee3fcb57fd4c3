"""The whole way from a plan and a labelled table to a fitted pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.answer.groups import find_runs
from engine.decode import TableDecoder
from engine.encode import to_arrow
from engine.errors import ConfigError, DataError
from engine.expr.derived import InputKey, column_of, source_of
from engine.expr.walk import leaves
from engine.fitted import Fitted
from engine.golden import golden_rows
from engine.metric import Scored
from engine.pipeline import Pipeline
from engine.plan.check import check
from engine.plan.plan import Plan
from engine.schema import Column, Kind
from engine.stage import NOTHING, ScoreStage
from engine.training.columns import read_columns, read_groups, read_weights
from engine.training.learn import Progress, Seen, TrainingData, learn
from engine.training.metrics import OF_FIT, as_predictions, load_metrics, measure, task_of
from engine.training.profile import profile
from engine.training.split import Parts, split_rows
from engine.training.target import Labels, read_target
from engine.values import Categories, FloatArray, Values, take


def fit_plan(
    plan: Plan,
    table: pa.Table,
    *,
    text: bool = False,
    overrides: tuple[str, ...] = (),
    progress: Progress,
    interpreted: bool = False,
) -> Pipeline:
    """Fit a plan.

    Parameters
    ----------
    plan : Plan
    table : pyarrow.Table
        Labelled rows: the inputs, and what target, split, weight and group name.
    text : bool
        Every column is text to parse, as a CSV file's are.
    overrides : tuple of str
        Kept in the bundle's manifest.
    progress : callable
    interpreted : bool
        Score by the interpreter; nothing is compiled.

    Raises
    ------
    DataError
        The table doesn't fit the plan.
    """
    labels, parts, extra = label(plan, table, text=text)
    # the names of the scores are known now: what later stages get wrong need not wait for the training
    mistakes = check(plan, lambda key: "the pipeline", labels.kind, labels.classes)
    if mistakes:
        raise ConfigError(mistakes)
    decoder = TableDecoder(plan.inputs, None, None, parse_text=text)
    decoder.check_schema(table.schema, "the labelled table")
    decoded = decoder.decode(table)
    labelled = np.zeros(table.num_rows, bool)
    for rows_of_part in (parts.train, parts.valid, parts.test):
        labelled[rows_of_part] = True
    bad = [b for b in decoded.bad if labelled[b.row]]
    if bad:
        first = bad[0]
        rows = len({b.row for b in bad})
        kind = next(item.kind for item in plan.inputs if item.name == first.column)
        raise DataError(
            f"{rows:,} labelled row{'s are' if rows != 1 else ' is'} refused; "
            f"the first is row {first.row}: {first.message}\n"
            f"  to take such values as missing: 'inputs.{first.column}={{kind: {kind}, {first.code}: null}}'"
        )
    used = np.concatenate([parts.train, parts.valid])
    data = TrainingData(
        {name: take(values, used) for name, values in decoded.columns.items()},
        len(parts.train),
        labels.y[used],
        labels.kind,
        labels.classes,
        None if extra["weight"] is None else extra["weight"][used],
        None if extra["group"] is None else extra["group"][used],
    )
    learned, seen = learn(plan, data, progress)
    pipeline = Pipeline(plan, learned, None, overrides, interpreted=interpreted)
    fitted = _report(pipeline, table, decoded.columns, labels, parts, extra, seen, text)
    return Pipeline(plan, learned, fitted, overrides, interpreted=interpreted)


def label(plan: Plan, table: pa.Table, *, text: bool) -> tuple[Labels, Parts, Mapping[str, Any]]:
    """The target, the parts, and weight and group of a labelled table."""
    kinds = {item.name: item.kind for item in plan.inputs}
    labels = read_target(plan.target, table, kinds, text=text)
    column = None
    if plan.split.column:
        column = read_columns(
            table, [plan.split.column], kinds, text=text, where="split.column", strict=True
        )[plan.split.column]
    seed = plan.seed if plan.split.seed is None else plan.split.seed
    parts = split_rows(plan.split, labels.known, column, seed)
    used = np.concatenate([parts.train, parts.valid, parts.test])
    extra = {
        "weight": read_weights(plan.weight, table, kinds, used, text=text) if plan.weight else None,
        "group": read_groups(plan.group, table, kinds, used, text=text) if plan.group else None,
    }
    return labels, parts, extra


def score_columns(pipeline: Pipeline) -> list[str]:
    """The score columns of the last model."""
    points = pipeline.trace.scores
    return [column.name for column in points[-1].columns] if points else []


def predicted(pipeline: Pipeline) -> Kind:
    """What the last model's scores are of."""
    label = pipeline.trace.scores[-1].label
    stage = pipeline.plan.stage(label).stage
    assert isinstance(stage, ScoreStage)
    return stage.predicts(pipeline.learned.get(label, NOTHING))


def scores_of(
    pipeline: Pipeline, columns: Mapping[str, Values], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], FloatArray]:
    """Those of some rows that no filter refuses, and the last model's scores of them: float64 ``(n, k)``.

    By the compiled program.
    """
    names = score_columns(pipeline)
    found, refused = _answered(pipeline.scoring(), columns, rows)
    scores = np.stack([np.asarray(found[name], np.float64) for name in names], axis=1)
    return (rows, scores) if refused is None else (rows[refused < 0], scores[refused < 0])


def _answered(
    pipeline: Pipeline, columns: Mapping[str, Values], rows: NDArray[np.int64]
) -> tuple[dict[str, Values], NDArray[np.int64] | None]:
    """`Program.answer` for some rows of a decoded table."""
    layout = pipeline.layout
    coded = program_inputs(layout.reads, columns, layout.vocabularies, rows)
    groups: dict[str | None, NDArray[np.int64]] = {}
    for by in layout.groups:
        groups[by] = np.zeros(len(rows), np.int64)
        if by is not None:
            runs = find_runs(by, take(columns[by], rows))
            runs.check("of the rows that the metrics are of, ")
            groups[by] = runs.numbers
    return pipeline.program.answer(len(rows), coded, groups)


def program_inputs(
    reads: Iterable[InputKey],
    columns: Mapping[str, Values],
    vocabularies: Mapping[str, tuple[str, ...]],
    rows: NDArray[np.int64] | None = None,
) -> dict[InputKey, Values]:
    """What a program reads, of decoded columns all of whose texts are known."""
    sources = {name: columns[name] for name in map(source_of, reads)}
    if rows is not None:
        sources = {name: take(column, rows) for name, column in sources.items()}
    return {key: recode(column_of(key, sources), vocabularies.get(source_of(key))) for key in reads}


def recode(values: Values, vocabulary: tuple[str, ...] | None) -> Values:
    """A category column by another vocabulary."""
    if not isinstance(values, Categories) or vocabulary is None:
        return values
    place = {text: i + 2 for i, text in enumerate(vocabulary)}
    table = np.array([0, 1, *(place.get(text, 1) for text in values.texts)], np.int32)
    return Categories(table[values.codes], vocabulary)


def _report(
    pipeline: Pipeline,
    table: pa.Table,
    columns: Mapping[str, Values],
    labels: Labels,
    parts: Parts,
    extra: Mapping[str, Any],
    seen: Seen,
    text: bool,
) -> Fitted:
    held = next(part for part in (parts.test, parts.valid, parts.train) if len(part))
    metrics: Mapping[str, float] = {}
    left = {"train": seen.train, "valid": seen.valid, "test": len(parts.test)}
    if pipeline.trace.scores:
        passing, scores = scores_of(pipeline, columns, held)
        if not len(passing):
            raise DataError(f"each of the {len(held):,} rows that the metrics are of is refused by a filter")
        if held is parts.test:
            left["test"] = len(passing)
        held = passing
        task, scores = task_of(pipeline, labels.y[held]), as_predictions(pipeline, scores)
        weight, group = (None if extra[key] is None else extra[key][held] for key in ("weight", "group"))
        metrics = measure(
            Scored(task, labels.y[held], scores, weight, group), load_metrics(OF_FIT[task.kind])
        )
    elif pipeline.layout.refusals and held is parts.test:
        refused = _answered(pipeline, columns, held)[1]
        left["test"] = int(np.count_nonzero(refused == -1))
    golden = _golden(pipeline, table, columns, held, text) if pipeline.plan.golden else None
    inputs = {name: take(column, parts.train) for name, column in columns.items()}
    labelled = sum(map(len, (parts.train, parts.valid, parts.test)))
    filtered = labelled - sum(left.values())
    rows = left | {"unlabelled": int((~labels.known).sum())} | ({"filtered": filtered} if filtered else {})
    found = profile((("input", inputs), ("feature", seen.features), ("score", seen.scores)))
    hints = _hints(pipeline, labels)
    return Fitted(metrics, rows, golden, found, fingerprint(table), hints=hints)


def _hints(pipeline: Pipeline, labels: Labels) -> tuple[str, ...]:
    target = pipeline.plan.target
    if not (target and target.column and pipeline.trace.scores):
        return ()
    y = labels.y[labels.known]
    hints = []
    if labels.kind is Kind.NUMBER and predicted(pipeline) is Kind.NUMBER and ((y == 0) | (y == 1)).all():
        hints.append(
            f"the target {target.column!r} holds only 0 and 1 and was learned as a number; "
            f"for a probability: target.column=null 'target.value=\"{target.column} == 1\"'"
        )
    seen = leaves([node for point in pipeline.trace.scores for _, node in point.features])
    if any(leaf.op == "input" and source_of(leaf.data) == target.column for leaf in seen):
        hints.append(f"the target {target.column!r} is an input, too: the model sees what it has to predict")
    return tuple(hints)


def _golden(
    pipeline: Pipeline, table: pa.Table, columns: Mapping[str, Values], held: np.ndarray[Any, Any], text: bool
) -> pa.Table:
    """Rows spread over the held-out part, with their answers."""
    count = min(pipeline.plan.golden, len(held))
    rows = held[np.unique(np.linspace(0, len(held) - 1, count).astype(np.int64))]
    raw = {
        item.name: to_arrow(take(columns[item.name], rows), Column(item.name, item.kind))
        for item in pipeline.plan.inputs
    }
    for name in pipeline.plan.keep:
        if name not in raw and name in table.schema.names:
            raw[name] = table.column(name).take(pa.array(rows)).combine_chunks()
        elif name not in raw:  # a column of later tables; nothing is learned from it
            raw[name] = pa.nulls(len(rows))
    given = pa.RecordBatch.from_pydict(raw)
    refused = {value.row for value in pipeline.score_batch(given)[1]} if pipeline.layout.refusals else set()
    if refused:
        given = given.take(pa.array([row for row in range(given.num_rows) if row not in refused], pa.int64()))
    return golden_rows(pipeline, given)


def fingerprint(table: pa.Table) -> Mapping[str, Any]:
    """What identifies a table: its rows, columns and a digest of both with the first and last values."""
    digest = hashlib.sha256(str(table.schema.remove_metadata()).encode())
    digest.update(str(table.num_rows).encode())
    for part in (table.slice(0, 1000), table.slice(max(0, table.num_rows - 1000))):
        digest.update(repr(part.to_pydict()).encode())
    return {"rows": table.num_rows, "columns": table.schema.names, "sha256": digest.hexdigest()}
