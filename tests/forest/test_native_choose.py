"""Who scores: the native scorer where it is equal, XGBoost elsewhere, and what is said of damaged models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xgboost

from engine.errors import ModelError
from engine.forest.choose import choose_scorer
from engine.forest.native import NativeScorer
from tests.forest import zoo

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
