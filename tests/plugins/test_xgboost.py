"""The stage that trains or loads an XGBoost model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from engine.plugins.xgboost import XGBoost

from engine.errors import DataError, ModelError, UserError
from engine.forest.model import read_model
from engine.schema import Column, Kind
from engine.stage import FitContext, Part

NAMES = ("a", "b", "late")


def part(n_rows: int = 400, seed: int = 0, kind: Kind = Kind.BOOLEAN, **more: Any) -> Part:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n_rows))
    a[::9] = np.nan
    late = rng.random(n_rows) < 0.5
    signal = np.nan_to_num(a) * 1.5 + b * late
    if kind is Kind.BOOLEAN:
        y = (signal > 0).astype(float)
    elif kind is Kind.CATEGORY:
        y = np.digitize(signal, [-0.5, 0.5]).astype(float)
    else:
        y = signal
    return Part({"a": a, "b": b, "late": late}, y, **more)


def context(kind: Kind = Kind.BOOLEAN, *, valid: bool = False, **more: Any) -> FitContext:
    made = {"train": part(kind=kind), "target": kind, **more}
    if kind is Kind.CATEGORY:
        made.setdefault("classes", ("high", "low", "mid"))
    if valid:
        made.setdefault("valid", part(150, 1, kind))
    return FitContext(**made)


def fit(stage: XGBoost, given: FitContext) -> Any:
    return stage.fit(given.train.columns, given)


def matrix(given: Part) -> np.ndarray:
    return np.column_stack(list(given.columns.values())).astype(np.float32)


def columns(*names: str) -> list[Column]:
    return [Column(name, Kind.NUMBER) for name in names]


def mistakes(**options: Any) -> list[str]:
    return list(XGBoost(**options).check(columns(*NAMES)))


# -- training


@pytest.mark.parametrize(
    ("kind", "objective", "suffixes"),
    [
        (Kind.BOOLEAN, "binary:logistic", ("",)),
        (Kind.NUMBER, "reg:squarederror", ("",)),
        (Kind.CATEGORY, "multi:softprob", ("_high", "_low", "_mid")),
    ],
)
def test_auto_follows_the_target(kind: Kind, objective: str, suffixes: tuple[str, ...]) -> None:
    stage = XGBoost(rounds=5)
    given = context(kind)
    learned = fit(stage, given)
    assert learned["objective"] == (objective,)
    assert learned["classes"] == given.classes
    assert stage.outputs(learned) == suffixes
    assert stage.declare(columns(*NAMES), kind) == (None if kind is Kind.CATEGORY else suffixes)
    assert stage.features(NAMES, learned) == NAMES
    scorer = stage.make_scorer(learned)
    assert (scorer.n_features, scorer.n_outputs) == (3, len(suffixes))
    model = read_model(learned["model"].tobytes(), "m")
    assert model.feature_names == ()


def test_scores_are_those_of_a_plain_training() -> None:
    given = context()
    stage = XGBoost(rounds=12, params={"max_depth": 3.0, "eta": 0.3, "subsample": 0.8})
    plain = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "eta": 0.3, "subsample": 0.8, "seed": 0},
        xgboost.QuantileDMatrix(matrix(given.train), given.train.y),
        12,
    )
    found = stage.make_scorer(fit(stage, given)).many(matrix(given.train))
    assert np.array_equal(found[:, 0], plain.inplace_predict(matrix(given.train)))


@pytest.mark.parametrize("params", [{}, {"subsample": 0.5, "colsample_bynode": 0.5}])
def test_training_twice_gives_the_same_bits_with_any_number_of_threads(params: dict[str, Any]) -> None:
    given = FitContext(train=part(20_000, kind=Kind.NUMBER), target=Kind.NUMBER, seed=11)
    models = {
        fit(XGBoost(rounds=20, params={**params, **threads}), given)["model"].tobytes()
        for threads in ({}, {}, {"nthread": 1}, {"nthread": 3})
    }
    assert len(models) == 1


def test_the_seed_matters_and_params_may_set_it() -> None:
    stage = XGBoost(rounds=5, params={"subsample": 0.5})
    one, two = (fit(stage, context(seed=seed))["model"].tobytes() for seed in (1, 2))
    assert one != two
    own = XGBoost(rounds=5, params={"subsample": 0.5, "seed": 2})
    assert fit(own, context(seed=1))["model"].tobytes() == two


def test_weights_are_used() -> None:
    weight = np.where(np.arange(400) % 2, 1.0, 5.0)
    weighted = FitContext(train=part(weight=weight), target=Kind.BOOLEAN)
    stage = XGBoost(rounds=5)
    assert fit(stage, weighted)["model"].tobytes() != fit(stage, context())["model"].tobytes()


def test_early_stopping_keeps_the_trees_up_to_the_best_round() -> None:
    given = context(valid=True)
    valid = given.valid
    assert valid is not None
    learned = fit(XGBoost(rounds=200, early_stopping=3, params={"eta": 1.0}), given)
    model = read_model(learned["model"].tobytes(), "m")
    train_matrix = xgboost.QuantileDMatrix(matrix(given.train), given.train.y)
    watched = xgboost.QuantileDMatrix(matrix(valid), valid.y, ref=train_matrix)
    plain = xgboost.train(
        {"objective": "binary:logistic", "eta": 1.0, "seed": 0},
        train_matrix,
        200,
        evals=[(watched, "valid")],
        early_stopping_rounds=3,
        verbose_eval=False,
    )
    assert model.n_trees == plain.best_iteration + 1 < plain.num_boosted_rounds()
    found = XGBoost().make_scorer(learned).many(matrix(valid))[:, 0]
    best = plain.inplace_predict(matrix(valid), iteration_range=(0, plain.best_iteration + 1))
    assert np.array_equal(found, best)


def test_early_stopping_needs_a_valid_part() -> None:
    with pytest.raises(UserError) as caught:
        fit(XGBoost(early_stopping=5), context())
    assert str(caught.value) == (
        "early_stopping: 5 needs rows to watch, but the split has no valid part; set split.valid, "
        "or early_stopping: null"
    )


def test_progress_is_told_each_round() -> None:
    heard: list[tuple[int, int, str]] = []
    given = context(valid=True, progress=lambda *told: heard.append(told))
    fit(XGBoost(rounds=4, early_stopping=4), given)
    assert [told[:2] for told in heard] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert heard[0][2].startswith("valid logloss 0.")


def test_quantiles() -> None:
    stage = XGBoost(rounds=5, objective="reg:quantileerror", params={"quantile_alpha": [0.1, 0.5]})
    learned = fit(stage, context(Kind.NUMBER))
    assert stage.outputs(learned) == ("_q0.1", "_q0.5")
    assert stage.declare(columns(*NAMES), Kind.NUMBER) == ("_q0.1", "_q0.5")
    assert stage.make_scorer(learned).n_outputs == 2


def test_softmax_gives_one_score_and_keeps_the_classes() -> None:
    stage = XGBoost(rounds=3, objective="multi:softmax")
    learned = fit(stage, context(Kind.CATEGORY))
    assert stage.outputs(learned) == ("",) == stage.declare([], Kind.CATEGORY)
    assert learned["classes"] == ("high", "low", "mid")


def test_numbered_classes() -> None:
    given = FitContext(train=part(kind=Kind.CATEGORY), target=Kind.NUMBER)
    stage = XGBoost(rounds=3, objective="multi:softprob")
    assert fit(stage, given)["classes"] == ("0", "1", "2")
    with_more = XGBoost(rounds=3, objective="multi:softprob", params={"num_class": 5})
    assert with_more.outputs(fit(with_more, given)) == ("_0", "_1", "_2", "_3", "_4")
    assert with_more.declare([], Kind.NUMBER) == ("_0", "_1", "_2", "_3", "_4")
    with pytest.raises(UserError, match=r"params\.num_class is 2, but the target goes up to class 2"):
        fit(XGBoost(objective="multi:softprob", params={"num_class": 2}), given)
    with pytest.raises(UserError, match="the target holds other numbers"):
        fit(XGBoost(objective="multi:softprob"), context(Kind.NUMBER))


def test_num_class_against_the_target() -> None:
    with pytest.raises(UserError) as caught:
        fit(XGBoost(params={"num_class": 4}), context(Kind.CATEGORY))
    assert str(caught.value) == (
        "params.num_class is 4, but the target has 3 classes: high, low, mid; remove it"
    )


def test_ranking_by_group() -> None:
    group = np.random.default_rng(3).integers(0, 40, 400)
    given = FitContext(train=part(group=group), target=Kind.BOOLEAN)
    stage = XGBoost(rounds=3, objective="rank:ndcg")
    assert stage.outputs(fit(stage, given)) == ("",)
    with pytest.raises(UserError, match="objective 'rank:ndcg' needs the config's 'group'"):
        fit(stage, context())


def test_constraints_by_column_name() -> None:
    params = {"monotone_constraints": {"b": -1}, "interaction_constraints": [["a", "late"], ["b"]]}
    learned = fit(XGBoost(rounds=10, params=params), context())
    rows = np.zeros((50, 3), np.float32)
    rows[:, 1] = np.linspace(-2, 2, 50)
    scores = XGBoost().make_scorer(learned).many(rows)[:, 0]
    assert (np.diff(scores) <= 0).all()
    with pytest.raises(UserError) as caught:
        fit(XGBoost(params={"monotone_constraints": {"lat": 1}}), context())
    assert str(caught.value) == "params.monotone_constraints: 'lat' is no feature. Did you mean 'late'?"


@pytest.mark.filterwarnings("ignore:XGBoost. .booster=dart. is deprecated:UserWarning")
@pytest.mark.parametrize("params", [{"booster": "dart", "rate_drop": 0.3}, {"tree_method": "exact"}])
def test_other_ways_to_grow(params: dict[str, Any]) -> None:
    learned = fit(XGBoost(rounds=5, params=params), context())
    assert XGBoost().make_scorer(learned).many(matrix(part(5))).shape == (5, 1)


# -- what is wrong with the data


def test_degenerate_targets() -> None:
    columns_only = part().columns
    never = FitContext(train=Part(columns_only, np.zeros(400)), target=Kind.BOOLEAN)
    with pytest.raises(UserError) as caught:
        fit(XGBoost(), never)
    assert str(caught.value) == (
        "the target is 0 in all 400 training rows: there is nothing to learn; "
        "see that 'target' and 'split' say what they should"
    )
    y = np.ones(400)
    y[:7] = np.nan
    with pytest.raises(UserError, match="the target is missing or infinite in 7 of 400 training rows"):
        fit(XGBoost(), FitContext(train=Part(columns_only, y), target=Kind.NUMBER))
    with pytest.raises(UserError, match="the training part has no target values; set 'target'"):
        fit(XGBoost(), FitContext(train=Part(columns_only)))


def test_infinite_features_name_their_columns() -> None:
    given = part()
    a = np.array(given.columns["a"])
    a[3] = 1e300
    broken = Part({**given.columns, "a": a}, given.y)
    with pytest.raises(DataError) as caught:
        fit(XGBoost(), FitContext(train=broken, target=Kind.BOOLEAN))
    assert str(caught.value) == (
        "XGBoost can't learn from infinite values (or beyond float32), found in: a\n"
        "  put a clip in front of the model: {use: clip, lo: -1e30, hi: 1e30}"
    )


def test_a_value_that_xgboost_refuses() -> None:
    with pytest.raises(UserError) as caught:
        fit(XGBoost(params={"subsample": 3}), context())
    assert str(caught.value) == (
        f"XGBoost {xgboost.__version__} can't train this model: "
        "value 3 for Parameter subsample exceed bound [0,1]"
    )


def test_a_parameter_without_use() -> None:
    with pytest.raises(UserError) as caught:
        fit(XGBoost(rounds=1, params={"quantile_alpha": 0.5}), context())
    assert str(caught.value) == (
        "params: XGBoost has no use for quantile_alpha with this objective and booster; remove it"
    )


# -- what is wrong with the options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"params": {"max_dpth": 3}},
            "params.max_dpth: XGBoost has no parameter 'max_dpth'. Did you mean 'max_depth'?",
        ),
        ({"params": {"max_depth": 5.5}}, "params.max_depth: 5.5 is no whole number"),
        ({"params": {"max_depth": "six"}}, "params.max_depth: 'six' is no whole number"),
        ({"params": {"n_estimators": 5}}, "params.n_estimators: give it as the stage's option 'rounds'"),
        ({"params": {"objective": "x"}}, "params.objective: give it as the stage's option 'objective'"),
        (
            {"params": {"booster": "gbtre"}},
            "params.booster: there is no booster 'gbtre'; use gbtree, dart or gblinear",
        ),
        (
            {"objective": "binary:logistc"},
            "objective: 'binary:logistc' is none that can be trained. Did you mean 'binary:logistic'?",
        ),
        (
            {"objective": "reg:quantileerror"},
            "params.quantile_alpha: this objective needs it, such as quantile_alpha: [0.1, 0.5, 0.9]",
        ),
        (
            {"objective": "reg:quantileerror", "params": {"quantile_alpha": [0.1, 2]}},
            "params.quantile_alpha: [0.1, 2] is not a number between 0 and 1, or a list of such",
        ),
        (
            {"model": "m.ubj", "early_stopping": 3},
            "early_stopping: has no effect on a model that is loaded; remove it, or 'model'",
        ),
    ],
)
def test_mistakes(options: dict[str, Any], said: str) -> None:
    assert mistakes(**options) == [said]


def test_no_mistakes() -> None:
    assert mistakes(params={"max_depth": 6.0, "eta": 0.1, "eval_metric": ["auc", "logloss"]}) == []


# -- loading


def save(folder: Path, names: list[str] | None = None, suffix: str = "ubj", **params: Any) -> str:
    given = part(kind=Kind.CATEGORY if "num_class" in params else Kind.BOOLEAN)
    data = xgboost.DMatrix(matrix(given), given.y, feature_names=names)
    path = folder / f"model.{suffix}"
    xgboost.train({"max_depth": 3, **params}, data, 4).save_model(path)
    return str(path)


def test_by_count(tmp_path: Path) -> None:
    path = save(tmp_path, objective="binary:logistic")
    stage = XGBoost(model=path)
    assert not stage.learns()
    learned = stage.prepare(columns("x", "y", "z"))
    assert stage.features(["x", "y", "z"], learned) == ("x", "y", "z")
    booster = xgboost.Booster(model_file=path)
    rows = matrix(part(20))
    assert np.array_equal(stage.make_scorer(learned).many(rows)[:, 0], booster.inplace_predict(rows))
    with pytest.raises(ModelError) as caught:
        stage.prepare(columns("x", "y"))
    assert str(caught.value) == (
        f"{path} takes 3 features, but 2 columns are selected: x, y\n"
        "  the model has no feature names, so columns are matched by their order"
    )


@pytest.mark.parametrize("suffix", ["ubj", "json"])
def test_by_name(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, ["b", "a", "late"], suffix)
    stage = XGBoost(model=path)
    learned = stage.prepare(columns("late", "other", "a", "b"))
    assert learned["features"] == stage.features(["late", "other", "a", "b"], learned) == ("b", "a", "late")
    with pytest.raises(ModelError) as caught:
        stage.prepare(columns("a", "bb", "lat"))
    assert str(caught.value) == (
        f"{path} takes 3 features by name, of which 2 are not selected:\n"
        "    'b': no such column. Did you mean 'bb'?\n"
        "    'late': no such column. Did you mean 'lat'?\n"
        "  selected, but not taken by the model: bb, lat"
    )


def test_columns_that_have_gone(tmp_path: Path) -> None:
    stage = XGBoost(model=save(tmp_path))
    learned = stage.prepare(columns("x", "y", "z"))
    with pytest.raises(ModelError, match="the model's features are not among the columns: y"):
        stage.features(["x", "z"], learned)


def test_loaded_classes_are_numbered(tmp_path: Path) -> None:
    stage = XGBoost(model=save(tmp_path, objective="multi:softprob", num_class=3))
    learned = stage.prepare(columns(*NAMES))
    assert learned["classes"] == ("0", "1", "2")
    assert stage.outputs(learned) == stage.declare([], None) == ("_0", "_1", "_2")


def test_another_objective_than_the_file(tmp_path: Path) -> None:
    path = save(tmp_path, objective="binary:logistic")
    with pytest.raises(ModelError) as caught:
        XGBoost(model=path, objective="reg:squarederror").prepare(columns(*NAMES))
    assert str(caught.value) == (
        f"{path} was trained for 'binary:logistic', but 'objective' says 'reg:squarederror'; "
        "remove 'objective'"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    save(tmp_path)
    stage = XGBoost(model=str(tmp_path / "modle.ubj"))
    assert stage.declare([], None) is None
    with pytest.raises(ModelError) as caught:
        stage.prepare(columns(*NAMES))
    assert str(caught.value) == (
        f"there is no model file {tmp_path}/modle.ubj. Did you mean 'model.ubj'?\n"
        f"  {tmp_path} holds: model.ubj"
    )
    with pytest.raises(ModelError) as caught:
        XGBoost(model=str(tmp_path)).prepare(columns(*NAMES))
    assert str(caught.value) == f"the model file {tmp_path} can't be read: Is a directory"
