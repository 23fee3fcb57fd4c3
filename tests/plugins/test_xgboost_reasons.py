"""The strongest reasons of each score: XGBoost's own SHAP contributions, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.errors import ConfigError, ModelError, UserError
from engine.evaluate import evaluate
from engine.forest.reasons import Reasons
from engine.pipeline import Pipeline
from engine.scorer import Scorer
from tests.plugins.boosted import (
    CARRIERS,
    booster,
    check_alone,
    config,
    fit,
    numbers,
    same_bits,
    scores,
    table,
)

ALL = ["numbers", "carrier"]


def contributions(pipeline: Pipeline, rows: pa.Table, *names: str) -> np.ndarray:
    types = booster(pipeline).feature_types
    matrix = xgboost.DMatrix(numbers(rows, *names), feature_types=types, enable_categorical=True)
    return booster(pipeline).predict(matrix, pred_contribs=True, validate_features=False)


def expected(found: np.ndarray, top: int) -> list[list[tuple[int, float]]]:
    """The strongest features with their contributions, row by row."""
    return [
        [
            (i, float(row[i]))
            for i in sorted(range(len(row) - 1), key=lambda i: (-abs(row[i]), i))[:top]
            if row[i]
        ]
        for row in found
    ]


def told(pipeline: Pipeline, rows: pa.Table, top: int) -> list[list[tuple[str, float]]]:
    out = []
    for row in pipeline.predict_many(rows).to_pylist():
        pairs = [(row[f"reason_{i}"], row[f"reason_{i}_contribution"]) for i in range(1, top + 1)]
        out.append([(name, value) for name, value in pairs if name is not None])
    return out


def test_the_strongest_are_told_with_value_and_inputs(tmp_path: Path) -> None:
    pipeline = fit("flag", columns=ALL, explain={"top": 2})
    names = [
        f"reason_{i}{part}"
        for i in (1, 2)
        for part in ("", "_value", "_category", "_contribution", "_inputs")
    ]
    assert list(pipeline.outputs) == ["score", *names]
    assert [pipeline.outputs[name] for name in names[:5]] == [
        "string",
        "float32",
        "string",
        "float32",
        "string",
    ]
    rows = table(300, 4)
    found = contributions(pipeline, rows, "a", "b", "carrier")
    features = ("a", "b", "carrier")
    wanted = [[(features[i], value) for i, value in row] for row in expected(found, 2)]
    assert told(pipeline, rows, 2) == wanted
    for given, row in zip(rows.to_pylist(), pipeline.predict_many(rows).to_pylist(), strict=True):
        for i in (1, 2):
            name, value, text = (row[f"reason_{i}{part}"] for part in ("", "_value", "_category"))
            assert row[f"reason_{i}_inputs"] == name
            if name == "carrier":
                assert text == given["carrier"] and np.isnan(value)
            elif name is not None:
                assert text is None
                assert value == given[name] or (given[name] is None and np.isnan(value))
    assert same_bits(scores(pipeline, rows, "score"), scores(fit("flag", columns=ALL), rows, "score"))
    check_alone(pipeline, rows.slice(0, 40))
    pipeline.save(tmp_path / "bundle")
    again = engine.load(tmp_path / "bundle")
    assert repr(again.predict_many(rows).to_pylist()) == repr(pipeline.predict_many(rows).to_pylist())
    assert "2 reasons of each score by XGBoost's SHAP contributions" in pipeline.explain()


def test_inputs_behind_stages_and_earlier_models() -> None:
    front: dict[str, Any] = {
        "codes": {"use": "onehot", "columns": ["carrier"], "drop": True},
        "ratio": {"use": "expr", "value": "b / (abs(before) + 1)", "into": "ratio"},
        "first": {"use": "xgboost", "columns": ["a", "ratio"], "rounds": 3, "into": "early"},
    }
    inputs = {"a": "number", "b": "number", "carrier": "category", "before": "number"}
    spec = config("flag", inputs=inputs, front=front, columns=["early", "carrier_*", "a"], explain={"top": 7})
    spec["stages"]["model"]["into"] = "late"
    # what learns from reasons has to see during training what it sees later
    spec["stages"]["seen"] = {"use": "onehot", "columns": ["late_reason_1_inputs"], "drop": True}
    spec["outputs"] = ["*"]
    pipeline = engine.fit(engine.Config(spec), table())
    rows = table(60, 4)
    texts = set()
    for row in pipeline.predict_many(rows).to_pylist():
        for i in range(1, 8):
            name, text = row[f"late_reason_{i}"], row.get(f"late_reason_{i}_inputs", "")
            if name is not None and i > 1:
                assert text == {"early": "a, b, before", "a": "a"}.get(name, "carrier")
            texts.add(name)
        assert sum(value for name, value in row.items() if name.startswith("late_reason_1_inputs_")) == 1.0
    assert "early" in texts and any(text and text.startswith("carrier_") for text in texts)
    seen = {name for name in pipeline.outputs if name.startswith("late_reason_1_inputs_")}
    assert seen <= {f"late_reason_1_inputs_{text}" for text in ("a, b, before", "a", "carrier")}
    check_alone(pipeline, rows.slice(0, 20))


@pytest.mark.parametrize(
    ("target", "options", "place"),
    [
        ("class", {}, None),
        ("class", {"of": "mid"}, 2),
        ("class", {"objective": "multi:softmax"}, None),
        ("class", {"output": "margin"}, None),
        ({"columns": ["number", "other"]}, {}, 0),
        ({"columns": ["number", "other"]}, {"of": "other"}, 1),
        (
            "number",
            {"objective": "reg:quantileerror", "params": {"quantile_alpha": [0.1, 0.9]}, "of": "q0.9"},
            1,
        ),
    ],
)
def test_which_score_is_explained(target: Any, options: dict[str, Any], place: int | None) -> None:
    explain = {"top": 2} | ({"of": options.pop("of")} if "of" in options else {})
    pipeline = fit(target, explain=explain, **options)
    rows = table(200, 4)
    found = contributions(pipeline, rows, "a", "b")
    margins = booster(pipeline).inplace_predict(numbers(rows, "a", "b"), predict_type="margin")
    which = margins.argmax(axis=1) if place is None else np.full(len(margins), place)
    mine = found[np.arange(len(found)), which]
    assert told(pipeline, rows, 2) == [[("ab"[i], value) for i, value in row] for row in expected(mine, 2)]
    assert np.allclose(mine.sum(axis=1), margins[np.arange(len(margins)), which], atol=1e-5)
    check_alone(pipeline, rows.slice(0, 20))


@pytest.mark.filterwarnings("ignore:XGBoost. :UserWarning", "ignore:.*is deprecated:UserWarning")
@pytest.mark.parametrize("params", [{"booster": "dart", "rate_drop": 0.5}, {"booster": "gblinear"}])
def test_other_boosters(params: dict[str, Any]) -> None:
    pipeline = fit("flag", explain={"top": 1}, params=params)
    rows = table(100, 4)
    found = contributions(pipeline, rows, "a", "b")
    assert told(pipeline, rows, 1) == [[("ab"[i], v) for i, v in row] for row in expected(found, 1)]
    many = pa.concat_tables([rows] * 100)
    wanted = pipeline.predict_many(many).to_pylist()
    assert repr(pipeline.predict_many(many, threads=2).to_pylist()) == repr(wanted)


def test_with_base_margins() -> None:
    inputs = {"a": "number", "b": "number", "before": "number"}
    pipeline = fit("flag", inputs=inputs, base_margin="before", explain={"top": 3})
    rows = table(100, 4)
    found = contributions(pipeline, rows, "a", "b")
    assert told(pipeline, rows, 3) == [[("ab"[i], v) for i, v in row] for row in expected(found, 3)]
    check_alone(pipeline, rows.slice(0, 20))


def test_nothing_is_no_reason() -> None:
    rows = table()
    pipeline = fit("flag", explain={"top": 3}, columns=["b"])
    row = pipeline.predict_one(rows.slice(0, 1).to_pylist()[0])
    assert row["reason_1"] == "b" and row["reason_2"] is None and row["reason_3_inputs"] is None
    assert np.isnan(row["reason_2_contribution"]) and np.isnan(row["reason_2_value"])


def test_infinite_and_missing_values_and_no_rows() -> None:
    pipeline = fit("flag", explain={"top": 2})
    values = [np.inf, -np.inf, np.nan, 0.0]
    rows = pa.table({"a": values, "b": values[::-1], "carrier": pa.nulls(4, pa.string())})
    check_alone(pipeline, pa.concat_tables([rows, rows, rows]))
    assert pipeline.predict_many(rows.slice(0, 0)).num_rows == 0
    pipeline.predict_one({})


def test_reasons_are_computed_only_where_somebody_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def explained(self: Scorer, rows: np.ndarray) -> np.ndarray:
        raise AssertionError("reasons were computed")

    monkeypatch.setattr(Reasons, "contributions", explained)
    split = {"kind": "random", "valid": 0, "test": 0.3}
    spec = config("flag", explain={"top": 2}, split=split, outputs=["score"])
    spec["golden"] = 0
    pipeline = engine.fit(engine.Config(spec), table())
    pipeline.predict_many(table(50, 1))
    assert evaluate(pipeline, table(50, 1)).metrics["auc"] > 0.5
    with pytest.raises(AssertionError, match="reasons were computed"):
        fit("flag", explain={"top": 2})


def test_a_loaded_model(tmp_path: Path) -> None:
    trained = fit("class")
    path = tmp_path / "model.ubj"
    path.write_bytes(trained.learned["model"]["model"].tobytes())
    spec = config("class", model=str(path), explain={"top": 1, "of": "2"})
    del spec["stages"]["model"]["rounds"]
    pipeline = engine.build(engine.Config(spec))
    rows = table(50, 4)
    found = contributions(trained, rows, "a", "b")[:, 2]
    assert told(pipeline, rows, 1) == [[("ab"[i], v) for i, v in row] for row in expected(found, 1)]
    spec["stages"]["model"]["explain"]["of"] = "mid"
    with pytest.raises(ModelError, match=r"explain.of: there is no 'mid'. There are: 0, 1, 2"):
        engine.build(engine.Config(spec))


def test_trees_of_several_outputs_are_not_explained(tmp_path: Path) -> None:
    trained = fit({"columns": ["number", "other"]}, params={"multi_strategy": "multi_output_tree"})
    path = tmp_path / "model.ubj"
    path.write_bytes(trained.learned["model"]["model"].tobytes())
    spec = config(model=str(path), explain={"top": 1})
    del spec["stages"]["model"]["rounds"]
    with pytest.raises(ModelError, match="has trees of several outputs: XGBoost explains none such"):
        engine.build(engine.Config(spec))


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("flag", {"explain": {"tpo": 2}}, "explain.tpo: there is no 'tpo'. Did you mean 'top'?"),
        ("flag", {"explain": {"top": 0}}, "explain.top: 0 is no whole number from 1 to 100"),
        ("flag", {"explain": {"top": True}}, "explain.top: True is no whole number from 1 to 100"),
        ("flag", {"explain": {"of": 3}}, "explain.of: 3 is no text"),
        ("flag", {"explain": {"of": "yes"}}, "explain.of: there is no 'yes'. The model has one score alone"),
        ("class", {"explain": {"of": "lo"}}, "explain.of: there is no 'lo'. Did you mean 'low'?"),
        (
            {"columns": ["number", "other"]},
            {"explain": {"top": 1}, "params": {"multi_strategy": "multi_output_tree"}},
            "explain: XGBoost doesn't explain trees of several outputs; remove params.multi_strategy",
        ),
    ],
)
def test_mistakes(target: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, UserError)) as caught:
        fit(target, **options)
    assert said in str(caught.value)


def test_many_carriers_are_known() -> None:
    pipeline = fit("flag", columns=["carrier"], explain={"top": 1})
    for text in CARRIERS:
        row = pipeline.predict_one({"carrier": text})
        assert row["reason_1"] in ("carrier", None)
        assert row["reason_1_category"] == (text if row["reason_1"] else None)


def test_the_input_behind_what_is_derived_from_a_text() -> None:
    front = {"size": {"use": "text_length", "columns": ["carrier"]}}
    pipeline = fit("flag", front=front, columns=["carrier_length"], explain={"top": 1}, outputs=["*"])
    reasons = {(r["reason_1"], r["reason_1_inputs"]) for r in pipeline.predict_many(table(60, 4)).to_pylist()}
    assert reasons - {(None, None)} == {("carrier_length", "carrier")}
