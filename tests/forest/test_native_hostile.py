"""Damaged and hostile model files: an error that says what is wrong, never a crash."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.forest import verify
from engine.forest.choose import choose_scorer, read_checked
from engine.forest.faults import UnsupportedError
from engine.forest.forest import read_document, read_forest
from engine.forest.native import NativeScorer
from tests.forest import zoo

pytestmark = pytest.mark.usefixtures("checks")


def _tree(document: dict[str, Any]) -> dict[str, Any]:
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


def _set(name: str, at: int, value: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        _tree(document)[name][at] = value

    return change


def _children(of: int, first: int) -> Any:
    def change(document: dict[str, Any]) -> None:
        tree = _tree(document)
        tree["left_children"][of], tree["right_children"][of] = first, first + 1

    return change


def _swapped(document: dict[str, Any]) -> None:
    tree = _tree(document)
    for left, right in zip(tree["left_children"], tree["right_children"], strict=True):
        assert left == -1 or right == left + 1
    tree["left_children"], tree["right_children"] = tree["right_children"], tree["left_children"]


def _short(document: dict[str, Any]) -> None:
    _tree(document)["split_indices"].pop()


def _bad_leaf(document: dict[str, Any]) -> None:
    tree = _tree(document)
    tree["split_conditions"][tree["left_children"].index(-1)] = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("left_children", 0, 10_000), "a tree has a child outside its nodes"),
        (_set("left_children", 0, -2), "a tree has a child outside its nodes"),
        (_children(0, 0), "a node of a tree has two parents, or is its own ancestor"),
        (_children(1, 1), "a node of a tree has two parents, or is its own ancestor"),
        (_children(1, 5), "a node of a tree has two parents, or is its own ancestor"),
        (_set("right_children", 0, 3), "the right child of a split doesn't lie behind the left one"),
        (_swapped, "the right child of a split doesn't lie behind the left one"),
        (_set("split_indices", 0, 6), "a tree splits on a feature that is none of the model's 6"),
        (_set("split_indices", 0, 1.5), "a list of whole numbers holds something else"),
        (_short, "the list 'split_indices' of a tree has not one item for each node"),
        (_bad_leaf, "a leaf's value is not finite"),
        (_set("split_type", 0, 1), "a split on categories has no set of them"),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "native", "xgboost"])
def test_damaged_models(change: Any, message: str, mode: str) -> None:
    with pytest.raises(ModelError) as caught:
        choose_scorer(zoo.edited("binary", change), "m.json", mode)
    assert str(caught.value) == f"m.json is damaged: {message}"


def test_what_kills_xgboost_kills_a_child_only() -> None:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["gradient_booster"]["model"]["iteration_indptr"] = [0, 2**30]

    with pytest.raises(ModelError, match=r"m\.json"):
        choose_scorer(zoo.edited("binary", change), "m.json")


VICTIMS = ("binary", "softprob", "vector leaves", "partitions", "dart", "deep lossguide")


def _score_somehow(data: bytes) -> None:
    """Whatever the bytes are: an answer or a `ModelError`, never a crash."""
    try:
        forest = read_forest(read_document(data, "m"), "m", zoo.RELEASE)
        scorer = NativeScorer(forest)
    except (ModelError, UnsupportedError):
        return
    if forest.n_features <= 1000:
        x = verify.rows_around(forest, 70)
        found = scorer.many(x)
        scorer.one(x[0], found[0])


@pytest.mark.parametrize("kind", VICTIMS)
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_mutated_bytes(kind: str, data: st.DataObject) -> None:
    changed = bytearray(zoo.saved(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.just(len(changed)), st.integers(0, len(changed))))
    _score_somehow(bytes(changed[:end]))


@pytest.mark.parametrize("kind", VICTIMS)
@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_mutated_numbers(kind: str, data: st.DataObject) -> None:
    odd = st.sampled_from(
        [-1, 0, 1, 2, 7, 255, 2**20, 2**31 - 1, -(2**31), 2**63, 0.5, 1e300, float("nan"), "x", None]
    )

    def change(document: dict[str, Any]) -> None:
        booster = document["learner"]["gradient_booster"]
        booster = booster.get("gbtree", booster)
        tree = data.draw(st.sampled_from(booster["model"]["trees"]))
        for _ in range(data.draw(st.integers(1, 4))):
            name = data.draw(st.sampled_from(sorted(name for name in tree if isinstance(tree[name], list))))
            if tree[name]:
                tree[name][data.draw(st.integers(0, len(tree[name]) - 1))] = data.draw(odd)

    _score_somehow(zoo.edited(kind, change))


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_mutated_models_on_their_way_to_xgboost(data: st.DataObject) -> None:
    """An answer or a `ModelError`, though XGBoost reads what the engine's own checks let pass."""
    changed = bytearray(zoo.saved(data.draw(st.sampled_from(["binary", "vector leaves", "partitions"]))))
    start = changed.index(b"gradient_booster") if data.draw(st.booleans()) else 0
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(start, len(changed) - 1))] = data.draw(st.integers(0, 255))
    for attempt in (
        lambda: choose_scorer(bytes(changed), "m", data.draw(st.sampled_from(["auto", "xgboost"]))),
        lambda: read_checked(bytes(changed), "m"),
    ):
        with contextlib.suppress(ModelError):
            attempt()
