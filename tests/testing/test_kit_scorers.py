"""Each check of scorers finds one that is wrong in its way, and says so in words that help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost

from engine.scorer import Scorer, ScorerPlugin, scorer
from engine.testing import KITS, PluginCheckError, check_scorer, parametrize_scorers, scorer_checks
from engine.testing.kit import hold

from .wrong_scorers import WRONG, Right

SAYS = {
    "makes": "of a regression, note is ''; give a line for 'engine explain'",
    "documented": "make the first line a sentence",
    "example_runs": "doesn't give what it shows",
    "equals_xgboost": "as XGBoost predicts it; splits compare float32 by '<'",
    "one_equals_many": "alone, in arrays that are used again, and",
    "chunkings": "in blocks of 65 and",
    "layouts": "in columns with gaps and",
    "empty": "given no rows, of a regression, it raises IndexError",
    "threads": "in 4 threads and",
    "inputs_untouched": "many() changes its features; others read the same memory",
    "used": "'used' lacks [0, 5]; name every feature that splits read",
    "addresses": "it has row_address and no row_model",
    "other_models": "given a linear model, make() raises KeyError: 'trees'",
    "damaged": "given a text, make() raises ValueError",
    "pipeline": "by the engine's own scorer; what fold() gives must have the same scores",
}


@pytest.fixture(scope="module")
def models() -> dict[str, xgboost.Booster]:
    """One is enough to find what is wrong."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)).astype(np.float32)
    x[:, 5] = 0
    matrix = xgboost.DMatrix(x, x[:, 0] * x[:, 1] + x[:, 2], nthread=1)
    return {"a regression": xgboost.train({"nthread": 1, "max_depth": 4}, matrix, 5)}


@pytest.mark.parametrize("check", WRONG)
def test_a_wrong_scorer_fails_its_check_alone(check: str, models: dict[str, xgboost.Booster]) -> None:
    # a pipeline takes longer than all other checks together, and says the same
    checks = [
        one for one in scorer_checks(WRONG[check], models) if one.name != "pipeline" or check == "pipeline"
    ]
    with pytest.raises(PluginCheckError) as caught:
        hold(iter(checks))
    failed = caught.value.failed
    assert set(failed) == {check}, str(caught.value)
    assert SAYS[check] in failed[check]


def test_every_check_has_its_wrong_scorer() -> None:
    assert set(WRONG) == set(KITS["scorer"].checks) == set(SAYS)


def test_a_right_one_passes_on_files_and_bytes(models: dict[str, xgboost.Booster], tmp_path: Path) -> None:
    (booster,) = models.values()
    booster.save_model(tmp_path / "m.json")
    check_scorer(Right, {"a file": tmp_path / "m.json", "bytes": bytes(booster.save_raw("ubj"))})


def test_a_reason_is_told_where_no_model_is_scored(models: dict[str, xgboost.Booster]) -> None:
    @scorer("refuses")
    class Refuses(ScorerPlugin):
        """Score nothing.

        >>> 1 + 1
        2
        """

        def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
            return "it has trees"

    with pytest.raises(
        PluginCheckError, match="it scores none of the models; give some that it does"
    ) as caught:
        check_scorer(Refuses, models)
    assert caught.value.failed.keys() == {"makes"}
    assert "a regression: it has trees" in str(caught.value)


def test_one_test_for_each_check() -> None:
    ids = [param.id for param in parametrize_scorers(["native"]).mark.args[1]]
    assert ids == [f"native-{name}" for name in KITS["scorer"].checks]
