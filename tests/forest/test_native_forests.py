"""Forests that Hypothesis makes, loaded by XGBoost and natively: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.forest import oracle
from engine.forest.blocks import compare_once
from engine.forest.native import NativeScorer
from engine.forest.ranks import rank
from engine.forest.shapes import choose_shapes
from tests.forest import made, zoo

SIZES = (1, 15, 17, 64, 130, 271, 300)


def check(data: bytes, n_rows: int = 300) -> NativeScorer:
    forest = zoo.forest_of(data)
    x = made.rows(data, n_rows)
    wanted = oracle.predict(data, x).reshape(len(x), -1)
    scorer = NativeScorer(forest)
    for size in SIZES:
        assert zoo.bits(scorer.many(x[:size])) == zoo.bits(wanted[:size]), size
    assert zoo.bits(scorer.many(np.asfortranarray(x))) == zoo.bits(wanted)
    assert zoo.bits(zoo.one_by_one(scorer, x[:60])) == zoo.bits(wanted[:60])
    return scorer


kinds = st.tuples(
    st.integers(0, 12), st.sampled_from(["balanced", "chain", "ragged"]), st.sampled_from([0.0, 0.5, 1.0])
)


@given(
    seed=st.integers(0, 2**32 - 1),
    groups=st.integers(1, 5),
    trees=st.lists(kinds, min_size=1, max_size=8),
    thresholds=st.one_of(
        st.just(()), st.just(made.ODD), st.lists(st.floats(width=32), min_size=1, max_size=5).map(tuple)
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_forest(
    seed: int, groups: int, trees: list[tuple[int, str, float]], thresholds: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(seed)
    # As many trees for each group; a balanced tree of 12 levels is the largest that is worth its time.
    chosen = [trees[i % len(trees)] for i in range(-(-len(trees) // groups) * groups)]
    check(made.model([made.tree(rng, d, form, thresholds, some) for d, form, some in chosen], groups))


@pytest.mark.parametrize("depth", range(1, 11))
def test_complete_trees_of_every_depth(depth: int) -> None:
    rng = np.random.default_rng(depth)
    trees = [made.tree(rng, depth, "balanced", made.ODD, 0.2) for _ in range(6)]
    scorer = check(made.model([*trees, made.tree(rng, 0)]))
    assert choose_shapes(scorer.forest.trees).depth == depth


@pytest.mark.parametrize("form", ["chain", "ragged"])
def test_listed_and_walked_trees(form: str) -> None:
    rng = np.random.default_rng(3)
    data = made.model([made.tree(rng, depth, form, made.ODD, 0.3) for depth in (12, 40, 11)])
    check(data)


def test_walked_categories() -> None:
    rng = np.random.default_rng(4)
    scorer = check(made.model([made.tree(rng, 12, "balanced", (), 1.0) for _ in range(2)]))
    shapes = choose_shapes(scorer.forest.trees)
    assert shapes.steps.min() > 0 and not shapes.complete.any()


def test_more_comparisons_than_are_kept_together() -> None:
    rng = np.random.default_rng(5)
    scorer = check(made.model([made.tree(rng, 6) for _ in range(300)]))
    trees = scorer.forest.trees
    ranks, shapes = rank(trees), choose_shapes(trees)
    parts = list(compare_once(trees, ranks, shapes.complete))
    assert shapes.complete.all() and len(parts) > 1
    assert sum(len(part.bounds) for part in parts) > 2**14
    assert np.bincount(ranks.searches[:, 0]).max() >= 3
