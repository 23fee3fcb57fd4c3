"""What lies between the columns of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.schema import Column, Kind
from engine.stage import ArrayStage, FitContext, Learned, option, stage
from engine.values import NAT, Values


@stage("kind_spread")
class Spread(ArrayStage):
    """The middle of the selected numbers, whether one is missing, and the middle as a moment."""

    center: bool = option(False, help="learn the columns' means, and take them off")
    prefix: str = "row"

    def learns(self) -> bool:
        return self.center

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        return {"means": np.array([np.nanmean(x) for x in columns.values()])}

    def declare(self, columns: Sequence[Column]) -> list[Column]:
        return [
            Column(f"{self.prefix}_middle", Kind.NUMBER),
            Column(f"{self.prefix}_gap", Kind.BOOLEAN),
            Column(f"{self.prefix}_moment", Kind.TIMESTAMP),
        ]

    def compute(self, columns: Mapping[str, Values], learned: Learned) -> Mapping[str, Any]:
        x: Any = np.stack(list(columns.values()), axis=1)
        if self.center:
            x = x - learned["means"]
        with np.errstate(invalid="ignore"):  # between inf and -inf there is no middle
            middle = np.median(x, axis=1)
        there = np.abs(middle) < 1e6
        return {
            f"{self.prefix}_middle": middle,
            f"{self.prefix}_gap": np.isnan(x).any(axis=1),
            f"{self.prefix}_moment": np.where(there, np.where(there, middle, 0) * 1e6, NAT).astype(np.int64),
        }
