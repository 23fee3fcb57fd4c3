"""What labelled rows are held against: their targets, the part they are in, weights, groups and segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import ConfigError, DataError, Mistake, listing
from engine.evaluate.segments import Segments, read_segments
from engine.pipeline import Pipeline
from engine.schema import Kind
from engine.stage import NOTHING
from engine.training.columns import read_columns, read_groups, read_weights
from engine.training.fit import predicted
from engine.training.split import split_rows
from engine.training.target import Labels, read_target
from engine.values import FloatArray, IntArray

Part = Literal["", "train", "valid", "test"]


@dataclass(frozen=True)
class Labelled:
    """The rows that are evaluated, and what is known of them besides their inputs.

    Parameters
    ----------
    rows : int64 array, shape (n,)
        Their positions in the table, ascending.
    y : float64 array, shape (n,), or (n, k) of several targets, or (n, 2) of bounds
        The target, a category as its place among the model's classes.
    weight : float64 array, shape (n,), or None
    group : int64 array, shape (n,), or None
    segments : Segments or None
    unlabelled : int
        Rows of the table without a target.
    """

    rows: IntArray
    y: FloatArray
    weight: FloatArray | None
    group: IntArray | None
    segments: Segments | None
    unlabelled: int

    def take(self, rows: NDArray[np.bool_]) -> Labelled:
        """The rows where a mask is true."""
        return replace(
            self,
            rows=self.rows[rows],
            y=self.y[rows],
            weight=None if self.weight is None else self.weight[rows],
            group=None if self.group is None else self.group[rows],
            segments=None if self.segments is None else self.segments.take(rows),
        )


def read_labels(
    pipeline: Pipeline, table: pa.Table, *, text: bool, part: Part, by: Sequence[str]
) -> Labelled:
    """The labelled rows of a table that has the columns of target, split, weight, group and ``by``.

    Raises
    ------
    ConfigError
        There is no target, or no such part.
    DataError
        A column is absent or of a wrong kind, or the target doesn't fit the model's classes.
    """
    plan = pipeline.plan
    kinds = {item.name: item.kind for item in plan.inputs}
    labels = read_target(plan.target, table, kinds, text=text, varied=False)
    rows = np.flatnonzero(labels.known) if not part else _part(pipeline, table, labels, part, text)
    weight = read_weights(plan.weight, table, kinds, rows, text=text)[rows] if plan.weight else None
    group = read_groups(plan.group, table, kinds, rows, text=text)[rows] if plan.group else None
    segments = read_segments(by, table, kinds, rows, text=text) if by else None
    y = _by_learned_classes(pipeline, labels, labels.y[rows])
    return Labelled(rows, y, weight, group, segments, 0 if part else int((~labels.known).sum()))


def _part(pipeline: Pipeline, table: pa.Table, labels: Labels, part: Part, text: bool) -> IntArray:
    plan = pipeline.plan
    kinds = {item.name: item.kind for item in plan.inputs}
    name = plan.split.column
    column = (
        read_columns(table, [name], kinds, text=text, where="split.column", strict=True)[name]
        if name
        else None
    )
    seed = plan.seed if plan.split.seed is None else plan.split.seed
    found: IntArray = getattr(split_rows(plan.split, labels.known, column, seed), part)
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
    learned = pipeline.learned.get(model, NOTHING).get("classes", ())
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
