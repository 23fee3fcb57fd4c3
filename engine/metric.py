"""What the author of a metric writes: how good a model's scores are, as one number.

A metric is a class in a file of its own, ``metrics/NAME.py`` in a folder of plugins, decorated with `metric`.
The key ``metrics`` of `engine evaluate` names it.

============  ==========================================  =================================================
task          target                                      scores
============  ==========================================  =================================================
``binary``    0 or 1                                      the probability of 1
``margin``    0 or 1                                      a number that grows with the probability of 1
``decision``  0 or 1                                      0 or 1
``classes``   the class's index                           a probability for each class
``class``     the class's index                           the class's index
``number``    a number                                    the number, in one column or several
``quantiles``  a number                                   a quantile in each column
``counts``    a number from 0 up                          the expected number
``gamma``     a number above 0                            the expected number
``tweedie``   a number from 0 up                          the expected number
``ranking``   relevance, from 0 up                        a number by which the rows of a group are sorted
``survival``  the time; negative: not seen to end by then  the risk; a higher one ends sooner
============  ==========================================  =================================================

The target of ``survival`` may be two bounds of the time, too: ``y`` has shape ``(n, 2)``, the upper one
infinite where the end was not seen. Of several targets, a metric gets one at a time.

Examples
--------
>>> from engine.metric import MetricPlugin, Scored, Task, metric
>>> @metric("bias", greater_is_better=False)
... class Bias(MetricPlugin):
...     '''By how much scores are too high on average.'''
...
...     tasks = ("number", "counts")
...
...     def measure(self, rows):
...         return np.average(rows.score - rows.y, weights=rows.weight)
>>> Bias().measure(Scored(Task("number"), np.array([1.0, 2.0]), np.array([[1.5], [2.5]])))
np.float64(0.5)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from engine.declare import Plugin, declare
from engine.option import option

__all__ = ["TASKS", "MetricPlugin", "Objective", "Scored", "Task", "metric", "option"]

TASKS = (
    "binary", "margin", "decision", "classes", "class", "number", "quantiles", "counts", "gamma", "tweedie",
    "ranking", "survival",
)  # fmt: skip
"""What scores can be of."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What a model was trained for, as far as metrics follow from it.

    Parameters
    ----------
    name : str
        As XGBoost calls it: ``binary:logistic``. Empty: unknown.
    alphas : tuple of float
        The quantile in each score column.
    power : float
        Tweedie's variance power.
    margin : bool
        Scores are margins, the sums of leaves, in place of predictions.
    """

    name: str = ""
    alphas: tuple[float, ...] = ()
    power: float = math.nan
    margin: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What scores are of.

    Parameters
    ----------
    kind : str
        One of `TASKS`.
    columns : tuple of str
        The score columns.
    classes : tuple of str
        In the order of their indices.
    alphas : tuple of float
        The quantile in each score column.
    power : float
        Tweedie's variance power.
    threshold : float
        A score from here up decides for 1.
    reversed : bool
        Of ``survival``: a higher score ends later, not sooner.
    thresholds : tuple of float
        Of several targets, that of each; empty: there is one target.
    """

    kind: str
    columns: tuple[str, ...] = ("score",)
    classes: tuple[str, ...] = ()
    alphas: tuple[float, ...] = ()
    power: float = math.nan
    threshold: float = 0.5
    reversed: bool = False
    thresholds: tuple[float, ...] = ()

    @property
    def several(self) -> bool:
        """Whether there are several targets: a column of ``y`` for each score column."""
        return bool(self.thresholds)


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows: what is true of each, and what a model says.

    Parameters
    ----------
    task : Task
    y : float64 array, shape (n,), or (n, k) of several targets, or (n, 2) of bounds
        The target.
    scores : float64 array, shape (n, k)
    weight : float64 array, shape (n,), or None
        From 0 up; None: all rows weigh the same.
    group : int64 array, shape (n,), or None
        The number of the group that a row belongs to.
    """

    task: Task
    y: NDArray[np.float64] = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)
    weight: NDArray[np.float64] | None = field(default=None, repr=False)
    group: NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def score(self) -> NDArray[np.float64]:
        """The first score column, ``(n,)``."""
        return self.scores[:, 0]

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Where the score decides for 1, ``(n,)``."""
        return self.score >= self.task.threshold

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weight of each row, ``(n,)``; 1 where there are none."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Rows whose scores are all finite numbers, ``(n,)``."""
        return np.asarray(np.isfinite(self.scores).all(axis=1), np.bool_)

    def take(self, rows: NDArray[Any]) -> Scored:
        """The rows at these positions, or where a mask is true."""
        return replace(
            self,
            y=self.y[rows],
            scores=self.scores[rows],
            weight=None if self.weight is None else self.weight[rows],
            group=None if self.group is None else self.group[rows],
        )

    def column(self, place: int) -> Scored:
        """The same rows with one of the score columns, and the target that it is of."""
        alphas = self.task.alphas[place : place + 1]
        task = replace(self.task, columns=self.task.columns[place : place + 1], alphas=alphas)
        scores = self.scores[:, place : place + 1]
        if not task.several:
            return replace(self, task=task, scores=scores)
        task = replace(task, threshold=task.thresholds[place], thresholds=())
        return replace(self, task=task, y=self.y[:, place], scores=scores)


class MetricPlugin(Plugin):
    """Base of every metric that `engine evaluate` can name."""

    greater_is_better: ClassVar[bool | None] = True
    """None: neither way; there is a value that it should have."""
    tasks: ClassVar[tuple[str, ...]] = ()
    """What scores must be of; some of `TASKS`."""
    by_column: ClassVar[bool] = False
    """Whether each of several score columns has a value of its own; `measure` then gets one at a time."""

    def measure(self, rows: Scored) -> float:
        """The value; NaN where these rows don't define it.

        Parameters
        ----------
        rows : Scored
            At least one; weights are above 0, scores and targets finite, but for an upper bound.
        """
        raise NotImplementedError


_P = TypeVar("_P", bound=MetricPlugin)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def metric(name: str, *, greater_is_better: bool | None, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class a metric that configs call ``name``; the file is named after it."""

    def decorate(cls: type[_P]) -> type[_P]:
        made: type[_P] = declare(name, version)(cls)
        made.greater_is_better = greater_is_better
        return made

    return decorate
