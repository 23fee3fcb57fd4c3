"""A model that is a rule: nothing is learned, and nothing is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.schema import Column, Kind
from engine.stage import Learned, Scorer, ScoreStage, option, stage


class _Sum:
    """The sum of the features, missing ones left out."""

    n_outputs = 1
    note = "a rule"

    def __init__(self, n_features: int, times: float) -> None:
        self.n_features = n_features
        self.used = frozenset(range(n_features))
        self._times = np.float32(times)

    def many(self, features: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
        found = np.zeros((len(features), 1), np.float32)
        for column in range(self.n_features):
            found[:, 0] += np.nan_to_num(features[:, column]) * self._times
        return found

    def one(self, features: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        scores[:] = self.many(features[None, :])[0]


@stage("kind_rule")
class Rule(ScoreStage):
    """Add two columns up."""

    times: float = option(1.0, runtime=True, help="what each is multiplied by")

    def declare(
        self, columns: Sequence[Column], target: Kind | None, classes: Sequence[str] = ()
    ) -> Sequence[str]:
        return ("",)

    def outputs(self, learned: Learned) -> Sequence[str]:
        return ("",)

    def prepare(self, columns: Sequence[Column]) -> Learned:
        return {}

    def make_scorer(self, learned: Learned) -> Scorer:
        assert not learned
        return _Sum(2, self.times)
