"""What is to be predicted: columns and expressions, and what is said where there is nothing to learn."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.errors import ConfigError, DataError
from engine.plan.plan import Target
from engine.schema import Kind
from engine.training.target import Labels, read_target


def labels(target: Target | None, text: bool = False, varied: bool = True, **columns: Any) -> Labels:
    return read_target(target, pa.table(columns), {}, text=text, varied=varied)


def said(target: Target | None, **columns: Any) -> str:
    with pytest.raises((DataError, ConfigError)) as caught:
        labels(target, **columns)
    return str(caught.value)


COLUMN = Target(column="y")


def test_a_column_of_booleans() -> None:
    found = labels(COLUMN, y=[True, None, False])
    assert found.kind is Kind.BOOLEAN
    assert found.known.tolist() == [True, False, True]
    np.testing.assert_array_equal(found.y, [1, np.nan, 0])


def test_zero_and_one_are_numbers() -> None:
    assert labels(COLUMN, y=[0, 1, 1]).kind is Kind.NUMBER
    assert labels(Target(value="y == 1"), y=[0, 1, 1]).kind is Kind.BOOLEAN


def test_text_has_sorted_classes() -> None:
    found = labels(COLUMN, y=["b", None, "ä", "", "b"])
    assert (found.kind, found.classes) == (Kind.CATEGORY, ("", "b", "ä"))
    np.testing.assert_array_equal(found.y, [1, np.nan, 2, 0, 1])
    assert found.known.tolist() == [True, False, True, True, True]


def test_dictionaries_whose_texts_are_not_all_used() -> None:
    array = pa.DictionaryArray.from_arrays([2, 0, None], ["c", "idle", "a"])
    found = labels(COLUMN, y=array)
    assert found.classes == ("a", "c")
    np.testing.assert_array_equal(found.y, [0, 1, np.nan])


def test_expressions() -> None:
    table: dict[str, Any] = {"a": [1.0, None, 3.0, 4.0], "b": [0, 1, None, 9]}
    found = labels(Target(value="a + b > 3"), **table)
    assert found.kind is Kind.BOOLEAN
    assert found.known.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(found.y, [0, np.nan, np.nan, 1])
    number = labels(Target(value="log(a - 1)"), varied=False, a=[2.0, 0.5, 1.0 + np.e])
    assert number.known.tolist() == [True, False, True]


def test_boolean_columns_are_conditions() -> None:
    flags = {"ok": [True, False, None, True], "a": [1.0, 2.0, 3.0, -1.0]}
    for text, y in (
        ("ok", [1, 0, np.nan, 1]),
        ("not ok", [0, 1, np.nan, 0]),
        ("ok and a > 0", [1, 0, np.nan, 0]),
        ("where(ok, a, 0) > 0", [1, 0, np.nan, 0]),
    ):
        found = labels(Target(value=text), **flags)
        assert found.kind is Kind.BOOLEAN
        np.testing.assert_array_equal(found.y, y)


def test_a_text_file() -> None:
    assert labels(COLUMN, text=True, y=["true", "False", None]).kind is Kind.BOOLEAN
    found = labels(COLUMN, text=True, y=["1", "2.5", None, " 3"])
    assert found.kind is Kind.NUMBER
    np.testing.assert_array_equal(found.y, [1, 2.5, np.nan, 3])
    words = labels(COLUMN, text=True, y=["1", "n/a", ""])
    assert (words.kind, words.classes) == (Kind.CATEGORY, ("", "1", "n/a"))
    both = labels(Target(value="y >= 15 and k == 'x'"), text=True, y=["15", "3", None], k=["x", "x", "x"])
    np.testing.assert_array_equal(both.y, [1, 0, np.nan])


def test_there_is_no_target() -> None:
    assert said(None, y=[1, 2]) == (
        "target: is needed here: target.column=NAME, or 'target.value=\"price > 10\"'"
    )


def test_a_missing_column() -> None:
    assert said(Target(column="pric"), price=[1.0, 2.0], city=["a", "b"]) == (
        "target: there is no column 'pric' in the labelled table. Did you mean 'price'?\n"
        "  columns there: price, city"
    )


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([3.5, 3.5, None], "target: 'y' has the same value, 3.5 in all 2 rows; there is nothing to learn"),
        ([True, True], "target: 'y' has the same value, true in all 2 rows; there is nothing to learn"),
        (["a", "a"], "target: 'y' has the same class in all 2 rows; there is nothing to learn"),
        ([None, None], "target: none of the 2 rows has a value for 'y'; there is nothing to learn from"),
        ([], "target: none of the 0 rows has a value for 'y'; there is nothing to learn from"),
        ([1.0, np.inf], "target: some rows have an infinite value; expected finite numbers"),
        (
            [datetime(2020, 1, 1), datetime(2021, 1, 1)],
            "target: 'y' is a timestamp; expected numbers, text or booleans",
        ),
    ],
)
def test_nothing_to_learn(y: Any, message: str) -> None:
    assert said(COLUMN, y=y) == message


def test_all_missing_text() -> None:
    assert said(COLUMN, y=pa.array([None, None], pa.string())) == (
        "target: none of the 2 rows has a value for 'y'; there is nothing to learn from"
    )


def test_a_constant_may_be_evaluated() -> None:
    assert labels(COLUMN, varied=False, y=[2.0, 2.0]).known.all()
    assert said(Target(value="1 > 0"), y=[1.0, 2.0]) == (
        "target: '1 > 0' has the same value, true in all 2 rows; there is nothing to learn"
    )


def test_an_expression_over_the_wrong_kinds() -> None:
    assert said(Target(value="k + 1"), k=["a", "b"]).startswith("target.value: ")
