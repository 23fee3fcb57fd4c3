"""Numbers that lie too far out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.expr.graph import Expr
from engine.stage import FitContext, Learned, RowFilter, option, stage
from engine.values import Values


@stage("refuse_beyond")
class RefuseBeyond(RowFilter):
    """Refuse rows in which a number lies outside of [-bound, bound]; missing passes."""

    bound: float | None = option(None, help="null: a share of the greatest in training", runtime=True)
    share: float = option(0.5, gt=0, help="that share")

    def learns(self) -> bool:
        return self.bound is None

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"bounds": np.array([np.nanmax(np.abs(x)) * self.share for x in columns.values()])}

    def reject(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        bounds = learned["bounds"] if self.bound is None else [self.bound] * len(columns)
        return {
            f"{name} is beyond its bound": abs(x) > float(bound)
            for (name, x), bound in zip(columns.items(), bounds, strict=True)
        }
