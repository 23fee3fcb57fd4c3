"""A model's scores by NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engine.expr import libm
from engine.forest.faults import UnsupportedError
from engine.forest.forest import Forest, read_document, read_forest
from engine.forest.verify import release, xgboost_version
from engine.scorer import Scorer, ScorerPlugin, scorer

Floats = NDArray[np.float32]


@scorer("by_numpy")
class ByNumpy(ScorerPlugin):
    """Walk through a model's trees with NumPy, and give XGBoost's own bits.

    For where nothing may be compiled, and to see what a scorer is; it takes many times as long as the
    engine's own.

    Examples
    --------
    >>> ByNumpy().use
    'by_numpy'
    """

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        try:
            forest = read_forest(read_document(model, where), where, release(xgboost_version()))
        except UnsupportedError as reason:
            return str(reason)
        if forest.transform not in _PREDICTED:
            return f"its objective is {forest.objective!r}; there are those of {', '.join(_PREDICTED)}"
        if forest.trees.width > 1:
            return "its leaves hold several numbers each"
        if forest.trees.sets:
            return "it splits on categories"
        return Walk(forest)


class Walk:
    """Scores all rows of a block tree by tree.

    Parameters
    ----------
    forest : Forest
    """

    def __init__(self, forest: Forest) -> None:
        self.n_features = forest.n_features
        self.n_outputs = forest.n_outputs
        self.used = forest.used
        self.note = f"NumPy: {forest.objective}, {forest.trees.n_trees:,} trees"
        self._forest = forest
        self._predicted = _PREDICTED[forest.transform]

    def many(self, features: Floats, threads: int = 1) -> Floats:
        """Scores ``(n, n_outputs)`` of features ``(n, n_features)``."""
        trees = self._forest.trees
        # the order in which XGBoost adds: float32, from the base margin on, tree by tree
        margins = np.tile(self._forest.base, (len(features), 1))
        for tree, group in enumerate(trees.group):
            margins[:, group] += trees.values[self._leaves(features, tree), 0]
        return self._predicted(margins)

    def one(self, features: Floats, scores: Floats) -> None:
        """Score the row ``features`` into ``scores``."""
        scores[:] = self.many(features[None])[0]

    def _leaves(self, features: Floats, tree: int) -> NDArray[np.int64]:
        """The node in which each row ends."""
        trees, rows = self._forest.trees, np.arange(len(features))
        root = trees.offsets[tree]
        nodes = np.full(len(features), root)
        for _ in range(trees.depth[tree]):
            x = features[rows, trees.feature[nodes]]
            left = np.where(np.isnan(x), trees.default_left[nodes], x < trees.threshold[nodes])
            child = root + trees.left[nodes] + ~left  # the right one lies behind the left
            nodes = np.where(trees.left[nodes] < 0, nodes, child)
        return nodes


def _sigmoid(margins: Floats) -> Floats:
    # NumPy's own exp differs in the last bit now and then; XGBoost calls the C library's
    exp = libm.scalar("expf")
    least = np.maximum(margins, np.float32(-88.7))
    powers = np.array([exp(-x) for x in least.ravel()], np.float32).reshape(margins.shape)
    one = np.ones(1, np.float32)
    return one / (powers + one)


_PREDICTED: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {"identity": lambda margins: margins, "sigmoid": _sigmoid}
)
"""From margins to predictions."""
