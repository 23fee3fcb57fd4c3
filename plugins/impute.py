"""Fill missing numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, isnan
from typing import Any, Literal

import numpy as np

from engine.errors import UserError
from engine.expr.graph import Expr, where
from engine.schema import Column
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.values import FloatArray, Values


@stage("impute")
class Impute(ColumnStage):
    """Put a number where one is missing: learned from the training rows, or given.

    With ``value`` nothing is learned, whatever the strategy. Of several most frequent numbers the smallest
    is taken. Where a model is to know that a value was missing, put a stage ``missing_flag`` in front.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("impute", {"delay": [1.0, None, 2.0, 9.0]}, strategy="mean")
    {'delay': [1.0, 4.0, 2.0, 9.0]}
    >>> run_stage("impute", {"delay": [1.0, None]}, value=-1.0)
    {'delay': [1.0, -1.0]}
    """

    strategy: Literal["mean", "median", "most_frequent", "constant"] = option(
        "median", help="what is put there; constant: value"
    )
    value: float | None = option(None, runtime=True, help="the number itself; then nothing is learned")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.value is None and self.strategy == "constant":
            yield "strategy 'constant' needs a value, such as value: 0"
        if self.value is not None and isnan(self.value):
            yield "value is NaN, which is what is missing already"

    def learns(self) -> bool:
        return self.value is None

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"value": np.array([self._learn(name, values) for name, values in columns.items()])}

    def _learn(self, name: str, values: Any) -> float:
        present = values[~np.isnan(values)]
        if not len(present):
            raise UserError(
                f"impute can't learn the {self.strategy} of {name!r}: no training row has a value there; "
                "state a value, or leave the column out"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            found = _STRATEGIES[self.strategy](present)
        if not isfinite(found):
            raise UserError(
                f"impute can't learn the {self.strategy} of {name!r}: it is {found:g}, because the training "
                "rows hold infinite or too large numbers there; clip the column first, or state a value"
            )
        return found

    def express(self, x: Expr, learned: Learned) -> Expr:
        return where(x.isnan(), learned["value"] if self.value is None else self.value, x)


def _most_frequent(present: FloatArray) -> float:
    numbers, counts = np.unique(present, return_counts=True)
    return float(numbers[np.argmax(counts)]) + 0.0  # no -0.0


_STRATEGIES = {
    "mean": lambda present: float(np.mean(present)),
    "median": lambda present: float(np.median(present)),
    "most_frequent": _most_frequent,
}
