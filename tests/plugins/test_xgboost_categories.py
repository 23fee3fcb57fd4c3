"""Category columns that go into a model as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.errors import ConfigError, ModelError, UserError
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


def trained(rows: pa.Table, **params: Any) -> xgboost.Booster:
    """The same model by XGBoost's own hand."""
    matrix = xgboost.QuantileDMatrix(
        numbers(rows, "a", "b", "carrier"),
        np.array(rows["flag"].to_pylist(), float),
        feature_types=["q", "q", "c"],
        enable_categorical=True,
    )
    return xgboost.train({"objective": "binary:logistic", "seed": 0, **params}, matrix, 6)


@pytest.mark.parametrize("params", [{"max_cat_to_onehot": 1}, {"max_cat_to_onehot": 100}])
def test_named_categories_are_split_as_xgboost_does(params: dict[str, Any]) -> None:
    rows, later = table(), table(300, 8)
    pipeline = fit("flag", columns=["numbers", "carrier"], params=params)
    plain = trained(rows, **params)
    assert "{" in "".join(plain.get_dump())  # a split on a set
    assert same_bits(scores(pipeline, later), plain.inplace_predict(numbers(later, "a", "b", "carrier")))
    assert pipeline.scorers["model"].note.startswith("native")
    check_alone(pipeline, later.slice(0, 60))


def test_through_a_bundle(tmp_path: Path) -> None:
    pipeline = fit("flag", columns=["numbers", "carrier"])
    pipeline.save(tmp_path / "bundle")
    again = engine.load(tmp_path / "bundle")
    assert again.version == pipeline.version
    assert same_bits(scores(again, table(50, 3)), scores(pipeline, table(50, 3)))


def test_unknown_and_missing_texts_are_missing() -> None:
    pipeline = fit("flag", columns=["carrier", "b"])
    row = {"b": 0.3, "carrier": None}
    features = np.array([[np.nan, 0.3]], np.float32)
    wanted = float(booster(pipeline).inplace_predict(features, validate_features=False)[0])
    for text in (None, "XX", ""):
        assert pipeline.predict_one({**row, "carrier": text})["score"] == wanted
    assert pipeline.predict_one({**row, "carrier": "UA"})["score"] != wanted


def test_a_text_of_the_valid_part_alone_is_missing() -> None:
    rows = table(400)
    carrier = rows["carrier"].to_pylist()
    carrier[350:] = ["new"] * 50
    rows = rows.set_column(2, "carrier", pa.array(carrier)).append_column("t", pa.array(np.arange(400.0)))
    pipeline = fit(
        "flag", rows, columns=["numbers", "carrier"], early_stopping=3, rounds=20,
        split={"kind": "time", "column": "t", "valid": 0.1, "test": 0.1},
    )  # fmt: skip
    assert pipeline.learned["model"]["categories"] == ((), (), CARRIERS)
    check_alone(pipeline, rows.slice(330, 40))


def test_only_those_that_are_named_go_in() -> None:
    every = fit("flag")
    assert every.learned["model"]["features"] == ("a", "b")
    assert fit("flag", columns=["*"]).learned["model"]["features"] == ("a", "b")
    named = fit("flag", columns=["numbers", "categories"])
    assert named.learned["model"]["features"] == ("a", "b", "carrier")
    with pytest.raises(ConfigError, match=r"'carr\*' matches carrier: category; categories must be named"):
        fit("flag", columns=["carr*"])
    with pytest.raises(UserError, match="no training row has a text for 'carrier': leave the column out"):
        rows = table()
        fit("flag", rows.set_column(2, "carrier", pa.nulls(500, pa.string())), columns=["carrier", "a"])


def test_texts_that_a_stage_makes() -> None:
    front = {
        "late": {"use": "expr", "value": "a > 0", "into": "late"},
        "said": {"use": "label", "columns": ["late"], "labels": ["no", "yes"], "into": "said"},
        "again": {"use": "ordinal", "columns": ["carrier"], "into": "place"},
    }
    pipeline = fit("flag", front=front, columns=["said", "carrier", "place"])
    assert pipeline.learned["model"]["categories"][:2] == (("no", "yes"), CARRIERS)
    rows = table(200, 4)
    late = (np.nan_to_num(numbers(rows, "a")[:, 0]) > 0).astype(np.float32)
    places = np.where(np.isnan(numbers(rows, "carrier")), np.nan, numbers(rows, "carrier"))
    features = np.column_stack([late, places, places]).astype(np.float32)
    wanted = booster(pipeline).inplace_predict(features, validate_features=False)
    assert same_bits(scores(pipeline, rows), wanted)
    check_alone(pipeline, rows.slice(0, 40))


