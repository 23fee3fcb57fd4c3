"""Stages that decide on scores: bands, label, rank, top_k, and expr behind a model."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
import scipy.stats
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine
from engine.config.config import Config
from engine.errors import ConfigError
from engine.pipeline import Pipeline
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.testing import run_stage
from tests.random_pipelines import training_table
from tests.test_parity import exact

Table = dict[str, list[Any]]


def built(stages: dict[str, Any], **more: Any) -> Pipeline:
    inputs = {"x": "number", "y": "number", "g": "category"}
    return engine.build(Config({"name": "p", "inputs": inputs, "stages": stages, **more}))


# -- bands


def test_bands_of_flights(flights: Table) -> None:
    edges, names = [-5.0, 0.0, 15.0, 60.0], ["early", "on time", "late", "very late", "lost"]
    found = run_stage("bands", flights, columns=["dep_delay"], into="how", edges=edges, names=names)
    assert found["how"] == [
        None if delay is None else names[np.searchsorted(edges, delay, side="right")]
        for delay in flights["dep_delay"]
    ]
    assert {*names, None} == set(found["how"])


def test_a_score_is_banded_as_the_float64_that_it_widens_to() -> None:
    # 0.2 as a float32 is above 0.2, and 0.7 as one below it
    config = fitted_config({"band": {"use": "bands", "columns": ["score"], "edges": [0.2, 0.7],
                                     "names": ["low", "middle", "high"]}})  # fmt: skip
    pipeline = engine.fit(config, labelled())
    found = pipeline.predict_many(labelled())
    scores = found["score"].to_numpy().astype(np.float64)
    assert found["band"].to_pylist() == [
        ["low", "middle", "high"][int(s >= 0.2) + int(s >= 0.7)] for s in scores
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": [0.6, 0.2], "names": ["a", "b", "c"]}, "edges must ascend: 0.6, 0.2"),
        ({"edges": [0.2, 0.2], "names": ["a", "b", "c"]}, "edges must ascend"),
        ({"edges": [0.2, "inf"], "names": ["a", "b", "c"]}, "edges must be finite: 0.2, inf"),
        ({"edges": [0.2, 0.6], "names": ["a", "b"]}, "names has 2 texts; 2 edges part 3 bands"),
        ({"edges": [], "names": ["a"]}, "edges is empty"),
        ({"edges": [1], "names": ["a", "b"], "columns": ["x", "y"]}, "bands takes one column, not 2: x, y"),
    ],
)
def test_mistakes_of_bands(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built({"band": {"use": "bands", "columns": ["x"], **options}})


# -- label


@settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(
        st.lists(st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0])), min_size=3, max_size=3),
        max_size=9,
    )
)
def test_the_greatest_score_names_the_class(scores: list[list[float]]) -> None:
    columns = np.array(scores).reshape(-1, 3)
    data = {f"score_{name}": columns[:, i].tolist() for i, name in enumerate("abc")}
    found = run_stage("label", data, into="best")["best"]
    expected = [None if np.isnan(row).any() else "abc"[int(np.argmax(row))] for row in columns]
    assert found == expected
    stated = run_stage("label", data, into="best", labels=["x", "y", "x"])["best"]
    assert stated == [None if text is None else {"a": "x", "b": "y", "c": "x"}[text] for text in expected]


def test_label_of_a_model_of_classes(flights: Table) -> None:
    """The label is the class of the greatest score, as XGBoost's own argmax has it; trained on real rows."""
    names = ("dep_delay", "distance", "air_time", "origin")
    rows = pa.table({name: flights[name] for name in names})
    stages: dict[str, Any] = {
        "model": {"use": "xgboost", "columns": ["dep_delay", "distance", "air_time"], "rounds": 3},
        "best": {"use": "label", "columns": ["score_*"]},
        "sure": {"use": "expr", "value": "max(score_EWR, score_JFK, score_LGA) >= 0.5"},
    }
    inputs = {"dep_delay": "number", "distance": "number", "air_time": "number"}
    config = {"name": "p", "inputs": inputs, "target": {"column": "origin"}, "stages": stages}
    pipeline = engine.fit(Config(config), rows)
    assert dict(pipeline.outputs)["best"] == "string"
    found = pipeline.predict_many(rows)
    scores = np.stack([found[f"score_{name}"].to_numpy() for name in ("EWR", "JFK", "LGA")], axis=1)
    assert found["best"].to_pylist() == [("EWR", "JFK", "LGA")[i] for i in scores.argmax(axis=1)]
    assert found["sure"].to_pylist() == (scores.max(axis=1) >= 0.5).tolist()
    right = np.array(found["best"].to_pylist()) == np.array(flights["origin"])
    assert right.mean() > 0.45
    row = rows.slice(77, 1).to_pylist()[0]
    assert pipeline.predict_one(row) == found.slice(77, 1).to_pylist()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["x"]}, "labels is missing: one column, 'x', has no texts of its own"),
        (
            {"columns": ["x", "y"]},
            "name begins with prefix, 'score_'.*'x', 'y' doesn't: state prefix, or labels",
        ),
        ({"columns": ["x", "y"], "labels": ["a"]}, "labels has 1 texts for 2 columns: x, y"),
        ({"columns": ["x"], "labels": []}, "labels is empty"),
    ],
)
def test_mistakes_of_label(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built({"said": {"use": "label", **options}})


# -- rank, top_k


def by_hand(values: list[float | None], groups: list[Any], highest: bool) -> list[int]:
    """Ranks as scipy gives them, group by group."""
    found: list[int] = []
    for _, run in itertools.groupby(range(len(values)), key=lambda i: groups[i]):
        here = [values[i] for i in run]
        worst = -np.inf if highest else np.inf
        keys = [(0, v) if v is not None and v == v else (1, worst) for v in here]
        order = sorted(keys, key=lambda key: (key[0], -key[1] if highest else key[1]))
        dense = {key: i for i, key in enumerate(dict.fromkeys(order))}
        found += scipy.stats.rankdata([dense[key] for key in keys], method="ordinal").tolist()
    return found


@pytest.mark.parametrize("first", ["highest", "lowest"])
def test_ranks_of_flights(flights: Table, first: str) -> None:
    """Delays are whole minutes, so that ties are many; some are missing."""
    order = sorted(range(4000), key=lambda i: flights["dest"][i])
    data: Table = {name: [flights[name][i] for i in order] for name in ("dep_delay", "dest")}
    options: dict[str, Any] = {"columns": ["dep_delay"], "by": "dest", "first": first}
    found = run_stage("rank", data, into="place", **options)["place"]
    expected = by_hand(data["dep_delay"], data["dest"], first == "highest")
    assert found == expected and all(type(place) is int for place in found)
    flags = run_stage("top_k", data, into="top", k=5, **options)["top"]
    assert flags == [
        place <= 5 and delay is not None for place, delay in zip(expected, data["dep_delay"], strict=True)
    ]


RANKED: dict[str, Any] = {
    "late": {"use": "expr", "value": "x - y"},
    "place": {"use": "rank", "columns": ["late"], "by": "g"},
    "low": {"use": "rank", "columns": ["x"], "by": "g", "first": "lowest"},
    "shown": {"use": "top_k", "columns": ["late"], "by": "g", "k": 2},
    "half": {"use": "expr", "value": "place / 2"},
}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), sizes=st.lists(st.integers(1, 6), max_size=6))
def test_groups_alone_together_and_interpreted(data: st.DataObject, sizes: list[int]) -> None:
    pipeline = RANKING
    rows = sum(sizes)
    values = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1.0, float("inf")]))
    columns = {name: data.draw(st.lists(values, min_size=rows, max_size=rows)) for name in "xy"}
    keys = [None if i == 1 else f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    table = pa.table(
        {name: pa.array(found, pa.float64()) for name, found in columns.items()}
        | {"g": pa.array(keys, pa.string())}
    )
    whole = pipeline.predict_many(table)
    assert whole.schema.field("place").type == pa.int64()
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    assert same(whole, oracle.predict_many(table))
    assert same(whole, pipeline.predict_many(table, threads=3))
    starts = [0, *itertools.accumulate(sizes)]
    for start, stop in itertools.pairwise(starts):
        alone = pipeline.predict_many(table.slice(start, stop - start))
        assert same(alone, whole.slice(start, stop - start))
    assert whole["low"].to_pylist() == by_hand(columns["x"], keys, highest=False)
    assert whole["place"].to_pylist() == by_hand(whole["late"].to_pylist(), keys, highest=True)
    late = whole["late"].to_numpy()
    assert whole["shown"].to_pylist() == [
        place <= 2 and value == value for place, value in zip(whole["place"].to_pylist(), late, strict=True)
    ]


RANKING = built(RANKED, keep=[])


def same(first: pa.Table, second: pa.Table) -> bool:
    return exact_columns(first) == exact_columns(second)


def exact_columns(table: pa.Table) -> list[list[Any]]:
    return [[exact(value) for value in column.to_pylist()] for column in table.columns]


def test_one_row_is_first_and_whole_numbers_are_whole() -> None:
    found = RANKING.predict_one({"x": 3, "y": 1, "g": "a"})
    assert found["place"] == 1 and type(found["place"]) is int
    assert found["half"] == 0.5 and found["shown"] is True
    assert RANKING.predict_one({})["place"] == 1
    assert RANKING.outputs["place"] == "int64" and RANKING.outputs["half"] == "float64"


def test_a_rank_goes_through_rename_select_and_a_bundle(tmp_path: Any) -> None:
    stages = RANKED | {
        "name": {"use": "rename", "names": {"place": "position"}},
        "some": {"use": "select", "columns": ["position", "shown"]},
    }
    pipeline = built(stages, outputs=["position", "shown"])
    loaded = engine.load(pipeline.save(tmp_path / "bundle"))
    rows = pa.table({"x": [1.0, 2.0], "y": [0.0, 0.0], "g": ["a", "a"]})
    assert loaded.predict_many(rows).to_pydict() == {"position": [2, 1], "shown": [True, True]}
    assert loaded.predict_many(rows).schema.field("position").type == pa.int64()


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_batch_ranks_whole_groups(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat([f"g{i}" for i in range(40)], rng.integers(1, 9, 40))
    table = pa.table({"x": rng.normal(size=len(groups)), "y": rng.normal(size=len(groups)), "g": groups})
    pq.write_table(table, tmp_path / "rows.parquet")
    path = tmp_path / f"out.{suffix}"
    source = open_source({"path": str(tmp_path / "rows.parquet")})
    run_batch(RANKING, source, open_sink({"path": str(path)}), batch_rows=16)
    expected = RANKING.predict_many(table)
    if suffix == "parquet":
        assert same(pq.read_table(path), expected) and pq.read_schema(path).field("place").type == pa.int64()
    else:
        assert pc.read_csv(path)["place"].equals(expected["place"])
        assert path.read_text().splitlines()[1].split(",")[1].isdigit()


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"use": "rank", "columns": ["x", "y"]}, "rank takes one column, not 2: x, y"),
        ({"use": "rank", "columns": ["x"], "first": "best"}, "first.*highest"),
        ({"use": "top_k", "columns": ["x"]}, "'k'"),
        ({"use": "top_k", "columns": ["x"], "k": 0}, "'k' of 'top_k' must be at least 1, not 0"),
        ({"use": "top_k", "columns": ["x"], "k": 1, "by": "h"}, "there is no input 'h'"),
    ],
)
def test_mistakes_of_groups(stage: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built({"it": stage})


# -- behind a model


def fitted_config(stages: dict[str, Any], **more: Any) -> Config:
    model = {"use": "xgboost", "columns": ["a", "b"], "rounds": 5, "params": {"max_depth": 3}}
    return Config(
        {
            "name": "p",
            "inputs": {"a": "number", "b": "number", "k": "category"},
            "target": {"value": "y > 0"},
            "stages": {"model": model, **stages},
            **more,
        }
    )


def labelled() -> pa.Table:
    return training_table(3, 500)


def test_expr_on_scores() -> None:
    """A model's score in an expression, alone and with inputs, in the output and decided on."""
    stages: dict[str, Any] = {
        "gain": {"use": "expr", "value": "score * 100 - where(isnan(a), 0, a)"},
        "odds": {"use": "expr", "value": "log(score / (1 - score))"},
        "go": {"use": "expr", "value": "gain > 20 and k != 'red'"},
    }
    pipeline = engine.fit(fitted_config(stages), labelled())
    rows = labelled()
    found = pipeline.predict_many(rows)
    assert found.schema.names == ["score", "gain", "odds", "go"]
    score = found["score"].to_numpy().astype(np.float64)
    a = rows["a"].to_numpy()
    gain = score * 100 - np.where(np.isnan(a), 0, a)
    np.testing.assert_array_equal(found["gain"].to_numpy(), gain)
    np.testing.assert_allclose(found["odds"].to_numpy(), np.log(score / (1 - score)), rtol=1e-13)
    reds = np.array([k == "red" for k in rows["k"].to_pylist()])
    assert found["go"].to_pylist() == ((gain > 20) & ~reds).tolist()
    for i in range(20):
        one = pipeline.predict_one(rows.slice(i, 1).to_pylist()[0])
        assert one == found.slice(i, 1).to_pylist()[0]
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    assert same(found, oracle.predict_many(rows))
