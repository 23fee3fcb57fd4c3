"""Margins as scores, and margins that begin in a column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.errors import ConfigError, UserError
from engine.evaluate import evaluate
from tests.plugins.boosted import booster, check_alone, config, fit, numbers, same_bits, scores, table

INPUTS = {"a": "number", "b": "number", "carrier": "category", "before": "number"}


@pytest.mark.parametrize(
    ("target", "objective", "names"),
    [
        ("flag", "auto", ["score"]),
        ("class", "auto", ["score_high", "score_low", "score_mid"]),
        ("class", "multi:softmax", ["score_high", "score_low", "score_mid"]),
        ("count", "count:poisson", ["score"]),
        ("flag", "binary:hinge", ["score"]),
    ],
)
def test_margins(target: str, objective: str, names: list[str]) -> None:
    pipeline = fit(target, objective=objective, output="margin")
    assert list(pipeline.outputs) == names
    rows = table(300, 4)
    wanted = booster(pipeline).inplace_predict(numbers(rows, "a", "b"), predict_type="margin")
    assert same_bits(scores(pipeline, rows), wanted)
    assert pipeline.scorers["model"].note.startswith("native")
    check_alone(pipeline, rows.slice(0, 30))
    plain = fit(target, objective=objective)
    assert pipeline.fitted is not None and plain.fitted is not None
    if objective == "multi:softmax":
        assert pipeline.fitted.metrics["accuracy"] == plain.fitted.metrics["accuracy"]
    else:
        assert pipeline.fitted.metrics == pytest.approx(dict(plain.fitted.metrics), rel=1e-5)
    assert pipeline.learned["model"]["model"].tobytes() == plain.learned["model"]["model"].tobytes()


@pytest.mark.parametrize("scorer", ["auto", "xgboost"])
def test_base_margins_from_a_column(scorer: str, tmp_path: Path) -> None:
    rows, later = table(), table(300, 4)
    pipeline = fit("flag", base_margin="before", inputs=INPUTS, scorer=scorer)
    assert pipeline.learned["model"]["features"] == ("a", "b")
    matrix = xgboost.QuantileDMatrix(
        numbers(rows, "a", "b"),
        np.array(rows["flag"].to_pylist(), float),
        base_margin=rows["before"].to_numpy(),
    )
    plain = xgboost.train({"objective": "binary:logistic", "seed": 0}, matrix, 6)
    wanted = plain.inplace_predict(numbers(later, "a", "b"), base_margin=later["before"].to_numpy())
    assert same_bits(scores(pipeline, later), wanted)
    assert pipeline.scorers["model"].note.startswith("native" if scorer == "auto" else "XGBoost")
    check_alone(pipeline, later.slice(0, 30))
    pipeline.save(tmp_path / "bundle")
    assert same_bits(scores(engine.load(tmp_path / "bundle"), later), wanted)
    assert evaluate(pipeline, later).metrics["auc"] > 0.6


def test_base_margins_of_a_stage_of_classes_and_with_margins_out() -> None:
    front = {
        "one": {"use": "expr", "value": "where(isnan(a), 0, a) / 3", "into": "one"},
        "two": {"use": "clip", "columns": ["before"], "lo": -1, "hi": 1},
    }
    options: dict[str, Any] = {"columns": ["b", "carrier"], "base_margin": ["one", "two", "before"]}
    front["two"]["into"] = "two"
    pipeline = fit("class", front=front, inputs=INPUTS, output="margin", **options)
    rows = table(300, 4)
    a, before = np.nan_to_num(numbers(rows, "a").astype(np.float64)[:, 0]), rows["before"].to_numpy()
    base = np.column_stack([a / 3, np.clip(before, -1, 1), before]).astype(np.float32)
    features = numbers(rows, "b", "carrier")
    wanted = booster(pipeline).inplace_predict(
        features, predict_type="margin", base_margin=base, validate_features=False
    )
    assert same_bits(scores(pipeline, rows), wanted)
    check_alone(pipeline, rows.slice(0, 30))


def test_what_is_folded_leaves_base_margins_alone() -> None:
    front = {
        "fill": {"use": "impute", "columns": ["a", "before"], "value": 0.25},
        "codes": {"use": "onehot", "columns": ["carrier"], "drop": True},
    }
    gaps = [None if i % 7 == 0 else value for i, value in enumerate(table()["before"].to_pylist())]
    place = table().schema.get_field_index("before")
    rows = table().set_column(place, "before", pa.array(gaps))
    pipeline = fit("flag", rows, front=front, inputs=INPUTS, base_margin="before")
    assert "folded" in pipeline.explain()
    check_alone(pipeline, rows.slice(0, 60))
    pipeline.predict_one({})


def test_a_missing_base_margin() -> None:
    pipeline = fit("flag", inputs=INPUTS, base_margin="before")
    assert np.isnan(pipeline.predict_one({"a": 1.0, "b": 2.0})["score"] or np.nan)
    place = table().schema.get_field_index("before")
    rows = table().set_column(place, "before", pa.array([None, *[1.0] * 499]))
    with pytest.raises(UserError, match="base_margin: before is missing or infinite in 1 of 500 rows"):
        fit("flag", rows, inputs=INPUTS, base_margin="before")


def test_a_loaded_model(tmp_path: Path) -> None:
    pipeline = fit("class")
    path = tmp_path / "model.ubj"
    path.write_bytes(pipeline.learned["model"]["model"].tobytes())
    spec = config("class", inputs=INPUTS, model=str(path), output="margin")
    spec["stages"]["model"] |= {"base_margin": ["before", "b", "before2"], "columns": ["a", "b2"]}
    spec["stages"] = {
        "two": {"use": "clip", "columns": ["before"], "into": "before2"},
        "b2": {"use": "clip", "columns": ["b"], "into": "b2"},
        **spec["stages"],
    }
    del spec["stages"]["model"]["rounds"]
    made = engine.build(engine.Config(spec))
    rows = table(100, 3)
    base = numbers(rows, "before", "b", "before")
    wanted = booster(pipeline).inplace_predict(
        numbers(rows, "a", "b"), predict_type="margin", base_margin=base
    )
    assert same_bits(scores(made, rows), wanted)
    assert list(made.outputs) == ["score_0", "score_1", "score_2"]
    spec["stages"]["model"]["base_margin"] = "before"
    with pytest.raises(UserError, match=r"names 1 columns \(before\), and the model has 3 margins"):
        engine.build(engine.Config(spec))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"base_margin": "befor"}, "base_margin: there is no column 'befor'. Did you mean 'before'?"),
        ({"base_margin": "carrier"}, "base_margin: 'carrier' is a category; expected a number"),
        ({"base_margin": ["a", "a"]}, "base_margin: 'a', 'a': expected columns, each once"),
        (
            {"base_margin": "a", "columns": ["a"]},
            "base_margin: is no feature, and no other column is selected",
        ),
        ({"output": "margins"}, "must be one of 'prediction', 'margin', not 'margins'"),
        ({"base_margin": "a", "monotone": {"a": 1}}, "monotone: 'a' is no feature"),
    ],
)
def test_mistakes(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fit("flag", inputs=INPUTS, **options)
    assert said in str(caught.value)
