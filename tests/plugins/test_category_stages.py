"""Stages that read categories, beside scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from engine.errors import UserError
from engine.testing import run_stage

# At least one text, so that the column is a category.
categories = st.lists(st.sampled_from(["UA", "AA", "B6", "", "é", "a b", None]), max_size=30).map(
    lambda x: [*x, "UA"]
)


def reshaped(column: list[Any]) -> Any:
    return np.array(column, object).reshape(-1, 1)


def onehot_by_sklearn(name: str, column: list[Any], **options: Any) -> dict[str, list[float]]:
    """scikit-learn knows a missing text as a category of its own; the engine has no column for it."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, **options)
    encoder.fit(reshaped([text for text in column if text is not None]))
    made = encoder.transform(reshaped(column))
    found = zip(encoder.get_feature_names_out([name]), made.T.tolist(), strict=True)
    return {column: values for column, values in found if column != f"{name}_infrequent_sklearn"}


# -- onehot


@pytest.mark.parametrize("name", ["carrier", "origin", "dest"])
def test_onehot_on_flights(flights: dict[str, list[Any]], name: str) -> None:
    assert run_stage("onehot", flights, columns=[name]) == onehot_by_sklearn(name, flights[name])


def test_onehot_of_frequent_categories_on_flights(flights: dict[str, list[Any]]) -> None:
    found = run_stage("onehot", flights, columns=["dest"], min_count=300)
    assert found == onehot_by_sklearn("dest", flights["dest"], min_frequency=300)
    assert 10 < len(found) < 50


@settings(deadline=None)
@given(column=categories)
def test_onehot_of_any_column(column: list[str | None]) -> None:
    assert run_stage("onehot", {"c": column}) == onehot_by_sklearn("c", column)


def test_onehot_of_the_most_frequent_categories() -> None:
    column = ["b", "a", "c", "c", "d", None]
    assert list(run_stage("onehot", {"x": column}, max_categories=1)) == ["x_c"]
    assert list(run_stage("onehot", {"x": column}, max_categories=3)) == ["x_a", "x_b", "x_c"]
    assert list(run_stage("onehot", {"x": column}, max_categories=9, min_count=2)) == ["x_c"]


def test_onehot_with_given_categories_keeps_their_order() -> None:
    data = {"x": ["b", "a", "z", None], "y": ["q", "q", None, "q"]}
    given = {"x": ["b", "a"], "y": ["p"]}
    assert run_stage("onehot", data, categories=given) == {
        "x_b": [1.0, 0.0, 0.0, 0.0],
        "x_a": [0.0, 1.0, 0.0, 0.0],
        "y_p": [0.0, 0.0, 0.0, 0.0],
    }


def test_onehot_tells_unknown_from_missing() -> None:
    found = run_stage("onehot", {"x": ["b", "a", "z", None]}, categories={"x": ["a", "b"]}, unknown="missing")
    np.testing.assert_equal(found, {"x_a": [0.0, 1.0, math.nan, 0.0], "x_b": [1.0, 0.0, math.nan, 0.0]})


def test_onehot_of_missing_as_a_text() -> None:
    column = ["b", None, "a", None, "z"]
    found = run_stage("onehot", {"x": column}, missing="none", min_count=2)
    assert found == {"x_none": [0.0, 1.0, 0.0, 1.0, 0.0]}
    found = run_stage("onehot", {"x": ["a", None, "a"]}, missing="a")  # it counts as one that is there
    assert found == {"x_a": [1.0, 1.0, 1.0]}
    given = {"x": ["a"]}
    found = run_stage("onehot", {"x": column}, categories=given, missing="none", unknown="other")
    assert found == {"x_a": [0.0, 0.0, 1.0, 0.0, 0.0], "x_other": [1.0, 1.0, 0.0, 1.0, 1.0]}
    found = run_stage("onehot", {"x": column}, categories=given, missing="none", unknown="missing")
    assert np.array_equal(found["x_a"], [np.nan, np.nan, 1.0, np.nan, np.nan], equal_nan=True)


def test_onehot_of_other_categories_on_flights(flights: dict[str, list[Any]]) -> None:
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, max_categories=9)
    column = [text for text in flights["dest"] if text is not None]
    made = encoder.fit_transform(reshaped(column))
    expected = dict(zip(encoder.get_feature_names_out(["dest"]), made.T.tolist(), strict=True))
    expected["dest_other"] = expected.pop("dest_infrequent_sklearn")
    found = run_stage("onehot", {"dest": column}, max_categories=8, unknown="other")
    assert found == expected
    # the rows that are asked for are those that it learned from; others are as the rare ones
    stated = {"dest": [name.removeprefix("dest_") for name in found][:-1]}
    again = run_stage("onehot", {"dest": ["XXX", None, "ATL"]}, categories=stated, unknown="other")
    assert again["dest_other"] == [1.0, 0.0, 0.0]
    assert encoder.transform(reshaped(["XXX"]))[0, -1] == 1.0


