"""Powers that make numbers look normal."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any, Literal

import numpy as np

from engine.errors import UserError
from engine.expr.graph import Expr, expm1, log, log1p, where
from engine.expr.interpret import interpret
from engine.schema import Kind
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.numbers import finite_values, mean_and_deviation, too_large
from engine.values import FloatArray, Values

_EPS = float(np.finfo(np.float64).eps)
"""A power nearer to 0 (or 2, of negative numbers) is the logarithm, which is the limit there."""


@stage("power")
class Power(ColumnStage):
    """Raise a number to the power that makes the training rows look most normal; missing stays missing.

    The power is that of greatest likelihood, as scikit-learn's ``PowerTransformer`` finds it.

    ===============  ===========================  =================================================
    ``method``       of what                      formula, with the power λ
    ===============  ===========================  =================================================
    ``yeo_johnson``  any number                   ``((x + 1)^λ - 1) / λ`` from 0 up, and
                                                  ``-((1 - x)^(2 - λ) - 1) / (2 - λ)`` below it
    ``box_cox``      positive numbers; others     ``(x^λ - 1) / λ``
                     are refused in training and
                     missing later
    ===============  ===========================  =================================================

    Yeo and Johnson, Biometrika 87 (2000); Box and Cox, J. R. Stat. Soc. B 26 (1964). Of a constant column λ
    is 1.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> found = run_stage("power", {"distance": [100.0, 200.0, None, 400.0, 2500.0]})
    >>> [round(x, 3) for x in found["distance"]]
    [-1.295, -0.417, nan, 0.27, 1.441]
    >>> found = run_stage("power", {"distance": [100.0, 200.0, 400.0]}, standardize=False)
    >>> [round(x, 3) for x in found["distance"]]
    [4.582, 5.26, 5.938]
    """

    method: Literal["yeo_johnson", "box_cox"] = option("yeo_johnson", help="the family of powers")
    standardize: bool = option(True, help="whether the result has mean 0 and deviation 1 in training")

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        found = [self._learn(name, values) for name, values in columns.items()]
        names = ("power", "mean", "deviation") if self.standardize else ("power",)
        return {key: np.array([numbers[i] for numbers in found]) for i, key in enumerate(names)}

    def _learn(self, name: str, values: Any) -> tuple[float, float, float]:
        there = finite_values("power", name, values)
        if self.method == "box_cox" and np.min(there) <= 0:
            raise UserError(
                f"power can't learn box_cox of {name!r}: {np.count_nonzero(there <= 0):,} training rows have "
                "0 or a negative number there; use method: yeo_johnson, or add to the column first"
            )
        power = _likeliest(self.method, name, there)
        (raised,) = interpret([self._raised(_X, power)], {("input", "x"): there}, len(there))
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = mean_and_deviation(np.asarray(raised))
        if not (isfinite(power) and isfinite(mean) and isfinite(deviation)):
            raise too_large("power", name)
        return power, mean, deviation

    def express(self, x: Expr, learned: Learned) -> Expr:
        raised = self._raised(x, learned["power"])
        return (raised - learned["mean"]) / learned["deviation"] if self.standardize else raised

    def _raised(self, x: Expr, power: float) -> Expr:
        return _yeo_johnson(x, power) if self.method == "yeo_johnson" else _box_cox(x, power)


_X = Expr.input("x", Kind.NUMBER)


def _yeo_johnson(x: Expr, power: float) -> Expr:
    size, mirrored = log1p(abs(x)), 2 - power
    if abs(power) < _EPS:
        return where(x >= 0, size, -_from_log(size, mirrored))
    if abs(mirrored) < _EPS:
        return where(x >= 0, _from_log(size, power), -size)
    raised = _from_log(size, where(x >= 0, power, mirrored))
    return where(x >= 0, raised, -raised)


def _box_cox(x: Expr, power: float) -> Expr:
    size = log(x)
    return where(x > 0, size if abs(power) < _EPS else _from_log(size, power), nan)


def _from_log(size: Expr, power: Expr | float) -> Expr:
    """``(x^power - 1) / power``, given the logarithm of x: no digits are lost where the power is small."""
    return expm1(size * power) / power


def _likeliest(method: str, name: str, there: FloatArray) -> float:
    import warnings

    from sklearn.preprocessing import PowerTransformer

    if np.min(there) == np.max(there):
        return 1.0
    transformer = PowerTransformer(method=method.replace("_", "-"), standardize=False)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of powers that overflow, which are not the likeliest
            return float(transformer.fit(there[:, None]).lambdas_[0])
    except (ValueError, RuntimeError) as error:  # SciPy's, where no power is better than those beside it
        raise UserError(
            f"power can't learn {method} of {name!r}: no power is found that is likelier than others "
            f"({error}); clip the column first, or leave it out"
        ) from None
