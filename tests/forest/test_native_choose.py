"""Who scores: the native scorer where it is equal, XGBoost elsewhere, and what is said of damaged models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

import engine
from engine.config.config import Config
from engine.errors import ModelError
from engine.forest import oracle
from engine.forest.choose import choose_scorer
from engine.forest.native import NativeScorer
from tests.forest import made, zoo

pytestmark = pytest.mark.usefixtures("checks")


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


def _without_trees() -> bytes:
    x = zoo.features(20)
    matrix = xgboost.DMatrix(x, np.ones(20))
    return bytes(
        xgboost.train({"objective": "binary:logistic", "base_score": 0.3}, matrix, 0).save_raw("ubj")
    )


def _too_deep() -> bytes:
    return made.model([made.tree(np.random.default_rng(0), 1100, "chain")])


def _without_margin() -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["learner_model_param"]["base_score"] = "-1E0"

    return zoo.edited("squared error", change).replace(b"reg:squarederror", b"count:poisson")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (_without_trees, "it has no trees"),
        (_too_deep, "a tree is more than 1,024 splits deep"),
        (_without_margin, "its base score -1.0 is not positive"),
    ],
)
def test_what_only_xgboost_can_score(model: Any, reason: str) -> None:
    data = model()
    x = zoo.features(100, 8)
    with pytest.raises(
        ModelError, match=f"m can't be scored natively: {reason}; use scorer: auto or xgboost"
    ):
        choose_scorer(data, "m", "native")
    try:
        wanted = oracle.predict(data, x).reshape(100, -1)
    except xgboost.core.XGBoostError:
        with pytest.raises(ModelError, match=f"m: XGBoost {xgboost.__version__} can't load it"):
            choose_scorer(data, "m")
        return
    scorer = choose_scorer(data, "m")
    assert scorer.note.startswith(f"XGBoost {xgboost.__version__}: ")
    assert scorer.note.endswith(f"; not native: {reason}")
    assert zoo.bits(scorer.many(x)) == zoo.bits(zoo.one_by_one(scorer, x)) == zoo.bits(wanted)


def test_explain_says_why(tmp_path: Path) -> None:
    path = tmp_path / "m.ubj"
    path.write_bytes(_without_trees())
    names = [f"f{i}" for i in range(zoo.N_FEATURES)]
    stages = {"model": {"use": "xgboost", "model": str(path), "columns": names}}
    config = Config({"name": "p", "inputs": dict.fromkeys(names, "number"), "stages": stages})
    assert (
        f"then 'model': XGBoost {xgboost.__version__}: binary:logistic, 0 trees; not native: it has no trees"
        in (engine.build(config).explain())
    )


def test_a_custom_objective_is_scored_as_xgboost_scores_it() -> None:
    x = zoo.features(300)
    y = np.nan_to_num(x[:, 0])

    def squares(margin: np.ndarray, matrix: xgboost.DMatrix) -> tuple[np.ndarray, np.ndarray]:
        return margin - matrix.get_label(), np.ones(len(margin))

    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(x, y), 4, obj=squares)
    scorer = choose_scorer(bytes(booster.save_raw("ubj")), "m")
    assert zoo.bits(scorer.many(x)) == zoo.bits(booster.inplace_predict(x))


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