def test_onehot_s_names_may_not_meet() -> None:
    for data in ({"a": ["b_c"], "a_b": ["c"]}, {"a": ["other", "b"]}):
        with pytest.raises(UserError, match=r"onehot makes two columns called 'a_(b_c|other)'"):
            run_stage("onehot", data, unknown="other")
    with pytest.raises(UserError, match="makes a column 'a_other', and there is one already"):
        run_stage("onehot", {"a": ["other"]}, categories={"a": ["other"]}, unknown="other")


# -- ordinal


def ordinal_by_sklearn(column: list[Any]) -> list[float]:
    texts = [math.nan if text is None else text for text in column]
    return OrdinalEncoder().fit_transform(reshaped(texts))[:, 0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["carrier", "dest", "tailnum"])
def test_ordinal_on_flights(flights: dict[str, list[Any]], name: str) -> None:
    found = run_stage("ordinal", flights, columns=[name])
    np.testing.assert_equal(found, {name: ordinal_by_sklearn(flights[name])})


@settings(deadline=None)
@given(column=categories)
def test_ordinal_of_any_column(column: list[str | None]) -> None:
    np.testing.assert_equal(run_stage("ordinal", {"c": column}), {"c": ordinal_by_sklearn(column)})


def test_ordinal_with_a_given_order() -> None:
    data = {"x": ["S", "L", "XL", None], "y": ["L", "S", "S", "S"]}
    one = run_stage("ordinal", data, categories=["S", "L"], unknown=99)
    np.testing.assert_equal(one, {"x": [0.0, 1.0, 99.0, math.nan], "y": [1.0, 0.0, 0.0, 0.0]})
    each = run_stage("ordinal", data, columns=["y", "x"], categories={"x": ["XL"], "y": ["L", "S"]})
    np.testing.assert_equal(each, {"y": [0.0, 1.0, 1.0, 1.0], "x": [-1.0, -1.0, 0.0, math.nan]})


@pytest.mark.parametrize(("unknown", "missing"), [(-1.0, -2.0), (200.0, 199.0), (math.nan, 198.5)])
def test_ordinal_with_numbers_for_unknown_and_missing(
    flights: dict[str, list[Any]], unknown: float, missing: float
) -> None:
    column = flights["dest"][:5000]
    column[::7] = [None] * len(column[::7])
    known = sorted({text for text in column[:100] if text is not None})
    encoder = OrdinalEncoder(
        categories=[[*known, math.nan]],
        handle_unknown="use_encoded_value",
        unknown_value=unknown if math.isnan(unknown) else int(unknown),
        encoded_missing_value=missing,
    )
    texts = reshaped([math.nan if text is None else text for text in column])
    expected = encoder.fit(texts).transform(texts)[:, 0]
    found = run_stage("ordinal", {"dest": column}, categories=known, unknown=unknown, missing=missing)
    np.testing.assert_equal(found, {"dest": expected.tolist()})


def test_learned_orders_are_each_column_s_own() -> None:
    found = run_stage("ordinal", {"x": ["b", "c"], "y": ["c", "a"]})
    assert found == {"x": [0.0, 1.0], "y": [1.0, 0.0]}


# -- what they refuse


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("onehot", {"categories": {}}, "categories has no list for x"),
        (
            "onehot",
            {"categories": {"x": ["a"], "z": ["a"]}},
            "categories has a list for z, which columns doesn't select",
        ),
        ("onehot", {"categories": {"x": ["a", "b", "a"]}}, "categories of x has a more than once"),
        (
            "onehot",
            {"categories": {"x": ["a"]}, "min_count": 2},
            "min_count and max_categories are for learned categories, and these are given",
        ),
        (
            "onehot",
            {"min_count": 1000},
            "onehot can't learn the categories of 'x': the training rows have none in at least 1,000 rows; "
            "state them in categories, or leave the column out",
        ),
        ("ordinal", {"categories": {"y": ["a"]}}, "categories has no list for x; "
         "categories has a list for y, which columns doesn't select"),
        ("ordinal", {"categories": []}, "categories is empty"),
        ("ordinal", {"categories": {"x": ["a", "a"]}}, "categories of x has a more than once"),
    ],
)  # fmt: skip
def test_mistakes(use: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage(use, {"x": ["a", "b", None]}, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("use", ["onehot", "ordinal"])
def test_numbers_are_refused(use: str) -> None:
    with pytest.raises(UserError, match="'x' is a number, and this stage takes categories"):
        run_stage(use, {"x": [1.0]}, columns=["x"])
