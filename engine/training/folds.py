"""Parts training rows, so that what a row gets is learned from other rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.values import FloatArray


def fold_rows(
    rows: int, count: int, rng: np.random.Generator, classes: FloatArray | None
) -> NDArray[np.int64]:
    """The number of each row's fold, at random; folds differ by one row at most.

    Parameters
    ----------
    rows : int
    count : int
        Folds, at least 2; of fewer rows each is a fold of its own.
    rng : numpy.random.Generator
    classes : array, shape (n_rows,), or None
        Classes whose rows are spread over the folds evenly, too.

    Returns
    -------
    int64 array, shape (n_rows,)

    Examples
    --------
    >>> classes = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    >>> found = fold_rows(6, 2, np.random.default_rng(0), classes)
    >>> [sorted(classes[found == fold].tolist()) for fold in range(2)]
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    order = rng.permutation(rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    folds = np.empty(rows, np.int64)
    folds[order] = np.arange(rows) % count
    return folds