# -- models from elsewhere


def saved(folder: Path, kind: str) -> tuple[str, xgboost.Booster]:
    """A model that XGBoost trained on a data frame, and so keeps texts (or numbers) of."""
    rows = table()
    values = rows["carrier"].to_pylist()
    names: list[Any] = [text.replace("ünï", "uni") for text in CARRIERS][::-1]
    if kind != "beyond ASCII":
        values = [text and text.replace("ünï", "uni") for text in values]
    else:
        names = list(CARRIERS)[::-1]
    if kind == "numbers":
        values = [None if v is None else 10 * (4 - names.index(v)) for v in values]
        names = [40, 10, 30, 0, 20]
    frame = pandas.DataFrame(
        {"carrier": pandas.Categorical(values, categories=names), "b": rows["b"].to_numpy()}
    )
    y = np.array(rows["flag"].to_pylist(), float)
    matrix = xgboost.DMatrix(frame, y, enable_categorical=True)
    made = xgboost.train({"objective": "binary:logistic", "max_cat_to_onehot": 1}, matrix, 4)
    path = folder / "model.ubj"
    made.save_model(path)
    return str(path), made


@pytest.mark.parametrize("kind", ["texts", "numbers"])
def test_a_model_that_keeps_its_categories(tmp_path: Path, kind: str) -> None:
    path, made = saved(tmp_path, kind)
    spec = config("flag", columns=["b", "carrier"], model=path, inputs={"b": "number", "carrier": "category"})
    del spec["stages"]["model"]["rounds"]
    pipeline = engine.build(engine.Config(spec))
    rows = table(200, 6)
    texts = [text and text.replace("ünï", "uni") for text in rows["carrier"].to_pylist()]
    names = ["uni", *CARRIERS[3::-1]]
    if kind == "numbers":
        texts = [None if text is None else str(10 * (4 - names.index(text))) for text in texts]
        names = ["40", "10", "30", "0", "20"]
    rows = rows.set_column(2, "carrier", pa.array(texts))
    codes = [np.nan if text is None else names.index(text) for text in texts]
    features = np.column_stack([codes, rows["b"].to_numpy()]).astype(np.float32)
    assert same_bits(scores(pipeline, rows), made.inplace_predict(features, validate_features=False))
    check_alone(pipeline, rows.slice(0, 30))


def test_texts_that_xgboost_keeps_wrongly(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, "beyond ASCII")
    spec = config("flag", columns=["b", "carrier"], model=path)
    del spec["stages"]["model"]["rounds"]
    with pytest.raises(ModelError, match="doesn't say which texts they stand for"):
        engine.build(engine.Config(spec))


def test_a_model_that_knows_codes_alone(tmp_path: Path) -> None:
    made = trained(table())
    path = tmp_path / "model.ubj"
    made.save_model(path)
    spec = config("flag", columns=["a", "b", "carrier"], model=str(path))
    del spec["stages"]["model"]["rounds"]
    with pytest.raises(ModelError, match="doesn't say which texts they stand for"):
        engine.build(engine.Config(spec))
    spec["stages"] = {
        "code": {"use": "ordinal", "columns": ["carrier"], "categories": list(CARRIERS), "unknown": "nan"},
        **spec["stages"],
    }
    pipeline = engine.build(engine.Config(spec))
    rows = table(200, 6)
    assert same_bits(scores(pipeline, rows), made.inplace_predict(numbers(rows, "a", "b", "carrier")))
    spec["stages"]["code"]["into"] = "code"
    spec["stages"]["model"]["columns"] = ["carrier", "b", "code"]
    with pytest.raises(ModelError, match="takes a number as 'carrier', which is a category here"):
        engine.build(engine.Config(spec))
