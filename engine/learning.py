"""What a stage learns from training data, and what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.schema import Kind
from engine.values import FloatArray, Values

Learned = Mapping[str, Any]
"""What a stage took from training data, by names of its choosing.

Each value is a numeric array, a tuple of str or a tuple of tuples of str; nothing else is stored. In a
`ColumnStage` it has one item for each column: a number (or a row of an array), a text or a tuple of texts.
"""

NOTHING: Learned = {}
"""What a stage that learns nothing has learned."""

FitResult = Learned | tuple[Learned, Mapping[str, NDArray[Any]] | NDArray[Any]]
"""What ``fit`` gives: what was learned; and, for some stages, columns of the training rows.

Those stand for what the stage would make of the training rows, so that later stages learn from values which
don't know their own row's target.
"""


def learned_of(found: FitResult) -> Learned:
    """What was learned, without the columns of the training rows."""
    return found[0] if isinstance(found, tuple) else found


@dataclass(frozen=True)
class Part:
    """Rows of the training data, as a stage's ``fit`` sees them.

    Parameters
    ----------
    columns : mapping of str to Values
        The selected columns. A `ScoreStage` gets numbers and booleans as they will be scored.
    y : float64 array, shape (n,), or None
        The target: its value, 0/1 for a boolean, or the class's index. Several targets are ``(n, k)``; bounds
        of a positive number ``(n, 2)``, the upper one infinite where it isn't known.
    weight : float64 array, shape (n,), or None
    group : int64 array, shape (n,), or None
    """

    columns: Mapping[str, Values]
    y: FloatArray | None = None
    weight: FloatArray | None = None
    group: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()))) if self.columns else 0


@dataclass(frozen=True)
class FitContext:
    """What a stage may use while it learns, besides its columns.

    Parameters
    ----------
    train : Part
        The rows to learn from.
    valid : Part or None
        Rows for early stopping and calibration.
    rng : numpy.random.Generator
        Seeded by the config's seed and the stage's label: the same in every run.
    seed : int
        For libraries that want a whole number.
    target : {"boolean", "number", "category"} or None
        The kind of the target.
    classes : tuple of str
        The target's classes in order, where it is a category; the names of the targets, where there are
        several.
    progress : callable
        ``progress(done, total, text)``; call it in long work.
    """

    train: Part
    valid: Part | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    seed: int = 0
    target: Kind | None = None
    classes: tuple[str, ...] = ()
    progress: Callable[[int, int, str], None] = lambda done, total, text: None
