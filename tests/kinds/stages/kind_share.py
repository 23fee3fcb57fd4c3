"""What a row is among those of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.schema import Column, Kind
from engine.stage import GroupStage, Learned, stage
from engine.values import Values


@stage("kind_share")
class Share(GroupStage):
    """A number over the sum of its group's, and whether it is the greatest; missing counts as zero."""

    prefix: str = "group"

    def declare(self, columns: Sequence[Column]) -> list[Column]:
        return [Column(f"{self.prefix}_share", Kind.NUMBER), Column(f"{self.prefix}_best", Kind.BOOLEAN)]

    def compute(
        self, columns: Mapping[str, Values], starts: NDArray[np.int64], learned: Learned
    ) -> Mapping[str, Any]:
        (given,) = columns.values()
        x = np.nan_to_num(np.asarray(given, np.float64), posinf=0.0, neginf=0.0)
        share, best = np.empty(len(x)), np.zeros(len(x), bool)
        for start, stop in zip(starts, np.append(starts[1:], len(x)), strict=True):
            with np.errstate(all="ignore"):
                share[start:stop] = x[start:stop] / x[start:stop].sum()
            best[start + np.argmax(x[start:stop])] = True
        return {f"{self.prefix}_share": share, f"{self.prefix}_best": best}
