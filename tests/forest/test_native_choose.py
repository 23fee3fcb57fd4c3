"""Who scores: the native scorer where it is equal, XGBoost elsewhere, and what is said of damaged models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.forest import verify
from engine.forest.choose import choose_scorer
from engine.forest.forest import read_document, read_forest, single
from engine.forest.native import NativeScorer
from engine.forest.trees import UnsupportedError
from tests.forest import zoo


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own for what is found out; kernels stay where they are."""
    folder = tmp_path / "checks"
    monkeypatch.setattr(verify, "checks_folder", lambda: folder)
    return folder


@pytest.mark.parametrize("kind", ["binary", "softprob", "vector leaves", "dart", "partitions", "zero"])
def test_native_is_chosen(kind: str) -> None:
    scorer = choose_scorer(zoo.saved(kind), kind, trusted=True)
    assert isinstance(scorer, NativeScorer)
    assert scorer.note.startswith("native: ") and scorer.note.endswith(
        f"; equal to XGBoost {xgboost.__version__}"
    )
    x = zoo.hard_rows(kind, 300)
    assert zoo.bits(scorer.many(x)) == zoo.bits(zoo.expected(kind, x))


def test_json_is_scored_natively() -> None:
    assert isinstance(
        choose_scorer(zoo.saved("binary", "json"), "m.json", "native", trusted=True), NativeScorer
    )


def test_xgboost_scores_if_asked() -> None:
    scorer = choose_scorer(zoo.saved("binary"), "m", "xgboost", trusted=True)
    assert scorer.note == f"XGBoost {xgboost.__version__}: binary:logistic, 11 trees"


def _other_objective(document: dict[str, Any]) -> None:
    document["learner"]["objective"] = {"name": "reg:expectileerror"}


def _expectile() -> bytes:
    x = zoo.features(200)
    matrix = xgboost.DMatrix(x, np.nan_to_num(x[:, 0]))
    params = {"objective": "reg:expectileerror", "expectile_alpha": [0.2, 0.8]}
    return bytes(xgboost.train(params, matrix, 3).save_raw("ubj"))


@pytest.mark.skipif(zoo.RELEASE < (3, 3), reason="this XGBoost has no objective that isn't supported")
def test_what_is_not_supported_is_xgboosts() -> None:
    data = _expectile()
    scorer = choose_scorer(data, "m", trusted=True)
    assert scorer.note.endswith("; not native: its objective is 'reg:expectileerror'")
    with pytest.raises(
        ModelError, match=r"m can't be scored natively: its objective is 'reg:expectileerror'"
    ):
        choose_scorer(data, "m", "native", trusted=True)


def test_a_difference_is_told_and_xgboost_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    right = NativeScorer.many
    monkeypatch.setattr(NativeScorer, "many", lambda self, x, threads=1: right(self, x) + np.float32(1))
    scorer = choose_scorer(zoo.saved("squared error"), "m", trusted=True)
    assert not isinstance(scorer, NativeScorer)
    assert "; not native: in a block it gave" in scorer.note
    with pytest.raises(ModelError, match="m can't be scored natively: in a block it gave"):
        choose_scorer(zoo.saved("squared error"), "m", "native", trusted=True)


def test_the_check_is_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_scorer(zoo.saved("poisson"), "m", trusted=True)
    (kept,) = cache.glob("*.json")
    assert json.loads(kept.read_text())["answer"] is None
    monkeypatch.setattr("engine.forest.choose.difference", lambda *_: pytest.fail("checked again"))
    assert isinstance(choose_scorer(zoo.saved("poisson"), "m"), NativeScorer)


def test_a_second_load_does_not_import_xgboost(tmp_path: Path) -> None:
    (tmp_path / "m.ubj").write_bytes(zoo.saved("binary"))
    code = (
        "import sys, pathlib, engine.forest.choose as c\n"
        f"s = c.choose_scorer(pathlib.Path({str(tmp_path / 'm.ubj')!r}).read_bytes(), 'm.ubj')\n"
        "print(s.note.split(':')[0], 'xgboost' in sys.modules)"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["native", "False"]


# -- damaged and hostile files


def _tree(document: dict[str, Any]) -> dict[str, Any]:
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


def _set(name: str, at: int, value: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        _tree(document)[name][at] = value

    return change


def _two_parents(document: dict[str, Any]) -> None:
    tree = _tree(document)
    tree["right_children"][0] = tree["left_children"][0]


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
        (_set("left_children", 0, 0), "a node of a tree has two parents, or is its own ancestor"),
        (_two_parents, "a node of a tree has two parents, or is its own ancestor"),
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


def test_decimals_are_rounded_once() -> None:
    text = "1.00000005960464477539062500000000001"
    assert float(text) == 1 + 2.0**-24 and np.float32(float(text)) == 1
    assert single(text) == np.float32(1 + 2.0**-23)
    assert single("-5E-1") == np.float32(-0.5) and np.isinf(single("1e99"))
