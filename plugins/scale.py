"""Shift and scale numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np

from engine.errors import UserError, listing
from engine.expr.graph import Expr
from engine.schema import Column
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.numbers import mean_and_deviation
from engine.values import FloatArray, Values


@stage("scale")
class Scale(ColumnStage):
    """Compute ``(x - center) / by``; missing stays missing.

    ============  ================  ======================================================
    strategy      ``center``        ``by``
    ============  ================  ======================================================
    ``standard``  the mean          the standard deviation (of the population)
    ``minmax``    the least value   the greatest minus the least
    ``robust``    the median        the difference of the percentiles of ``quantile_range``
    ``maxabs``    0                 the greatest magnitude
    ============  ================  ======================================================

    They are learned as scikit-learn's scalers learn them; a constant column has ``by`` 1. What ``minmax``
    gives then goes from 0 to 1 to ``feature_range``. With ``center`` or ``by`` given nothing is learned (the
    other is then 0 or 1), whatever the strategy.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("scale", {"distance": [100.0, None, 300.0, 500.0]}, strategy="minmax")
    {'distance': [0.0, nan, 0.5, 1.0]}
    >>> run_stage("scale", {"delay": [0.0, 2.0, None, 900.0]}, strategy="robust", quantile_range=[0, 50])
    {'delay': [-1.0, 0.0, nan, 449.0]}
    >>> run_stage("scale", {"a": [1.0, 3.0], "b": [10.0, 30.0]}, center=[2.0, 20.0], by=[1.0, 10.0])
    {'a': [-1.0, 1.0], 'b': [-1.0, 1.0]}
    """

    strategy: Literal["standard", "minmax", "robust", "maxabs"] = option("standard", help="what is learned")
    quantile_range: list[float] = option(
        [25.0, 75.0], ge=0, le=100, help="robust: two percentiles, whose difference is divided by"
    )
    feature_range: list[float] = option([0.0, 1.0], help="minmax: from where to where the result goes")
    center: float | list[float] | None = option(
        None, help="what is subtracted: one number, or one for each column; then nothing is learned"
    )
    by: float | list[float] | None = option(
        None, help="what it is divided by: one number, or one for each column; then nothing is learned"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        yield from self._check_ranges()
        for name, given in (("center", self.center), ("by", self.by)):
            numbers = given if isinstance(given, list) else [given]
            if isinstance(given, list) and (len(given) != len(columns) or any(c.open for c in columns)):
                yield f"{name} has {len(given)} numbers for these columns: {listing(c.name for c in columns)}"
            if any(number is not None and not isfinite(number) for number in numbers):
                yield f"{name} must be finite"
            if name == "by" and 0 in numbers:
                yield "by must not be 0"

    def _check_ranges(self) -> Iterable[str]:
        ranges = (
            ("quantile_range", "robust", self.quantile_range, [25.0, 75.0]),
            ("feature_range", "minmax", self.feature_range, [0.0, 1.0]),
        )
        for name, strategy, given, default in ranges:
            if len(given) != 2 or not all(map(isfinite, given)) or given[0] >= given[1]:
                yield f"{name} must be two numbers, the lower one first, such as {default}; not {given}"
            elif given != default and (self.strategy != strategy or not self.learns()):
                why = "center or by is given" if not self.learns() else f"this is {self.strategy}"
                yield f"{name} is for strategy: {strategy}, and {why}"

    def learns(self) -> bool:
        return self.center is None and self.by is None

    def prepare(self, columns: Sequence[Column]) -> Learned:
        lists = {"center": self.center, "by": self.by}
        return {name: np.array(given) for name, given in lists.items() if isinstance(given, list)}

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        found = [self._learn(name, values) for name, values in columns.items()]
        return {"center": np.array([center for center, _ in found]), "by": np.array([by for _, by in found])}

    def _learn(self, name: str, values: Any) -> tuple[float, float]:
        present = values[~np.isnan(values)]
        if not len(present):
            raise UserError(
                f"scale can't learn from {name!r}: no training row has a value there; state center and by, "
                "or leave the column out"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            center, by = self._center_and_width(present)
        if not (isfinite(center) and isfinite(by)):
            raise UserError(
                f"scale can't learn from {name!r}: the training rows hold infinite or too large numbers "
                "there; clip the column first, or state center and by"
            )
        return center, by

    def _center_and_width(self, present: FloatArray) -> tuple[float, float]:
        if self.strategy == "standard":
            return mean_and_deviation(present)
        if self.strategy == "minmax":
            least, greatest = float(np.min(present)), float(np.max(present))
            start, stop = self.feature_range
            by = _or_one(greatest - least) / (stop - start)
            return least - start * by, by
        if self.strategy == "robust":
            start, stop = self.quantile_range
            low, middle, high = np.percentile(present, (start, 50, stop)).tolist()
            return middle, _or_one(high - low)
        return 0.0, _or_one(float(np.max(np.abs(present))))

    def express(self, x: Expr, learned: Learned) -> Expr:
        center = self._number(self.center, 0.0, learned, "center")
        by = self._number(self.by, 1.0, learned, "by")
        return (x - center) / by

    def _number(
        self, given: float | list[float] | None, default: float, learned: Learned, name: str
    ) -> float:
        if self.learns() or isinstance(given, list):
            return float(learned[name])
        return default if given is None else given


def _or_one(width: float) -> float:
    """1 for a width that scikit-learn takes for rounding noise."""
    return 1.0 if width < 10 * np.finfo(np.float64).eps else width
