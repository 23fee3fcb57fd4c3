"""Stages that make new columns: expr, calendar, missing_flag, threshold, label."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.expr.calendar import PARTS
from engine.registry import Registry
from engine.schema import Column, Kind
from engine.testing import run_stage


def test_expr_on_flights(flights: dict[str, list[Any]]) -> None:
    value = "where(isnan(air_time), -1, distance / air_time * 60) + (carrier == 'UA')"
    found = run_stage("expr", flights, into="speed", value=value)
    expected = [
        (-1 if minutes is None else miles / minutes * 60) + (carrier == "UA")
        for miles, minutes, carrier in zip(
            *(flights[name] for name in ("distance", "air_time", "carrier")), strict=True
        )
    ]
    assert found == {"speed": expected}


def test_expr_makes_booleans_and_is_named_after_its_stage() -> None:
    assert run_stage("expr", {"x": [1.0, None]}, value="not x > 0") == {"expr": [False, True]}


def test_expr_may_name_a_column_that_a_stage_before_it_has_yet_to_learn() -> None:
    stage: Any = Registry().load("expr")(value="carrier_UA + late")  # type: ignore[call-arg]
    columns = [Column("carrier_*", Kind.NUMBER, open=True), Column("late", Kind.BOOLEAN)]
    assert list(stage.check(columns)) == []
    assert stage.declare(columns) is Kind.NUMBER
    assert "no column is called 'carrier'" in next(iter(type(stage)(value="carrier").check(columns)))


def test_calendar() -> None:
    moments = [datetime(2013, 12, 31, 23, 59, tzinfo=UTC), None, datetime(1969, 1, 1)]
    found = run_stage("calendar", {"at": moments}, parts=list(PARTS))
    rows = np.array(list(found.values())).T
    assert list(found) == [f"at_{part}" for part in PARTS]
    np.testing.assert_array_equal(rows[0], [2013, 4, 12, 1, 31, 1, 23, 59, 365, 0])
    assert np.isnan(rows[1]).all()
    np.testing.assert_array_equal(rows[2], [1969, 1, 1, 1, 1, 2, 0, 0, 1, 0])


def test_missing_flag_of_every_kind(flights: dict[str, list[Any]]) -> None:
    moments = [None if delay is None else datetime(2013, 1, 1, tzinfo=UTC) for delay in flights["arr_delay"]]
    found = run_stage("missing_flag", {**flights, "at": moments}, columns=["arr_delay", "tailnum", "at"])
    assert found == {
        "arr_delay_missing": [delay is None for delay in flights["arr_delay"]],
        "tailnum_missing": [text is None for text in flights["tailnum"]],
        "at_missing": [moment is None for moment in moments],
    }
    assert 0 < sum(found["arr_delay_missing"]) < len(moments)


def test_threshold_is_at_or_above() -> None:
    values = [-math.inf, 0.5, math.nextafter(0.5, 0), None, math.inf]
    assert run_stage("threshold", {"score": values}, into="late") == {
        "late": [False, True, False, False, True]
    }


def test_label_of_booleans_and_numbers() -> None:
    late = run_stage("label", {"late": [True, False]}, labels=["no", "yes"])
    assert late == {"label": ["yes", "no"]}
    found = run_stage("label", {"x": [0.0, 1.0, 2.0, -1.0, None, 1.9, math.inf]}, labels=["a", "b"])
    assert found == {"label": ["a", "b", None, None, None, "b", None]}


def test_the_name_of_a_column_that_is_there() -> None:
    with pytest.raises(UserError, match="makes a column 'x', and there is one already"):
        run_stage("threshold", {"x": [1.0]}, into="x")
    assert run_stage("threshold", {"x": [1.0]}, into="x", drop=True) == {"x": [True]}


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("calendar", {"parts": []}, f"parts is empty; there are {', '.join(PARTS)}"),
        (
            "calendar",
            {"parts": ["hours"]},
            f"there is no part 'hours'. Did you mean 'hour'? Parts: {', '.join(PARTS)}",
        ),
        ("calendar", {"parts": ["day", "day"]}, "parts has day more than once"),
        (
            "expr",
            {"value": "x + zz"},
            "no column is called 'zz' at position 5: 'x + zz'\n" + " " * 45 + "^\n  columns: x, y, c, at",
        ),
        ("expr", {"value": "c"}, "the expression is a category, and expr makes numbers and booleans"),
        ("threshold", {}, "threshold takes one column, not 2: x, y"),
        ("threshold", {"columns": ["x"], "at": math.nan}, "at is NaN: nothing is at or above it"),
        ("label", {"labels": ["a"]}, "labels has 1 texts for 2 columns: x, y"),
        ("label", {"columns": ["x"], "labels": []}, "labels is empty"),
    ],
)
def test_mistakes(use: str, options: dict[str, Any], message: str) -> None:
    data = {"x": [1.0], "y": [2.0], "c": ["a"], "at": [datetime(2013, 1, 1, tzinfo=UTC)]}
    with pytest.raises(UserError) as caught:
        run_stage(use, data, **options)
    assert str(caught.value) == message


def test_a_boolean_needs_two_labels() -> None:
    with pytest.raises(UserError, match="labels has 3 texts; boolean 'late' needs two: false, true"):
        run_stage("label", {"late": [True]}, labels=["a", "b", "c"])


@pytest.mark.parametrize(
    ("use", "options"), [("threshold", {}), ("bands", {"edges": [1.0], "names": ["a", "b"]})]
)
def test_columns_that_are_not_known_yet_must_be_named(use: str, options: dict[str, Any]) -> None:
    stage: Any = Registry().load(use)(**options)
    (problem,) = stage.check([Column("score_*", Kind.NUMBER, open=True)])
    assert problem == f"{use} takes one column, and 'score_*' may be several: name one of them"
