"""Fitted scikit-learn pipelines, converted: the same predictions, and what can't be converted is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from xgboost import XGBClassifier, XGBRegressor

import engine
from engine.convert_sklearn import ConversionError, Converted
from engine.demo import read_flights

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:sklearn", "ignore::FutureWarning")

NUMBERS = ["dep_delay", "distance", "temp", "wind_speed"]
TEXTS = ["carrier", "origin", "dest"]


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    table = read_flights()
    frame = table.take(np.arange(0, table.num_rows, 17)).to_pandas()
    frame = frame[frame["arr_delay"].notna()].reset_index(drop=True)
    frame["late"] = (frame["arr_delay"] >= 15).astype(int)
    rng = np.random.default_rng(0)
    for name in ("dep_delay", "carrier", "dest"):
        frame.loc[rng.random(len(frame)) < 0.05, name] = np.nan
    return frame


def small(**options: Any) -> XGBClassifier:
    return XGBClassifier(n_estimators=8, max_depth=4, n_jobs=1, **options)


def converted(fitted: Any, frame: pd.DataFrame, **options: Any) -> Converted:
    """Converted, and the interpreter's answers held against scikit-learn's once more."""
    found = engine.from_sklearn(fitted, sample=frame, **options)
    pipeline = engine.Pipeline(found.pipeline.plan, found.pipeline.learned, interpreted=True)
    scores = pipeline.predict_many(frame)
    if hasattr(fitted, "predict_proba"):
        expected = fitted.predict_proba(frame)
        expected = expected[:, 1:] if expected.shape[1] == 2 else expected
    else:
        expected = fitted.predict(frame)
    wrong = np.abs(scores.to_numpy() - expected.reshape(len(frame), -1)).max(axis=1) > 1e-5
    assert set(np.flatnonzero(wrong)) <= {one.row for one in found.differences}
    return found


def same_alone(found: Converted, fitted: Any, frame: pd.DataFrame, column: str = "score") -> None:
    """Single rows by the compiled program."""
    expected = fitted.predict_proba(frame)[:, 1]
    apart = {one.row for one in found.differences}
    for i, row in enumerate(frame.head(50).to_dict("records")):
        assert i in apart or found.pipeline.predict_one(row)[column] == pytest.approx(expected[i], abs=1e-6)


# -- each transformer alone


NUMERIC = {
    "mean": SimpleImputer(),
    "median": SimpleImputer(strategy="median", add_indicator=True),
    "most frequent": SimpleImputer(strategy="most_frequent"),
    "constant": SimpleImputer(strategy="constant", fill_value=-7),
    "indicator": MissingIndicator(),
    "indicator of all": MissingIndicator(features="all"),
    "standard": StandardScaler(),
    "centred": StandardScaler(with_std=False),
    "widths": StandardScaler(with_mean=False),
    "neither": StandardScaler(with_mean=False, with_std=False),
    "minmax": MinMaxScaler(),
    "minmax clipped": MinMaxScaler((-1, 2), clip=True),
    "robust": RobustScaler(),
    "robust by unit": RobustScaler(unit_variance=True, quantile_range=(10, 90)),
    "robust range": RobustScaler(quantile_range=(10, 90)),
    "robust widths": RobustScaler(with_centering=False),
    "maxabs": MaxAbsScaler(),
    "power": PowerTransformer(),
    "plain power": PowerTransformer(standardize=False),
    "quantiles": QuantileTransformer(n_quantiles=200),
    "normal": QuantileTransformer(n_quantiles=200, output_distribution="normal"),
    "identity": FunctionTransformer(),
}


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers(name: str, flights: pd.DataFrame) -> None:
    frame = flights.head(4000)
    fitted = make_pipeline(NUMERIC[name], small()).fit(frame[NUMBERS], frame["late"])
    found = converted(fitted, frame[NUMBERS])
    assert set(found.config["inputs"]) <= set(NUMBERS)


FULL = {
    "bins": KBinsDiscretizer(encode="ordinal", quantile_method="averaged_inverted_cdf"),
    "uniform": KBinsDiscretizer(encode="ordinal", strategy="uniform"),
    "kmeans": KBinsDiscretizer(encode="ordinal", strategy="kmeans"),
    "one-hot bins": KBinsDiscretizer(n_bins=[2, 3], quantile_method="averaged_inverted_cdf"),
    "dense bins": KBinsDiscretizer(encode="onehot-dense", quantile_method="averaged_inverted_cdf"),
    "log": FunctionTransformer(np.log1p),
    "box-cox": make_pipeline(FunctionTransformer(np.log1p), PowerTransformer(method="box-cox")),
    "united": FeatureUnion([("a", StandardScaler()), ("b", "passthrough"), ("c", MinMaxScaler())]),
}


@pytest.mark.parametrize("name", FULL)
def test_numbers_without_missing(name: str, flights: pd.DataFrame) -> None:
    frame = flights.head(4000)[["distance", "hour"]]
    fitted = make_pipeline(FULL[name], small()).fit(frame, flights["late"].head(4000))
    converted(fitted, frame)


ENCODERS = {
    "one-hot": OneHotEncoder(handle_unknown="ignore"),
    "dense": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    "drop": OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
    "rare": OneHotEncoder(min_frequency=100, handle_unknown="infrequent_if_exist", sparse_output=False),
    "rare, else zero": OneHotEncoder(min_frequency=100, handle_unknown="ignore", sparse_output=False),
    "share": OneHotEncoder(min_frequency=0.02, handle_unknown="infrequent_if_exist"),
    "most": OneHotEncoder(max_categories=4, handle_unknown="infrequent_if_exist", drop="first"),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal nan": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
    "ordinal missing": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "ordinal rare": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, max_categories=5, encoded_missing_value=-2
    ),
    "target": TargetEncoder(random_state=0),
    "target by number": TargetEncoder(smooth=10.0, cv=3, random_state=0),
}


@pytest.mark.parametrize("filled", ["as they are", "constant", "most frequent"])
@pytest.mark.parametrize("name", ENCODERS)
def test_texts(name: str, filled: str, flights: pd.DataFrame) -> None:
    frame = flights.head(4000)[TEXTS]
    imputers = {
        "as they are": "passthrough",
        "constant": SimpleImputer(strategy="constant", fill_value="none"),
        "most frequent": SimpleImputer(strategy="most_frequent"),
    }
    fitted = make_pipeline(imputers[filled], ENCODERS[name], small())
    fitted.fit(frame.head(3000), flights["late"].head(3000))
    other = frame.copy()
    other.loc[3500:3600, "carrier"] = "??"
    other.loc[3550:3800, "origin"] = np.nan  # never missing in training
    converted(fitted, other)


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=5, sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        TargetEncoder(random_state=0),
    ],
)
def test_numbers_as_categories(encoder: Any, flights: pd.DataFrame) -> None:
    frame = flights.head(4000)[["month", "hour", "wind_dir"]]
    fitted = make_pipeline(encoder, small()).fit(frame.head(3000), flights["late"].head(3000))
    other = frame.copy()
    other.loc[3500:3600, "month"] = 99
    converted(fitted, other)


def test_unknown_categories_are_rejected_where_scikit_learn_refuses(flights: pd.DataFrame) -> None:
    frame = flights.head(3000)[["dep_delay", "origin", "carrier"]].dropna()
    for encoder in (OneHotEncoder(drop="first"), OneHotEncoder(), OrdinalEncoder()):
        prepare = ColumnTransformer([("code", encoder, ["origin", "carrier"])], remainder="passthrough")
        fitted = make_pipeline(prepare, small()).fit(frame, flights["late"][frame.index])
        found = converted(fitted, frame)
        row = {"dep_delay": 3.0, "origin": "JFK", "carrier": "UA"}
        assert found.pipeline.predict_one(row)
        for value, code in (("??", "unknown"), (None, "missing")):
            with pytest.raises(engine.EngineError) as caught:
                found.pipeline.predict_one({**row, "carrier": value})
            assert caught.value.code == code  # type: ignore[attr-defined]


# -- composed


def composed(**options: Any) -> ColumnTransformer:
    number = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    text = Pipeline(
        [
            ("fill", SimpleImputer(strategy="constant", fill_value="missing")),
            ("code", OneHotEncoder(handle_unknown="ignore", min_frequency=50, sparse_output=False)),
        ]
    )
    parts = [
        ("num", number, ["dep_delay", "temp"]),
        ("text", text, ["carrier", "origin"]),
        ("target", TargetEncoder(random_state=0), ["dest", "carrier"]),
        ("log", FunctionTransformer(np.log1p), ["distance"]),
        ("bins", KBinsDiscretizer(3, encode="ordinal", strategy="uniform"), ["distance"]),
        ("again", make_pipeline(SimpleImputer(), "passthrough"), ["dep_delay"]),
        ("out", "drop", ["arr_delay"]),
    ]
    return ColumnTransformer(parts, **options)


COLUMNS = [
    "dep_delay",
    "temp",
    "carrier",
    "origin",
    "dest",
    "distance",
    "arr_delay",
    "wind_speed",
    "time_hour",
]


def test_a_whole_pipeline(flights: pd.DataFrame, tmp_path: Path) -> None:
    frame = flights[COLUMNS[:-1]]
    fitted = Pipeline([("preprocess", composed(remainder="passthrough")), ("model", small())])
    fitted.fit(frame, flights["late"])
    found = converted(fitted, frame)
    assert "arr_delay" not in found.config["inputs"]
    copies = [stage["into"] for label, stage in found.config["stages"].items() if label.endswith("_copy")]
    assert copies == ["num__dep_delay", "log__distance", "bins__distance", "again__dep_delay"]
    same_alone(found, fitted, frame)
    folder = found.pipeline.save(tmp_path / "bundle")
    loaded = engine.load(tmp_path / "bundle")
    assert folder.name == found.pipeline.version == loaded.version
    interpreted = engine.Pipeline(loaded.plan, loaded.learned, interpreted=True)
    own, *others = (p.predict_many(frame)["score"] for p in (found.pipeline, loaded, interpreted))
    assert all(own.to_numpy().tobytes() == other.to_numpy().tobytes() for other in others)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.config = {}  # type: ignore[misc]


def test_the_config_is_fitted_again(flights: pd.DataFrame, tmp_path: Path) -> None:
    import pyarrow as pa

    fitted = Pipeline([("preprocess", composed()), ("model", small())])
    fitted.fit(flights[COLUMNS], flights["late"])
    found = converted(fitted, flights[COLUMNS], inputs={"time_hour": "timestamp"}, name="flights")
    data = yaml.safe_load(yaml.safe_dump(dict(found.config), sort_keys=False))
    assert data == found.config
    data["target"] = {"value": "late == 1"}
    table = pa.Table.from_pandas(flights[[*COLUMNS, "late"]], preserve_index=False)
    again = engine.fit(engine.Config(data), table)
    assert again.fitted is not None
    assert again.fitted.metrics["auc"] > 0.85
    stage = next(label for label in data["stages"] if label.endswith("num_fill"))
    own = found.pipeline.learned[stage]["value"]
    assert np.allclose(again.learned[stage]["value"], own, atol=2)
    assert list(own) == list(fitted["preprocess"].named_transformers_["num"]["fill"].statistics_)


def test_several_classes_and_numbers(flights: pd.DataFrame) -> None:
    frame = flights.head(4000)[["dep_delay", "distance", "carrier"]]
    y = np.digitize(flights["arr_delay"].head(4000), [0, 30])
    code = ColumnTransformer([("code", TargetEncoder(random_state=0), ["carrier"])], remainder="passthrough")
    model = XGBClassifier(n_estimators=4, n_jobs=1)
    found = converted(make_pipeline(code, model).fit(frame, y), frame)
    assert list(found.pipeline.outputs) == ["score_0", "score_1", "score_2"]
    delay = flights["arr_delay"].head(4000)
    converted(make_pipeline(code, XGBRegressor(n_estimators=9, n_jobs=1)).fit(frame, delay), frame)
    quantiles = XGBRegressor(n_estimators=9, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9])
    converted(make_pipeline(code, quantiles).fit(frame, delay), frame)


def test_early_stopping_and_missing(flights: pd.DataFrame) -> None:
    frame = flights.head(3000)[["dep_delay", "distance"]].fillna(-999)
    model = XGBClassifier(n_estimators=200, max_depth=8, early_stopping_rounds=2, missing=-999, n_jobs=1)
    y = flights["late"].head(3000)
    fitted = Pipeline([("nothing", "passthrough"), ("model", model)])
    fitted.fit(frame, y, model__eval_set=[(frame[2000:], 1 - y[2000:])], model__verbose=False)
    found = converted(fitted, frame)
    assert model.best_iteration + 1 < 200
    assert found.config["stages"]["model_missing"] == {
        "use": "null_if",
        "columns": ["dep_delay", "distance"],
        "value": -999.0,
    }


def test_columns_by_every_selector_and_frames_out(flights: pd.DataFrame) -> None:
    frame = flights.head(3000)[["dep_delay", "distance", "carrier", "temp", "origin"]]
    for columns in ([0, 1], slice(0, 2), [True, True, False, False, False], ["dep_delay", "distance"]):
        scale = ColumnTransformer([("scale", StandardScaler(), columns)], remainder="drop")
        converted(make_pipeline(scale, small()).fit(frame, flights["late"].head(3000)), frame)
    by_dtype = ColumnTransformer(
        [
            ("code", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "origin"]),
            ("num", "passthrough", make_column_selector(dtype_include="number")),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    converted(make_pipeline(by_dtype, small()).fit(frame, flights["late"].head(3000)), frame)


def test_arrays_and_arrow_tables(flights: pd.DataFrame) -> None:
    import pyarrow as pa

    frame = flights.head(3000)[["dep_delay", "distance", "temp"]]
    fitted = make_pipeline(SimpleImputer(), small()).fit(frame.to_numpy(), flights["late"].head(3000))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    found = engine.from_sklearn(fitted, sample=table)
    assert dict(found.pipeline.inputs) == {"dep_delay": "number", "distance": "number", "temp": "number"}


def test_random_pipelines() -> None:
    rng = np.random.default_rng(3)
    numbers, texts = list(NUMERIC.values()), list(ENCODERS.values())
    for trial in range(12):
        n = 400
        frame = pd.DataFrame(
            {f"x{i}": np.where(rng.random(n) < 0.1, np.nan, rng.normal(0, 10**i, n)) for i in range(4)}
            | {f"c {i}": rng.choice(["a", "it's", "ü", "", None], n) for i in range(3)}
        )
        parts: list[tuple[str, Any, list[str]]] = []
        for i in range(5):
            some = [f"x{j}" for j in rng.choice(4, 2, replace=False)]
            parts.append((f"n{i}", numbers[rng.integers(len(numbers))], some))
            some = [f"c {j}" for j in rng.choice(3, 2, replace=False)]
            parts.append((f"t{i}", texts[rng.integers(len(texts))], some))
        prepare = ColumnTransformer(parts, sparse_threshold=float(rng.random() < 0.5))
        y = (frame["x0"].fillna(0) + rng.normal(size=n) > 0).astype(int)
        fitted = make_pipeline(prepare, small(random_state=trial)).fit(frame, y)
        converted(fitted, frame)


def test_odd_texts_and_many_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    texts = ["a?", "[b]", "x*", "a,b", "a\nb", "`", "'q'", '"', "numbers", "a b", None]
    frame = pd.DataFrame({"w w": rng.choice(texts, 600), "n": rng.integers(0, 150, 600), "b": True})
    frame.loc[::3, "b"] = False
    encoders = FeatureUnion(
        [
            ("a", OneHotEncoder(handle_unknown="ignore")),
            ("b", OneHotEncoder(max_categories=4, handle_unknown="infrequent_if_exist")),
            ("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
            ("d", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=4)),
        ]
    )
    fitted = make_pipeline(encoders, small()).fit(frame, rng.integers(0, 2, 600))
    found = converted(fitted, frame)
    found.pipeline.save(tmp_path / "odd")
    same_alone(found, fitted, frame)
    assert engine.load(tmp_path / "odd").version == found.pipeline.version


SIZES = [["S", "M", "L", "XL"], ["q", "p"]]


@pytest.mark.parametrize(
    "prepare",
    [
        OneHotEncoder(categories=SIZES, handle_unknown="ignore"),
        OrdinalEncoder(categories=SIZES),
        OneHotEncoder(drop="if_binary"),
        FeatureUnion([("a", OrdinalEncoder()), ("b", OneHotEncoder(drop="first"))]),
        FeatureUnion(
            [("a", TargetEncoder(random_state=0)), ("b", TargetEncoder(smooth=2.0, random_state=0))]
        ),
        make_pipeline(
            SimpleImputer(strategy="constant", fill_value="none", add_indicator=True),
            ColumnTransformer([("code", OneHotEncoder(), [0, 1])], remainder="passthrough"),
        ),
    ],
)
def test_given_categories_and_encoders_side_by_side(prepare: Any) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"size": rng.choice(["S", "M", "L"], 500), "side": rng.choice(["p", "q"], 500)})
    if isinstance(prepare, Pipeline):
        frame.loc[::7, "size"] = np.nan
    fitted = make_pipeline(prepare, small()).fit(frame, rng.integers(0, 3, 500) % 2)
    converted(fitted, frame)


def test_a_missing_category_is_no_text_called_nan() -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"c": rng.choice(["a", "b", None], 500)})
    fitted = make_pipeline(OneHotEncoder(handle_unknown="ignore"), small()).fit(frame, frame["c"].isna())
    found = converted(fitted, frame)
    for value in (None, "nan", "a"):
        expected = fitted.predict_proba(pd.DataFrame({"c": [value, "a"]}).astype("str"))[0, 1]
        assert found.pipeline.predict_one({"c": value})["score"] == pytest.approx(expected, abs=1e-6)


def test_transformers_within_transformers(flights: pd.DataFrame) -> None:
    frame = flights.head(2000)[["dep_delay", "distance", "temp", "carrier", "time_hour"]]
    inner = ColumnTransformer([("scale", StandardScaler(), ["distance"])], remainder=RobustScaler())
    code = Pipeline([("fill", SimpleImputer(strategy="most_frequent")), ("code", OneHotEncoder())])
    outer = ColumnTransformer(
        [("num", inner, ["distance", "dep_delay", "temp"]), ("text", code, make_column_selector("carrier"))]
    )
    found = converted(make_pipeline(outer, small()).fit(frame, flights["late"].head(2000)), frame)
    assert "time_hour" not in found.config["inputs"]


def test_none_and_nan_side_by_side_are_refused() -> None:
    column = np.array(["a", "b", None, np.nan] * 50, dtype=object)
    frame = pd.DataFrame({"c": pd.Series(column, dtype=object)})
    for prepare in (
        make_pipeline(OneHotEncoder()),
        make_pipeline(SimpleImputer(strategy="constant", fill_value="a"), OneHotEncoder()),
    ):
        fitted = make_pipeline(*[step for _, step in prepare.steps], small()).fit(frame, [0, 1] * 100)
        assert "None" in refused(fitted, frame)


def test_classes_by_softmax() -> None:
    rng = np.random.default_rng(2)
    frame, y = pd.DataFrame({"x": rng.normal(size=300)}), rng.integers(0, 3, 300)
    model = XGBClassifier(n_estimators=3, objective="multi:softmax", n_jobs=1)
    found = converted(make_pipeline(SimpleImputer(), model).fit(frame, y), frame)
    assert found.config["stages"]["xgbclassifier"]["objective"] == "multi:softprob"


def test_rows_at_a_split_are_listed_and_many_are_an_error() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x": rng.normal(size=4000), "z": rng.normal(size=4000)})
    model = XGBClassifier(n_estimators=1, max_depth=1, n_jobs=1)
    same = FunctionTransformer()
    fitted = make_pipeline(same, model).fit(frame, frame["x"] > 0)
    (cut,) = model.get_booster().trees_to_dataframe()["Split"].dropna().to_numpy(np.float32)
    frame.loc[:99, "x"] = float(cut)  # a value at the split goes right, the one below it left

    def one_ulp_less(rows: int) -> Any:
        def transform(x: pd.DataFrame) -> pd.DataFrame:
            found = x.copy()
            found.loc[: rows - 1, "x"] = float(np.nextafter(cut, np.float32(-np.inf)))
            return found

        return transform

    same.transform = one_ulp_less(2)  # type: ignore[method-assign]
    found = engine.from_sklearn(fitted, sample=frame)
    assert [(one.row, one.feature) for one in found.differences] == [(0, "x"), (1, "x")]
    assert found.differences[0].expected < (0.5,) < found.differences[0].found
    same.transform = one_ulp_less(90)  # type: ignore[method-assign]
    assert "predictions differ in 90 of 4,000 rows, because 'x'" in refused(fitted, frame)


# -- what can't be converted


def refused(fitted: Any, frame: pd.DataFrame, **options: Any) -> str:
    with pytest.raises(ConversionError) as caught:
        engine.from_sklearn(fitted, sample=frame, **options)
    return str(caught.value)


def test_all_that_cant_be_converted_is_listed(flights: pd.DataFrame) -> None:
    frame = flights.head(500)[["dep_delay", "temp", "distance", "carrier"]]
    parts = [
        ("fill", make_pipeline(KNNImputer(), PCA(1)), ["dep_delay", "temp"]),
        ("root", FunctionTransformer(np.sqrt), ["distance"]),
        ("code", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
    ]
    fitted = Pipeline([("pre", ColumnTransformer(parts)), ("model", LogisticRegression())])
    fitted.fit(frame, flights["late"].head(500))
    text = refused(fitted, frame)
    for expected in (
        "4 things can't be converted",
        "pre.fill.knnimputer: a sklearn.impute._knn.KNNImputer can't be converted",
        "pre.fill.pca: ",
        "pre.root: FunctionTransformer of sqrt",
        "model: the last step is sklearn.linear_model._logistic.LogisticRegression",
    ):
        assert expected in text


def test_what_was_not_fitted(flights: pd.DataFrame) -> None:
    text = refused(make_pipeline(StandardScaler(), small()), flights[NUMBERS])
    assert "standardscaler: this StandardScaler isn't fitted" in text
    assert "xgbclassifier: this XGBClassifier isn't fitted" in text
    text = refused(Pipeline([("pre", composed()), ("model", small())]), flights[COLUMNS])
    assert "pre: this ColumnTransformer isn't fitted" in text


def test_wrong_inputs(flights: pd.DataFrame) -> None:
    frame = flights.head(500)[NUMBERS]
    fitted = make_pipeline(StandardScaler(), small()).fit(frame, flights["late"].head(500))
    text = refused(fitted, frame, inputs={"dep_dely": "number", "temp": "float"})
    assert "inputs names 'dep_dely', which the pipeline wasn't fitted on. Did you mean 'dep_delay'?" in text
    assert "inputs['temp'] is 'float'; a kind is one of: number" in text
    assert "'temp' is a category, and this step takes numbers" in refused(
        fitted, frame, inputs={"temp": "category"}
    )
    assert "the sample lacks columns that it was fitted on: temp" in refused(
        fitted, frame.drop(columns="temp")
    )
    for wrong in ({"fitted": StandardScaler(), "sample": frame}, {"fitted": fitted, "sample": [1]}):
        with pytest.raises(TypeError):
            engine.from_sklearn(wrong.pop("fitted"), **wrong)
    with pytest.raises(ValueError, match="no rows"):
        engine.from_sklearn(fitted, sample=frame.head(0))


def test_numbers_that_differ_are_an_error(flights: pd.DataFrame) -> None:
    frame = flights.head(500)[NUMBERS]
    fitted = make_pipeline(StandardScaler(), small()).fit(frame, flights["late"].head(500))

    class Shifted(StandardScaler):
        pass

    text = refused(make_pipeline(Shifted().fit(frame), fitted[-1]), frame)
    assert "Shifted can't be converted" in text
    fitted[0].transform = lambda X: X * 0  # type: ignore[method-assign]  # noqa: N803
    assert "the feature 'dep_delay' differs in" in refused(fitted, frame)


def test_texts_and_categories_that_reach_the_model(flights: pd.DataFrame) -> None:
    frame = flights.head(500)[["dep_delay", "carrier"]].astype({"carrier": "category"})
    model = small(enable_categorical=True)
    fitted = Pipeline([("nothing", "passthrough"), ("model", model)]).fit(frame, flights["late"].head(500))
    assert "enable_categorical" in refused(fitted, frame)
