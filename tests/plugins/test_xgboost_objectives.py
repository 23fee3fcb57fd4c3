"""Every objective of the installed XGBoost can be trained, and is scored with its bits."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import xgboost

from engine.forest.parameters import OBJECTIVES
from tests.plugins.boosted import booster, check_alone, fit, numbers, same_bits, scores, table

TARGETS: dict[str, tuple[Any, tuple[str, ...], dict[str, Any]]] = {
    "reg:squarederror": ("number", ("score",), {}),
    "reg:linear": ("number", ("score",), {}),
    "reg:squaredlogerror": ("count", ("score",), {}),
    "reg:logistic": ("share", ("score",), {}),
    "reg:pseudohubererror": ("number", ("score",), {"huber_slope": 2.0}),
    "reg:absoluteerror": ("number", ("score",), {}),
    "reg:quantileerror": ("number", ("score_q0.1", "score_q0.9"), {"quantile_alpha": [0.1, 0.9]}),
    "reg:expectileerror": ("number", ("score_e0.1", "score_e0.9"), {"expectile_alpha": [0.1, 0.9]}),
    "reg:gamma": ("count", ("score",), {}),
    "reg:tweedie": ("count", ("score",), {"tweedie_variance_power": 1.3}),
    "binary:logistic": ("flag", ("score",), {}),
    "binary:logitraw": ("flag", ("score",), {}),
    "binary:hinge": ("flag", ("score",), {}),
    "count:poisson": ("count", ("score",), {"max_delta_step": 0.7}),
    "survival:cox": ("number", ("score",), {}),
    "multi:softmax": ("class", ("score",), {}),
    "multi:softprob": ("class", ("score_high", "score_low", "score_mid"), {}),
    "rank:ndcg": ("grade", ("score",), {}),
    "rank:pairwise": ("grade", ("score",), {}),
    "rank:map": ("flag", ("score",), {}),
}


def installed() -> set[str]:
    """What XGBoost says that it has."""
    with pytest.raises(xgboost.core.XGBoostError) as caught:
        xgboost.train({"objective": "no:such"}, xgboost.DMatrix(np.zeros((2, 1)), [0, 1]), 1)
    return set(re.findall(r"Objective candidate: (\S+)", str(caught.value)))


def test_all_are_known() -> None:
    assert len(installed()) > 15
    assert installed() <= set(OBJECTIVES)


@pytest.mark.filterwarnings("ignore:XGBoost. :UserWarning", "ignore:.*is deprecated:UserWarning")
@pytest.mark.parametrize("objective", sorted(TARGETS))
def test_each_is_trained_and_scored(objective: str) -> None:
    if objective not in installed():
        pytest.skip(f"XGBoost {xgboost.__version__} has no {objective}")
    target, names, params = TARGETS[objective]
    more = {"group": "q"} if objective.startswith("rank:") else {}
    pipeline = fit(target, objective=objective, params=params, columns=["numbers", "carrier"], **more)
    assert tuple(pipeline.outputs) == names
    assert set(pipeline.outputs.values()) == {"float32"}
    rows = table(300, 5)
    wanted = booster(pipeline).inplace_predict(numbers(rows, "a", "b", "carrier"), validate_features=False)
    assert same_bits(scores(pipeline, rows), wanted)
    assert len(np.unique(wanted)) > 1
    check_alone(pipeline, rows.slice(0, 40))


@pytest.mark.filterwarnings("ignore:XGBoost. :UserWarning", "ignore:.*is deprecated:UserWarning")
@pytest.mark.parametrize(
    "params",
    [
        {"num_parallel_tree": 3, "subsample": 0.7, "colsample_bynode": 0.8},
        {"booster": "dart", "rate_drop": 0.5, "one_drop": 1},
        {"booster": "dart", "rate_drop": 0.5, "num_parallel_tree": 2, "subsample": 0.7},
        {"tree_method": "exact"},
        {"tree_method": "approx", "grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
    ],
)
def test_every_way_to_grow(params: dict[str, Any]) -> None:
    pipeline = fit("class", params=params)
    rows = table(300, 5)
    matrix = xgboost.DMatrix(numbers(rows, "a", "b"))
    assert same_bits(scores(pipeline, rows), booster(pipeline).predict(matrix, validate_features=False))
    check_alone(pipeline, rows.slice(0, 40))
    trees = booster(pipeline).get_dump()
    assert len(trees) == 6 * 3 * params.get("num_parallel_tree", 1)


@pytest.mark.filterwarnings("ignore:XGBoost. :UserWarning", "ignore:.*is deprecated:UserWarning")
@pytest.mark.parametrize("target", ["number", "flag", "class"])
def test_linear_models(target: str) -> None:
    pipeline = fit(target, params={"booster": "gblinear"})
    again = fit(target, params={"booster": "gblinear", "nthread": 2})
    assert pipeline.digest != again.digest  # the options differ; what was learned doesn't
    assert pipeline.learned["model"]["model"].tobytes() == again.learned["model"]["model"].tobytes()
    rows = table(300, 5)
    matrix = xgboost.DMatrix(numbers(rows, "a", "b"))
    assert same_bits(scores(pipeline, rows), booster(pipeline).predict(matrix, validate_features=False))
    check_alone(pipeline, rows.slice(0, 40))
