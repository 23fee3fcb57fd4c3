"""From labelled rows to metrics, overall and by segment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from engine.errors import ConfigError, Mistake, did_you_mean, listing
from engine.evaluate.labelled import Part, read_labels
from engine.evaluate.scoring import score_rows
from engine.evaluate.segments import SMALL, Key, Segments
from engine.metric import MetricPlugin, Scored, Task
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.training.fit import score_columns
from engine.training.metrics import METRICS, as_predictions, load_metrics, measure, names_of, task_of

Inputs = Callable[[Sequence[str], bool], Iterable[pa.RecordBatch | pa.Table]]

DEFAULT = "default"
"""Among the names of metrics: those that fit what the scores are of."""


@dataclass(frozen=True)
class Segment:
    """Rows that have some values in common.

    Parameters
    ----------
    values : mapping of str to str or None
        By column; None: missing. Empty: the segments that are not told apart.
    rows : int
    metrics : mapping of str to float
    """

    values: Mapping[str, str | None]
    rows: int
    metrics: Mapping[str, float]

    @property
    def small(self) -> bool:
        """Whether it has so few rows that its metrics say little."""
        return self.rows < SMALL


@dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation.

    Parameters
    ----------
    rows : int
        Rows that the metrics are of.
    unlabelled : int
        Rows without a target, left out.
    rejected : int
        Labelled rows that an input's policy rejects, left out: batch would not score them, either.
    filtered : int
        Labelled rows that a filter refuses, left out likewise.
    metrics : mapping of str to float
        NaN: these rows don't define it.
    task : Task
        What the scores are of.
    better : mapping of str to bool or None
        Whether a greater value of a metric is better; None: neither way.
    not_finite : int
        Rows whose score is infinite or NaN: the metrics of whatever they belong to are NaN.
    segments : tuple of Segment
        Those with the most rows first; the rest, as one, comes last.
    others : int
        How many segments that one holds.
    scored : Scored
        The rows themselves, for curves.
    """

    rows: int
    unlabelled: int
    rejected: int
    filtered: int
    metrics: Mapping[str, float]
    task: Task
    better: Mapping[str, bool | None]
    not_finite: int
    segments: tuple[Segment, ...] = ()
    others: int = 0
    scored: Scored = field(repr=False, kw_only=True)


def evaluate(
    pipeline: Pipeline,
    table: pa.Table,
    *,
    text: bool = False,
    part: Part = "",
    by: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    registry: Registry | None = None,
    inputs: Inputs | None = None,
) -> Evaluation:
    """Score labelled rows, the way batch does, and hold the scores against the target.

    Parameters
    ----------
    pipeline : Pipeline
    table : pyarrow.Table
        What the target, weight, group and ``by`` read (with ``part``, the split, too), and the inputs.
    text : bool
        Every column is text to parse, as a CSV file's are.
    part : {"", "train", "valid", "test"}
        Only these rows, parted as `engine.fit` does; empty: all that have a target.
    by : sequence of str
        Columns by whose values the rows are told apart.
    metrics : sequence of str, optional
        Their names; ``default`` stands for those that fit what the scores are of, as does None.
    registry : Registry, optional
        Where metrics are looked up.
    inputs : callable, optional
        ``inputs(columns, whole)`` reads these inputs of the same rows in the same order, in batches or as one
        whole table; those that are there. Left out: the table has them.

    Raises
    ------
    ConfigError
        The pipeline has no target or no model, there is no such part, or no such metric for these scores.
    DataError
        The table doesn't fit the pipeline, or its target doesn't fit the model's classes.
    """
    if not score_columns(pipeline):
        raise ConfigError([Mistake("stages", "no stage makes a score, so there is nothing to evaluate")])
    registry = registry or Registry()
    where = "the labelled table"
    scoring = pipeline.scoring()
    if inputs is None:
        scoring.check_schema(table.schema, where, text=text)
    by = tuple(dict.fromkeys(by))
    labelled = read_labels(pipeline, table, text=text, part=part, by=by)
    task = task_of(pipeline, labelled.y)
    chosen = choose(metrics, task, registry)  # before anything is scored
    # a stage that looks at groups of rows gets all rows at once, as no batch may end in a group
    batches = [table] if inputs is None else inputs(scoring.reads, bool(scoring.groups))
    answers = score_rows(scoring, batches, labelled.rows, where=where, text=text)
    labelled = labelled.take(answers.good)
    scores = as_predictions(pipeline, answers.scores)
    rows = Scored(task, labelled.y, scores, labelled.weight, labelled.group)
    segments = labelled.segments
    return Evaluation(
        len(rows),
        labelled.unlabelled,
        answers.rejected,
        answers.filtered,
        measure(rows, chosen),
        task,
        _better(chosen, task),
        int((~rows.finite).sum()),
        () if segments is None else _by_segment(segments, by, rows, chosen),
        0 if segments is None else segments.others,
        scored=rows,
    )


def choose(names: Sequence[str] | None, task: Task, registry: Registry) -> list[MetricPlugin]:
    """The metrics of these names, each once.

    Raises
    ------
    ConfigError
        There is none of a name, or it doesn't fit the task.
    """
    wanted: dict[str, None] = {}
    for name in names or [DEFAULT]:
        wanted.update(dict.fromkeys(METRICS[task.kind] if name == DEFAULT else [name]))
    known = registry.names("metric")
    mistakes = [
        Mistake(
            "metrics",
            f"no metric is called {name!r}.{did_you_mean(name, known)}",
            (f"those of this model: default, {listing(METRICS[task.kind], 40)}",),
        )
        for name in wanted
        if name not in known
    ]
    found = load_metrics([name for name in wanted if name in known], registry)
    mistakes += [
        Mistake(
            "metrics",
            f"{metric.use!r} is of {listing(metric.tasks)}; the scores of this model are of {task.kind}",
            (f"those of this model: default, {listing(METRICS[task.kind], 40)}",),
        )
        for metric in found
        if task.kind not in metric.tasks
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return found


def _by_segment(
    segments: Segments, by: Sequence[str], rows: Scored, metrics: Sequence[MetricPlugin]
) -> tuple[Segment, ...]:
    order = np.argsort(segments.codes, kind="stable")
    counts = np.bincount(segments.codes, minlength=len(segments.keys) + 1)
    ends = np.cumsum(counts)
    keys: list[Key] = [*segments.keys, ()]
    # rows may have been refused since they were counted
    places = [*np.argsort(-counts[:-1], kind="stable").tolist(), len(segments.keys)]
    return tuple(
        Segment(
            dict(zip(by, keys[i], strict=True)) if keys[i] else {},
            int(counts[i]),
            measure(rows.take(order[ends[i] - counts[i] : ends[i]]), metrics),
        )
        for i in places
        if counts[i]
    )


def _better(metrics: Sequence[MetricPlugin], task: Task) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for metric in metrics:
        found |= dict.fromkeys(names_of(metric, task), metric.greater_is_better)
    return found
