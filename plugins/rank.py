"""Rank the rows of a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.answer.ranks import ranks
from engine.errors import listing
from engine.schema import Column, Kind
from engine.stage import GroupStage, Learned, option, stage
from engine.values import Values


@stage("rank")
class Rank(GroupStage):
    """Make the rank, from 1, of each row among those of its group by a number, such as a score.

    The highest number is first, unless ``first: lowest``. Of equal numbers the earlier row's rank is lower;
    rows whose number is missing come last, in their order. So each rank is there once. The new column is an
    int64 called ``into``, or as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("rank", {"score": [0.2, None, 0.7, 0.7, 0.1], "query": ["a", "a", "a", "a", "b"]},
    ...           columns=["score"], by="query", into="place")
    {'place': [3, 4, 1, 2, 1]}
    """

    accepts = (Kind.NUMBER,)

    first: Literal["highest", "lowest"] = option("highest", runtime=True, help="which number has rank 1")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"rank takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if any(column.open for column in columns):
            yield f"rank takes one column, and {columns[0].name!r} may be several: name one of them"

    def declare(self, columns: Sequence[Column]) -> Column:
        return Column("", Kind.NUMBER, whole=True)

    def compute(self, columns: Mapping[str, Values], starts: NDArray[np.int64], learned: Learned) -> Any:
        (values,) = columns.values()
        return ranks(np.asarray(values, np.float64), starts, highest=self.first == "highest")
