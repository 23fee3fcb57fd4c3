"""Numbers that come round again, as a place on a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, pi
from typing import Any

import numpy as np

from engine.errors import UserError, listing
from engine.expr.graph import Expr, cos, sin
from engine.schema import Column, Kind
from engine.stage import FitContext, Learned, RowStage, option, stage
from engine.training.numbers import finite_values
from engine.values import Values


@stage("cyclic")
class Cyclic(RowStage):
    """Make ``<column>_sin`` and ``<column>_cos``: sine and cosine of ``2 π x / period``.

    So 23 and 0 o'clock are neighbours, with ``period: 24``. Where no period is given it is the greatest
    number of the training rows, as in feature-engine's ``CyclicalFeatures``: of hours that is 23, which makes
    23 and 0 the same. Missing stays missing, and an infinite number becomes missing: it has no place.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("cyclic", {"hour": [0.0, 6.0, None]}, period=24)
    {'hour_sin': [0.0, 1.0, nan], 'hour_cos': [1.0, 6.123233995736766e-17, nan]}
    >>> run_stage("cyclic", {"hour": [0.0, 12.0], "month": [3.0, 12.0]}, columns=["hour"])
    {'hour_sin': [0.0, -2.4492935982947064e-16], 'hour_cos': [1.0, 1.0]}
    """

    period: float | dict[str, float] | None = option(
        None,
        runtime=True,
        help="after how much it comes round: one number, or one by column, as {hour: 24, weekday: 7}",
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.period is None:
            return
        named = self.period if isinstance(self.period, dict) else {"": self.period}
        for name, number in named.items():
            if not (isfinite(number) and number > 0):
                yield f"period{f' of {name}' if name else ''} must be above 0 and finite, not {number:g}"
        if isinstance(self.period, dict):
            selected = [column.name for column in columns]
            if lacking := [name for name in selected if name not in self.period]:
                yield f"period has no number for {listing(lacking)}"
            if extra := [name for name in self.period if name not in selected]:
                yield f"period has a number for {listing(extra)}, which columns doesn't select"

    def learns(self) -> bool:
        return self.period is None

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        return [
            Column(f"{column.name}_{part}", Kind.NUMBER, open=column.open)
            for column in columns
            for part in ("sin", "cos")
        ]

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"period": np.array([_greatest(name, values) for name, values in columns.items()])}

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        made: dict[str, Expr] = {}
        for i, (name, x) in enumerate(columns.items()):
            if self.period is None:
                period = float(learned["period"][i])
            else:
                period = self.period[name] if isinstance(self.period, dict) else self.period
            angle = x * (2 * pi / period)
            made |= {f"{name}_sin": sin(angle), f"{name}_cos": cos(angle)}
        return made


def _greatest(name: str, values: Any) -> float:
    found = float(np.max(finite_values("cyclic", name, values, "state its period")))
    if found <= 0:
        raise UserError(
            f"cyclic can't learn the period of {name!r}: the greatest number of the training rows is "
            f"{found:g}, and a period is above 0; state it"
        )
    return found
