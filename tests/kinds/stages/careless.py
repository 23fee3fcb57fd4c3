"""An array stage that gives something else than it declared, in one of many ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.schema import Column, Kind
from engine.stage import ArrayStage, Learned, stage
from engine.values import Values


@stage("careless")
class Careless(ArrayStage):
    """Wrong in the way that ``how`` says."""

    how: str

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.CATEGORY if self.how == "category" else Kind.NUMBER

    def compute(self, columns: Mapping[str, Values], learned: Learned) -> Any:
        (x,) = columns.values()
        assert isinstance(x, np.ndarray)
        if self.how == "writes":
            x[:] = 0
        return {
            "length": x[:-1],
            "dtype": x.astype(np.float32),
            "list": x.tolist(),
            "names": {"other": x},
            "fails": 1 // len(x[1:][:0]) if self.how == "fails" else None,
        }[self.how]
