"""Constraints by column name, and weights of classes and rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

from engine.errors import ConfigError, UserError
from tests.plugins.boosted import booster, fit, numbers, same_bits, scores, table

ONEHOT = {"codes": {"use": "onehot", "columns": ["carrier"], "drop": True}}


def trained(
    rows: pa.Table, target: str, objective: str, weight: np.ndarray | None = None, **params: Any
) -> np.ndarray:
    """What a plain training predicts for the rows it learned from."""
    x = numbers(rows, "a", "b")
    y = np.array(rows[target].to_pylist())
    if y.dtype.kind == "U":
        y = np.unique(y, return_inverse=True)[1]
        params["num_class"] = 3
    matrix = xgboost.QuantileDMatrix(x, y.astype(float), weight=weight)
    return xgboost.train({"objective": objective, "seed": 0, **params}, matrix, 6).inplace_predict(x)


# -- constraints


def test_monotone_by_name() -> None:
    rows = table()
    pipeline = fit(monotone={"b": -1})
    wanted = trained(rows, "number", "reg:squarederror", monotone_constraints="(0,-1)")
    assert same_bits(scores(pipeline, rows), wanted)
    line = pa.table({"a": [0.5] * 60, "b": np.linspace(-3, 3, 60), "carrier": ["UA"] * 60})
    assert (np.diff(scores(pipeline, line)[:, 0]) <= 0).all()


def test_interaction_by_name_and_glob() -> None:
    pipeline = fit(front=ONEHOT, interaction=[["a", "b"], ["carrier_*"]], params={"max_depth": 4})
    features = pipeline.learned["model"]["features"]
    assert features[:2] == ("a", "b")
    assert all(name.startswith("carrier_") for name in features[2:])
    for tree in booster(pipeline).get_dump(dump_format="json"):
        for path in _paths(json.loads(tree), frozenset()):
            assert path <= {"f0", "f1"} or not path & {"f0", "f1"}
    free = fit(front=ONEHOT, params={"max_depth": 4})
    assert not same_bits(scores(free, table()), scores(pipeline, table()))


def _paths(node: dict[str, Any], above: frozenset[str]) -> list[frozenset[str]]:
    if "leaf" in node:
        return [above]
    here = above | {node["split"]}
    return [path for child in node["children"] for path in _paths(child, here)]


def test_globs_behind_a_onehot_and_what_overrides_them() -> None:
    pipeline = fit(front=ONEHOT, monotone={"carrier_*": 1, "carrier_AA": 0, "b": -1})
    features = pipeline.learned["model"]["features"]
    signs = [{"a": 0, "b": -1, "carrier_AA": 0}.get(name, 1) for name in features]
    x = numbers(table(), "a", "b")
    texts = table()["carrier"].to_pylist()
    codes = [[float(text == name.removeprefix("carrier_")) for text in texts] for name in features[2:]]
    x = np.column_stack([x, np.array(codes, np.float32).T])
    matrix = xgboost.QuantileDMatrix(x, table()["number"].to_numpy())
    params = {"monotone_constraints": f"({','.join(map(str, signs))})", "seed": 0}
    wanted = xgboost.train(params, matrix, 6).inplace_predict(x)
    assert same_bits(scores(pipeline, table()), wanted)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"monotone": {"aa": 1}}, "monotone: 'aa' is no feature. Did you mean 'a'?"),
        ({"monotone": {"x*": 1}}, "monotone: 'x*' matches no feature"),
        ({"monotone": {"a": 2}}, "monotone.a: 2 is no direction; 1: never falls, -1: never rises, 0: free"),
        (
            {"monotone": {"carrier": 1}, "columns": ["a", "carrier"]},
            "monotone: 'carrier' is a category, which has no order; use ordinal first",
        ),
        ({"interaction": [["a", "bb"]]}, "interaction: 'bb' is no feature. Did you mean 'b'?"),
        ({"interaction": [[]]}, "interaction: a list is empty; each names columns that may interact"),
        (
            {"monotone": {"a": 1}, "params": {"monotone_constraints": "(1,0)"}},
            "monotone: params.monotone_constraints says so, too; remove one of them",
        ),
        ({"class_weight": "balance"}, "class_weight: 'balance' is neither 'balanced' nor {class: weight}"),
        ({"class_weight": {"yes": -1.0}}, "class_weight.yes: -1 is no weight; expected 0 or more"),
        (
            {"class_weight": "balanced", "objective": "reg:squarederror"},
            "class_weight: 'reg:squarederror' learns no classes; use the root key 'weight'",
        ),
        (
            {"early_stopping": 3, "params": {"booster": "gblinear"}},
            "early_stopping: a linear model (gblinear) can't be cut at its best round; remove it",
        ),
        (
            {"columns": ["carrier", "a"], "params": {"booster": "gblinear"}},
            "columns: a linear model (gblinear) takes numbers, and carrier is a category",
        ),
        ({"params": {"updater": "shotgun"}}, "params.updater: 'shotgun' gives other numbers in every run"),
    ],
)
def test_mistakes(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fit(**options)
    assert said in str(caught.value)


def test_a_promised_column_that_was_not_learned() -> None:
    with pytest.raises(UserError, match="monotone: 'carrier_ZZ' is no feature"):
        fit(front=ONEHOT, monotone={"carrier_ZZ": 1})


# -- weights


def test_row_weights() -> None:
    rows = table()
    pipeline = fit("flag", weight="w")
    wanted = trained(rows, "flag", "binary:logistic", rows["w"].to_numpy())
    assert same_bits(scores(pipeline, rows), wanted)


@pytest.mark.parametrize("weight", ["", "w"])
def test_balanced_classes(weight: str) -> None:
    from sklearn.utils.class_weight import compute_sample_weight

    rows = table()
    for target, objective in (("rare", "binary:logistic"), ("class", "multi:softprob")):
        pipeline = fit(target, class_weight="balanced", **({"weight": weight} if weight else {}))
        own = compute_sample_weight("balanced", rows[target].to_pylist())
        own = own * rows["w"].to_numpy() if weight else own
        assert same_bits(scores(pipeline, rows), trained(rows, target, objective, own))


@pytest.mark.parametrize(
    ("target", "given", "weights"),
    [
        ("rare", {True: 3}, {True: 3.0}),
        ("rare", {"true": 3, "false": 0.5}, {True: 3.0, False: 0.5}),
        ("rare", {1: 3}, {True: 3.0}),
        ("class", {"low": 0.25, "high": 2}, {"low": 0.25, "high": 2.0}),
    ],
)
def test_stated_class_weights(target: str, given: Any, weights: dict[Any, float]) -> None:
    rows = table()
    pipeline = fit(target, class_weight=given)
    own = np.array([weights.get(value, 1.0) for value in rows[target].to_pylist()])
    objective = "binary:logistic" if target == "rare" else "multi:softprob"
    assert same_bits(scores(pipeline, rows), trained(rows, target, objective, own))


def test_class_weights_weigh_the_valid_part_too() -> None:
    rows = table().append_column("t", pa.array(np.arange(500.0)))
    split = {"kind": "time", "column": "t", "valid": 0.3, "test": 0.1}
    pipeline = fit("rare", rows, class_weight={True: 50}, early_stopping=2, rounds=60, split=split)
    x, y = numbers(rows, "a", "b"), np.array(rows["rare"].to_pylist(), float)
    own = np.where(y == 1, 50.0, 1.0)
    train, valid = slice(0, 300), slice(300, 450)
    matrix = xgboost.QuantileDMatrix(x[train], y[train], weight=own[train])
    watched = xgboost.QuantileDMatrix(x[valid], y[valid], weight=own[valid], ref=matrix)
    plain = xgboost.train(
        {"objective": "binary:logistic", "seed": 0}, matrix, 60, evals=[(watched, "valid")],
        early_stopping_rounds=2, verbose_eval=False,
    )  # fmt: skip
    assert booster(pipeline).num_boosted_rounds() == plain.best_iteration + 1 < 60
    best = plain.inplace_predict(x, iteration_range=(0, plain.best_iteration + 1))
    assert same_bits(scores(pipeline, rows), best)


def test_class_weights_that_fit_nothing() -> None:
    with pytest.raises(UserError, match=r"there is no class .lo.\. Did you mean .low."):
        fit("class", class_weight={"lo": 2})
    with pytest.raises(UserError, match="'reg:squarederror' learns no classes"):
        fit("number", class_weight="balanced")


# -- rankings


def test_ranking_is_trained_by_group_in_any_order() -> None:
    rows = table()
    order = np.random.default_rng(1).permutation(500)
    x, y = numbers(rows, "a", "b"), rows["grade"].to_numpy()
    matrix = xgboost.QuantileDMatrix(x, y, qid=rows["q"].to_numpy())
    params = {"objective": "rank:ndcg", "seed": 0}
    wanted = xgboost.train(params, matrix, 6).inplace_predict(x)
    apart = np.argsort(np.arange(500) % 10, kind="stable")  # groups are interleaved, their order is kept
    for given in (rows, rows.take(pa.array(apart))):
        pipeline = fit("grade", given, objective="rank:ndcg", group="q")
        assert same_bits(scores(pipeline, rows), wanted)
    shuffled = fit("flag", rows.take(pa.array(order)), objective="rank:map", group="q", rounds=2)
    assert shuffled.outputs == {"score": "float32"}


def test_groups_have_one_weight_each() -> None:
    rows = table()
    by_group = rows.set_column(
        rows.schema.get_field_index("w"), "w", pa.array((rows["q"].to_numpy() % 3 + 1).astype(float))
    )
    pipeline = fit("grade", by_group, objective="rank:pairwise", group="q", weight="w")
    x, y, q = numbers(rows, "a", "b"), rows["grade"].to_numpy(), rows["q"].to_numpy()
    matrix = xgboost.QuantileDMatrix(x, y, qid=q, weight=np.unique(q) % 3 + 1)
    wanted = xgboost.train({"objective": "rank:pairwise", "seed": 0}, matrix, 6).inplace_predict(x)
    assert same_bits(scores(pipeline, rows), wanted)
    with pytest.raises(UserError, match="rows of one group weigh differently in 50 of 50 groups"):
        fit("grade", objective="rank:pairwise", group="q", weight="w")
    with pytest.raises(UserError, match="objective 'rank:pairwise' needs the config's 'group'"):
        fit("grade", objective="rank:pairwise")
