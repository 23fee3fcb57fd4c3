"""A stage of tests that says what its training rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.expr.graph import Expr
from engine.stage import ColumnStage, FitContext, FitResult, Learned, option, stage
from engine.values import Values


@stage("tells_training")
class TellsTraining(ColumnStage):
    """Double a number; on the training rows it is what ``says`` says.

    Examples
    --------
    >>> from engine.testing import run_stage
    """

    says: str = option("place", help="place: the number of the row; other words: something wrong")

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> FitResult:
        rows = context.train.rows
        wrong: dict[str, Any] = {
            "place": {"a": np.arange(rows) + 0.0},
            "alone": np.full(rows, 3.0),
            "short": {"a": np.zeros(rows - 1)},
            "whole": {"a": np.zeros(rows, np.int64)},
            "list": {"a": [0.0] * rows},
            "another": {"b": np.zeros(rows)},
        }
        return {"factor": np.full(len(columns), 2.0)}, wrong[self.says]

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x * learned["factor"]
