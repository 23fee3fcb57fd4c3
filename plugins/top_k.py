"""Mark the first rows of a group."""

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


@stage("top_k")
class TopK(GroupStage):
    """Make a boolean: whether a row is among the first ``k`` of its group by a number, such as a score.

    The highest numbers are first, unless ``first: lowest``; of equal ones the earlier row is before the
    later, so that never more than ``k`` are marked. A row whose number is missing is never marked. No row is
    dropped. The new column is called ``into``, or as the stage's label.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("top_k", {"score": [0.2, 0.9, 0.7, 0.7, None], "query": ["a", "a", "a", "a", "b"]},
    ...           columns=["score"], by="query", into="shown", k=2)
    {'shown': [False, True, True, False, False]}
    """

    accepts = (Kind.NUMBER,)

    k: int = option(ge=1, runtime=True, help="how many rows of a group are marked, at most")
    first: Literal["highest", "lowest"] = option("highest", runtime=True, help="which numbers are first")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 1:
            yield f"top_k takes one column, not {len(columns)}: {listing(c.name for c in columns)}"
        if any(column.open for column in columns):
            yield f"top_k takes one column, and {columns[0].name!r} may be several: name one of them"

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.BOOLEAN

    def compute(self, columns: Mapping[str, Values], starts: NDArray[np.int64], learned: Learned) -> Any:
        (values,) = columns.values()
        numbers = np.asarray(values, np.float64)
        place = ranks(numbers, starts, highest=self.first == "highest")
        return (place <= self.k) & ~np.isnan(numbers)
