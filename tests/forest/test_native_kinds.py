"""Kinds of models that want a word of their own."""

from __future__ import annotations

import numpy as np
import pytest

from engine.forest.forest import Forest
from engine.forest.native import NativeScorer
from engine.forest.shapes import choose_shapes
from tests.forest import models, zoo


def _walked(forest: Forest, x: np.ndarray) -> np.ndarray:
    """Margins by walking every tree, a split after the other."""
    trees = forest.trees
    out = np.tile(forest.base, (len(x), 1))
    for row, sums in zip(x, out, strict=True):
        for tree, root in enumerate(trees.offsets[:-1]):
            node = root
            while trees.left[node] >= 0:
                value = row[trees.feature[node]]
                left = trees.default_left[node] if np.isnan(value) else value < trees.threshold[node]
                node = root + trees.left[node] + (not left)
            sums[trees.group[tree]] += trees.values[node, 0]
    return out


def test_dart_with_infinities() -> None:
    forest = zoo.forest("dart")
    x = zoo.hard_rows("dart", 200)
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.inf
    x[np.random.default_rng(1).random(x.shape) < 0.3] = -np.inf
    scorer = NativeScorer(forest)
    assert zoo.bits(scorer.many(x)) == zoo.bits(_walked(forest, x))
    assert zoo.bits(zoo.one_by_one(scorer, x)) == zoo.bits(_walked(forest, x))


def test_a_model_that_stopped_early_uses_all_its_trees() -> None:
    booster, x = models.booster("stopped"), models.data(300, seed=9)
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    scorer = NativeScorer(zoo.forest_of(models.saved("stopped")))
    assert zoo.bits(scorer.many(x)) == zoo.bits(booster.inplace_predict(x))
    assert zoo.bits(zoo.one_by_one(scorer, x)) == zoo.bits(booster.inplace_predict(x))


@pytest.mark.parametrize(
    ("kind", "walked"),
    [("vector leaves, lossguide", False), ("vector leaves, deep", True), ("partitions, deep", True)],
)
def test_the_zoo_has_listed_and_walked_trees(kind: str, walked: bool) -> None:
    trees = zoo.forest(kind).trees
    shapes = choose_shapes(trees)
    assert not shapes.complete.all()
    assert (shapes.steps[~shapes.complete] > 0).any() == walked
    assert (trees.width > 1) == kind.startswith("vector")
    assert (trees.category >= 0).any() == kind.startswith("partitions")


def test_labels_and_vectors_have_outputs_of_their_own() -> None:
    assert {zoo.forest(kind).n_outputs for kind in ("labels", "absolute targets", "vector quantiles")} == {3}
