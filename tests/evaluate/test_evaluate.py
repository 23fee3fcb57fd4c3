"""Evaluations: of each task, by segment, weighted, and read in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as oracle

import engine
from engine.config.config import Config
from engine.errors import ConfigError, DataError
from engine.evaluate import Evaluation, evaluate
from engine.pipeline import Pipeline
from engine.training.metrics import METRICS, OF_FIT
from tests.evaluate.made import TARGETS, pipeline, table


def same(first: Any, second: Any) -> bool:
    return repr(dict(first)) == repr(dict(second))  # NaN equals itself


@pytest.mark.parametrize("task", TARGETS)
def test_of_each_task(task: str) -> None:
    fitted = pipeline(task)
    found = evaluate(fitted, table(), part="test")
    assert found.task.kind == task
    assert list(dict.fromkeys(name.split("_score")[0] for name in found.metrics)) == list(METRICS[task])
    assert not np.isnan([value for name, value in found.metrics.items() if name != "mape"]).any()
    assert set(found.better) == set(found.metrics)
    # fit said the same by the same names
    assert fitted.fitted is not None
    said = dict(fitted.fitted.metrics)
    assert list(dict.fromkeys(name.split("_score")[0] for name in said)) == list(OF_FIT[task])
    assert same({name: found.metrics[name] for name in said}, said)


def test_what_follows_from_the_model_itself() -> None:
    assert evaluate(pipeline("quantiles"), table()).task.alphas == pytest.approx((0.123456789, 0.125, 0.9))
    tweedie = evaluate(pipeline("tweedie"), table())
    assert tweedie.task.power == 1.25
    scores = pipeline("tweedie").predict_many(table())["score"].to_numpy().astype(float)
    deviance = oracle.mean_tweedie_deviance(table()["count"].to_numpy(), scores, power=1.25)
    assert tweedie.metrics["tweedie_deviance"] == pytest.approx(deviance)


def test_weights() -> None:
    found = evaluate(pipeline("binary", "w"), table(), by=["three"])
    scores = pipeline("binary", "w").predict_many(table())["score"].to_numpy()
    y, w = table()["x"].to_numpy() > 0, table()["w"].to_numpy().astype(float)
    assert found.metrics["auc"] == pytest.approx(oracle.roc_auc_score(y, scores, sample_weight=w))
    for segment in found.segments:
        own = table()["three"].to_numpy() == int(segment.values["three"] or -1)
        assert segment.rows == own.sum()
        wanted = oracle.log_loss(y[own], scores[own].astype(float), sample_weight=w[own])
        assert segment.metrics["log_loss"] == pytest.approx(wanted)
    assert found.metrics != evaluate(pipeline("binary"), table()).metrics
    fitted = pipeline("binary", "w").fitted
    assert fitted is not None
    part = evaluate(pipeline("binary", "w"), table(), part="test")
    assert {name: part.metrics[name] for name in fitted.metrics} == fitted.metrics
    gone = table().set_column(table().schema.names.index("w"), "w", pa.array([-1.0] * 400))
    with pytest.raises(DataError, match="weight: 'w' has missing, infinite or negative values"):
        evaluate(pipeline("binary", "w"), gone)


def test_segments_and_the_rest() -> None:
    rng = np.random.default_rng(0)
    rows = table().append_column("many", pa.array([f"s{i}" for i in rng.integers(0, 60, 400)]))
    rows = rows.append_column("only", pa.array(np.where(rows["x"].to_numpy() > 0, "pos", "neg")))
    found = evaluate(pipeline("binary"), rows, by=["many", "many"])
    assert len(found.segments) == 30 and found.others == 31
    assert [bool(segment.values) for segment in found.segments] == [True] * 29 + [False]
    assert sum(segment.rows for segment in found.segments) == 400
    # a segment with one class has the metrics that it defines
    apart = evaluate(pipeline("binary"), rows, by=["only"])
    for segment in apart.segments:
        assert np.isnan(segment.metrics["auc"]) and not np.isnan(segment.metrics["log_loss"])
        assert not segment.small
    one = evaluate(pipeline("binary"), rows, by=["only", "three"])
    assert one.segments[0].values.keys() == {"only", "three"} and one.segments[-1].small


class Batches:
    """The inputs of a table, some rows at a time."""

    def __init__(self, rows: pa.Table, size: int) -> None:
        self.rows, self.size, self.most, self.columns = rows, size, 0, ()

    def __call__(self, columns: Sequence[str], whole: bool) -> Iterator[pa.RecordBatch]:
        self.columns = tuple(columns)
        yield from [self.rows] if whole else self.rows.select(columns).to_batches(self.size)


def without_scores(found: Evaluation) -> list[str]:
    """Everything but the arrays, as text: NaN is equal to NaN then."""
    return [repr(getattr(found, item.name)) for item in fields(found) if item.name != "scored"]


@pytest.mark.parametrize("size", [1, 7, 399, 400, 1000])
def test_read_in_batches(size: int) -> None:
    rows = table()
    rows = rows.set_column(2, "x", pa.array(rows["x"].to_numpy(), mask=np.arange(400) % 5 == 1))
    whole = evaluate(pipeline("binary"), rows, by=["three"])
    inputs = Batches(rows, size)
    found = evaluate(pipeline("binary"), rows.select(["x", "three"]), by=["three"], inputs=inputs)
    assert without_scores(found) == without_scores(whole)
    assert np.array_equal(found.scored.scores, whole.scored.scores)
    assert set(inputs.columns) <= {"a", "b"}
    assert (found.rows, found.unlabelled) == (320, 80)


def test_rows_that_are_refused_in_batches() -> None:
    config = {
        "name": "p",
        "inputs": {"a": {"kind": "number", "missing": "reject"}, "b": "number"},
        "target": {"value": "x > 0"},
        "stages": {"model": {"use": "xgboost", "rounds": 2, "params": {"nthread": 1}}},
    }
    fitted = engine.fit(Config(config), table())
    rows = table().set_column(0, "a", pa.array(np.arange(400.0), mask=np.arange(400) % 4 == 0))
    found = evaluate(fitted, rows, by=["three"], inputs=Batches(rows, 11))
    whole = evaluate(fitted, rows, by=["three"])
    assert without_scores(found) == without_scores(whole)
    assert (found.rows, found.rejected) == (300, 100) == (whole.rows, whole.rejected)
    assert sum(segment.rows for segment in found.segments) == 300
    with pytest.raises(DataError, match="it has 200 rows now, fewer than when its targets were read"):
        evaluate(fitted, rows, inputs=Batches(rows.slice(0, 200), 11))
    empty = rows.set_column(0, "a", pa.nulls(400, pa.float64()))
    with pytest.raises(DataError, match="each of its 400 labelled rows is rejected; the first: a: "):
        evaluate(fitted, empty, inputs=Batches(empty, 11))
    strict = Config({**config, "inputs": {"a": {"kind": "number", "missing": "fail"}, "b": "number"}})
    with pytest.raises(DataError, match="the labelled table, row 3: a: "):
        evaluate(engine.fit(strict, table()), rows.slice(1), inputs=Batches(rows.slice(1), 3))


def test_a_score_that_is_no_number() -> None:
    """Of a model that overflows: what such a row belongs to has no metrics; the rest has."""
    fitted = pipeline("number")
    rows = table().append_column("worst", pa.array([True] + [False] * 399))
    broken = Pipeline(fitted.plan, fitted.learned)

    class Overflowing:
        def __init__(self, scoring: Pipeline) -> None:
            self.scoring, self.reads, self.groups = scoring, scoring.reads, ()

        def score_batch(self, batch: Any, text: bool) -> Any:
            found, bad = self.scoring.score_batch(batch, text=text)
            scores = found.column(0).to_numpy().copy()
            scores[0] = np.inf
            return pa.record_batch({"score": scores}), bad

        def check_schema(self, *given: Any, **more: Any) -> None: ...

    broken.scoring = lambda: Overflowing(fitted.scoring())  # type: ignore[method-assign,assignment,return-value]
    found = evaluate(broken, rows, by=["worst"])
    assert found.not_finite == 1
    assert np.isnan(list(found.metrics.values())).all()
    assert [np.isnan(segment.metrics["mae"]) for segment in found.segments] == [False, True]


# -- which metrics


def values(found: Evaluation) -> list[str]:
    return list(found.metrics)


def test_metrics_that_are_chosen() -> None:
    fitted = pipeline("binary")
    assert values(evaluate(fitted, table(), metrics=["brier", "auc", "brier"])) == ["brier", "auc"]
    chosen = values(evaluate(fitted, table(), metrics=["f1", "default"]))
    assert chosen == list(dict.fromkeys(["f1", *METRICS["binary"]]))
    with pytest.raises(ConfigError) as caught:
        evaluate(pipeline("binary"), table(), metrics=["acu", "rmse", "auc"])
    ours = f"\n  those of this model: default, {', '.join(METRICS['binary'])}"
    assert str(caught.value) == (
        f"2 mistakes in the config:\n\nmetrics: no metric is called 'acu'. Did you mean 'auc'?{ours}\n\n"
        f"metrics: 'rmse' is of number, counts, gamma, tweedie; the scores of this model are of binary{ours}"
    )


def test_the_threshold_is_the_pipelines_own() -> None:
    stages = {
        "early": {"use": "threshold", "columns": ["a"], "at": 9.0, "into": "early"},
        "model": {"use": "xgboost", "columns": ["a", "b"], "rounds": 2, "params": {"nthread": 1}},
        "late": {"use": "threshold", "columns": ["score"], "at": 0.45, "into": "late"},
    }
    inputs = {"a": "number", "b": "number"}
    config = {"name": "p", "inputs": inputs, "target": {"value": "x > 0"}, "stages": stages}
    fitted = engine.fit(Config(config), table())
    found = evaluate(fitted, table())
    assert found.task.threshold == 0.45
    decided = fitted.predict_many(table())["late"].to_numpy(zero_copy_only=False)
    y = table()["x"].to_numpy() > 0
    assert found.metrics["precision"] == pytest.approx(oracle.precision_score(y, decided))
    assert found.metrics["recall"] == pytest.approx(oracle.recall_score(y, decided))
    assert np.array_equal(found.scored.decided, decided)
    assert evaluate(pipeline("margin"), table()).task.threshold == 0.0


def test_on_flights() -> None:
    """By the whole pipeline, some of whose flights have no arrival: each segment against scikit-learn."""
    from engine.demo import read_flights

    flights = read_flights()
    flights = flights.take(pa.array(np.arange(0, flights.num_rows, 25)))
    fitted = engine.fit(engine.compose(["pipeline=flights", "stages.model.rounds=5"]), flights)
    found = evaluate(fitted, flights, by=["carrier", "origin"], inputs=Batches(flights, 1000))
    scores = fitted.predict_many(flights)["score"].to_numpy().astype(float)
    delay = flights["arr_delay"].to_numpy(zero_copy_only=False)
    known = ~np.isnan(delay.astype(float))
    assert (found.rows, found.unlabelled) == (known.sum(), (~known).sum())
    assert found.metrics["auc"] == oracle.roc_auc_score(delay[known] >= 15, scores[known])
    places = zip(flights["carrier"].to_pylist(), flights["origin"].to_pylist(), strict=True)
    keys = np.array(["/".join(place) for place in places])
    told = 0
    for segment in found.segments:
        own = known & (keys == "/".join(map(str, segment.values.values())))
        if segment.values:
            assert segment.rows == own.sum()
            log_loss = oracle.log_loss(delay[own] >= 15, scores[own], labels=[False, True])
            assert segment.metrics["log_loss"] == pytest.approx(log_loss, rel=1e-12)
        told += segment.rows
    assert told == found.rows
