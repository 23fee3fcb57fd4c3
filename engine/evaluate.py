"""How good a pipeline's answers are on labelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from engine.errors import ConfigError, DataError, Mistake, listing
from engine.pipeline import Pipeline
from engine.schema import Kind
from engine.training.columns import read_columns
from engine.training.fit import measure, predicted, score_columns
from engine.training.split import split_rows
from engine.training.target import Labels, read_target
from engine.values import FILTERED, FloatArray


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
    """

    rows: int
    unlabelled: int
    rejected: int
    filtered: int
    metrics: Mapping[str, float]


def evaluate(
    pipeline: Pipeline,
    table: pa.Table,
    *,
    text: bool = False,
    part: Literal["", "train", "valid", "test"] = "",
) -> Evaluation:
    """Score labelled rows, the way batch does, and hold the scores against the target.

    Parameters
    ----------
    pipeline : Pipeline
    table : pyarrow.Table
        The inputs, and what the target (with ``part``, the split, too) reads.
    text : bool
        Every column is text to parse, as a CSV file's are.
    part : {"", "train", "valid", "test"}
        Only these rows, parted as `engine.fit` does; empty: all that have a target.

    Raises
    ------
    ConfigError
        The pipeline has no target or no model, or there is no such part.
    DataError
        The table doesn't fit the pipeline, or its target doesn't fit the model's classes.
    """
    plan = pipeline.plan
    names = score_columns(pipeline)
    if not names:
        raise ConfigError([Mistake("stages", "no stage makes a score, so there is nothing to evaluate")])
    where = "the labelled table"
    scoring = pipeline.scoring()
    scoring.check_schema(table.schema, where, text=text)
    kinds = {item.name: item.kind for item in plan.inputs}
    labels = read_target(plan.target, table, kinds, text=text, varied=False)
    rows = np.flatnonzero(labels.known) if not part else _part(pipeline, table, labels, part, text)
    batch, bad = scoring.score_batch(table.take(pa.array(rows)), text=text)
    fatal = next((value for value in bad if value.fatal), None)
    if fatal is not None:
        raise DataError(f"{where}, row {rows[fatal.row]}: {fatal.message}")
    good = np.ones(len(rows), bool)
    good[[value.row for value in bad]] = False
    rows = rows[good]
    if not len(rows):
        raise DataError(
            f"{where}: each of its {len(good):,} labelled rows is rejected; the first: {bad[0].message}"
        )
    scores = np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in names], axis=1)
    y = _by_learned_classes(pipeline, labels, labels.y[rows])
    metrics = measure(pipeline, y, scores.astype(np.float64))
    filtered = sum(value.code == FILTERED for value in bad)  # such a row is refused for one reason
    rejected = int((~good).sum()) - filtered
    return Evaluation(len(rows), int((~labels.known).sum()), rejected, filtered, metrics)


def _part(
    pipeline: Pipeline, table: pa.Table, labels: Labels, part: Literal["train", "valid", "test"], text: bool
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    plan = pipeline.plan
    kinds = {item.name: item.kind for item in plan.inputs}
    name = plan.split.column
    column = (
        read_columns(table, [name], kinds, text=text, where="split.column", strict=True)[name]
        if name
        else None
    )
    seed = plan.seed if plan.split.seed is None else plan.split.seed
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = getattr(
        split_rows(plan.split, labels.known, column, seed), part
    )
    if not len(found):
        raise ConfigError([Mistake("split.part", f"the split has no {part} part: split.{part} is 0")])
    return found


def _check_numbered(y: FloatArray, classes: int) -> None:
    """Refuse numbers that are no class's index."""
    strange = np.unique(y[(y < 0) | (y >= classes) | (y != np.floor(y))])
    if len(strange):
        raise DataError(
            f"target: the model's classes are 0 to {classes - 1}, and the target has "
            f"{listing(f'{value:g}' for value in strange)}"
        )


def _by_learned_classes(pipeline: Pipeline, labels: Labels, y: FloatArray) -> FloatArray:
    """The target, a category as its place among the model's classes.

    The classes that happen to be in this table may be fewer than the model's.
    """
    model = pipeline.trace.scores[-1].label
    learned = pipeline.learned[model].get("classes", ())
    if labels.kind is not Kind.CATEGORY:
        if predicted(pipeline) is Kind.CATEGORY:
            _check_numbered(y, len(learned))
        return y
    if not learned:
        raise DataError(
            f"target: it is a category, and {model!r} learned no classes: its score is one number"
            '\n  a condition on it would fit: target.column=null \'target.value="NAME == \\"TEXT\\""\''
        )
    strange = sorted({labels.classes[int(found)] for found in np.unique(y)} - set(learned))
    if strange:
        raise DataError(
            f"target: the model doesn't know {listing(map(repr, strange))}; its classes: {listing(learned)}"
        )
    place = np.array([learned.index(name) if name in learned else -1 for name in labels.classes])
    return place[y.astype(np.int64)].astype(np.float64)
