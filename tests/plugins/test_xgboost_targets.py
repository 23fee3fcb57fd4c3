"""Several targets, and times that are not over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.errors import ConfigError, DataError, UserError
from engine.evaluate import evaluate
from tests.plugins.boosted import booster, check_alone, config, fit, numbers, same_bits, scores, table


def stacked(rows: pa.Table, *names: str) -> np.ndarray:
    return np.column_stack([np.array(rows[name].to_pylist(), float) for name in names])


# -- several targets


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_numbers(strategy: str, tmp_path: Path) -> None:
    rows, later = table(), table(300, 4)
    params = {"multi_strategy": strategy}
    pipeline = fit({"columns": ["number", "other"]}, params=params)
    assert list(pipeline.outputs) == ["score_number", "score_other"]
    matrix = xgboost.QuantileDMatrix(numbers(rows, "a", "b"), stacked(rows, "number", "other"))
    plain = xgboost.train({"seed": 0, **params}, matrix, 6)
    assert same_bits(scores(pipeline, later), plain.inplace_predict(numbers(later, "a", "b")))
    check_alone(pipeline, later.slice(0, 40))
    assert pipeline.scorers["model"].note.startswith("native")
    assert sorted(pipeline.fitted.metrics) == [  # type: ignore[union-attr]
        "mae_score_number", "mae_score_other", "r2_score_number", "r2_score_other", "rmse_score_number",
        "rmse_score_other",
    ]  # fmt: skip
    pipeline.save(tmp_path / "bundle")
    again = engine.load(tmp_path / "bundle")
    assert again.version == pipeline.version
    found = evaluate(again, later).metrics
    error = scores(pipeline, later)[:, 1] - later["other"].to_numpy()
    assert found["rmse_score_other"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)


def test_several_booleans() -> None:
    rows = table()
    stages = {"decide": {"use": "threshold", "columns": ["score_rare"], "at": 0.5, "into": "rarely"}}
    spec = config({"columns": ["flag", "rare"]})
    spec["stages"] |= stages
    pipeline = engine.fit(engine.Config(spec), rows)
    assert pipeline.learned["model"]["objective"] == ("binary:logistic",)
    matrix = xgboost.QuantileDMatrix(numbers(rows, "a", "b"), stacked(rows, "flag", "rare"))
    plain = xgboost.train({"objective": "binary:logistic", "seed": 0}, matrix, 6)
    assert same_bits(scores(pipeline, rows), plain.inplace_predict(numbers(rows, "a", "b")))
    assert list(pipeline.outputs) == ["score_flag", "score_rare", "rarely"]
    assert pipeline.fitted is not None and "auc_score_rare" in pipeline.fitted.metrics


def test_a_list_of_one_target() -> None:
    pipeline = fit({"columns": ["number"]})
    assert list(pipeline.outputs) == ["score_number"]
    assert same_bits(scores(pipeline, table()), scores(fit("number"), table()))
    assert pipeline.fitted is not None and "rmse_score_number" in pipeline.fitted.metrics


def test_rows_that_lack_one_target_are_left_out() -> None:
    rows = table()
    gaps = pa.array(rows["other"].to_pylist()[:400] + [None] * 100)
    rows = rows.set_column(rows.schema.get_field_index("other"), "other", gaps)
    pipeline = fit({"columns": ["number", "other"]}, rows)
    assert pipeline.fitted is not None
    assert pipeline.fitted.rows["train"] == 400 and pipeline.fitted.rows["unlabelled"] == 100


def test_several_targets_with_early_stopping_and_weights() -> None:
    split = {"kind": "random", "valid": 0.3, "test": 0.2}
    pipeline = fit({"columns": ["number", "other"]}, weight="w", early_stopping=2, rounds=60, split=split)
    trees = booster(pipeline).num_boosted_rounds()
    assert 1 <= trees < 60
    check_alone(pipeline, table(30, 3))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"columns": ["number", "flag"]}, "are of different kinds (number: number, flag: boolean)"),
        ({"columns": ["number", "class"]}, "'class' is a category; several targets are numbers, or booleans"),
        ({"columns": ["number", "nothing"]}, "there is no column 'nothing' in the labelled table"),
    ],
)
def test_targets_that_do_not_fit(target: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        fit(target)
    assert said in str(caught.value)
    with pytest.raises(UserError, match="a multi: objective learns one target"):
        fit({"columns": ["grade", "other"]}, objective="multi:softprob")
    with pytest.raises(UserError, match="class_weight: takes one target"):
        fit({"columns": ["flag", "rare"]}, class_weight="balanced")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"column": "a", "columns": ["b"]}, "target: has column, columns; it needs one of them"),
        ({"columns": ["b", "b"]}, "target.columns: 'b' stands in it twice"),
        ({"lower": "b"}, "target: has no upper; bounds are two columns: {lower: NAME, upper: NAME}"),
        ({"columns": []}, "target: has neither column nor value; it needs one of them"),
    ],
)
def test_mistaken_targets(target: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fit(target)
    assert said in str(caught.value)


# -- survival


def times(rows: int = 500, seed: int = 0) -> pa.Table:
    """Times from 0.5 up, a third of them not over, a few known to lie between two."""
    rng = np.random.default_rng(seed)
    found = table(rows, seed)
    time = np.exp(found["b"].to_numpy() + rng.normal(size=rows) * 0.3) + 0.5
    open_ended = rng.random(rows) < 0.33
    between = np.where(rng.random(rows) < 0.1, time * 1.5, time)
    return (
        found.append_column("from", pa.array(time))
        .append_column("to", pa.array(time, mask=open_ended))
        .append_column("within", pa.array(between, mask=open_ended))
        .append_column("signed", pa.array(np.where(open_ended, -time, time)))
    )


def test_aft_learns_bounds(tmp_path: Path) -> None:
    rows, later = times(), times(300, 3)
    params = {"aft_loss_distribution": "logistic", "aft_loss_distribution_scale": 0.8}
    split = {"kind": "random", "valid": 0, "test": 0.3}
    pipeline = fit(
        {"lower": "from", "upper": "within"}, rows, objective="survival:aft", params=params, split=split
    )
    assert pipeline.fitted is not None
    assert list(pipeline.fitted.metrics) == ["concordance"]
    assert 0.8 < pipeline.fitted.metrics["concordance"] < 1
    whole = fit({"lower": "from", "upper": "within"}, rows, objective="survival:aft", params=params)
    upper = [np.inf if value is None else value for value in rows["within"].to_pylist()]
    matrix = xgboost.QuantileDMatrix(
        numbers(rows, "a", "b"), label_lower_bound=rows["from"].to_numpy(), label_upper_bound=upper
    )
    plain = xgboost.train({"objective": "survival:aft", "seed": 0, **params}, matrix, 6)
    assert same_bits(scores(whole, later), plain.inplace_predict(numbers(later, "a", "b")))
    assert whole.scorers["model"].note.startswith("native")
    check_alone(whole, later.slice(0, 30))
    whole.save(tmp_path / "bundle")
    again = engine.load(tmp_path / "bundle")
    assert evaluate(again, later).metrics["concordance"] > 0.8


def test_cox_learns_signed_times_or_bounds() -> None:
    rows, later = times(), times(300, 3)
    signed = fit("signed", rows, objective="survival:cox")
    bounds = fit({"lower": "from", "upper": "to"}, rows, objective="survival:cox")
    matrix = xgboost.QuantileDMatrix(numbers(rows, "a", "b"), rows["signed"].to_numpy())
    plain = xgboost.train({"objective": "survival:cox", "seed": 0}, matrix, 6)
    wanted = plain.inplace_predict(numbers(later, "a", "b"))
    for pipeline in (signed, bounds):
        assert same_bits(scores(pipeline, later), wanted)
        assert pipeline.fitted is not None
        assert 0.8 < pipeline.fitted.metrics["concordance"] < 1
    with pytest.raises(UserError, match="rows have an upper bound above the lower one: use survival:aft"):
        fit({"lower": "from", "upper": "within"}, rows, objective="survival:cox")


def test_bounds_that_do_not_fit() -> None:
    rows = times()
    with pytest.raises(UserError, match="'survival:aft' learns between which bounds each time lies"):
        fit("number", rows, objective="survival:aft")
    with pytest.raises(UserError, match="'reg:squarederror' learns a value, and 'target' gives bounds"):
        fit({"lower": "from", "upper": "to"}, rows)
    with pytest.raises(
        DataError, match=r"target: row \d+: 'b' is -?[\d.]+ and 'a' is .*; expected 0 <= b <= a"
    ):
        fit({"lower": "b", "upper": "a"}, rows, objective="survival:aft")
    with pytest.raises(DataError, match="'class' is a category; bounds are numbers"):
        fit({"lower": "from", "upper": "class"}, rows, objective="survival:aft")
