"""Stages that choose, drop and rename columns."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import UserError
from engine.testing import run_stage

DATA: dict[str, list[Any]] = {"a": [1.0], "b": ["x"], "c": [3.0], "d": [True]}


def order(found: dict[str, list[Any]]) -> list[str]:
    return list(found)


def test_select_keeps_the_order_of_selection() -> None:
    found = run_stage("select", DATA, columns=["c", "numbers", "b"])
    assert found == {"c": [3.0], "a": [1.0], "d": [True], "b": ["x"]}
    assert order(found) == ["c", "a", "d", "b"]
    assert order(run_stage("select", DATA, columns=["b", "a"])) == ["b", "a"]


def test_drop_keeps_the_order_of_the_rest() -> None:
    assert order(run_stage("drop", DATA, columns=["c"])) == ["a", "b", "d"]
    assert order(run_stage("drop", DATA, columns=["categories"])) == ["a", "c", "d"]


def test_rename_keeps_places_and_values() -> None:
    found = run_stage("rename", DATA, names={"b": "carrier", "a": "c", "c": "a"})
    assert found == {"c": [1.0], "carrier": ["x"], "a": [3.0], "d": [True]}
    assert order(found) == ["c", "carrier", "a", "d"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"aa": "z"}, "there is no column 'aa'. Did you mean 'a'? Columns here: a, b, c, d"),
        ({"a": "b"}, "two columns would be called 'b'"),
        ({"a": "z", "b": "z"}, "two columns would be called 'z'"),
        ({"a": ""}, "the new name of 'a' is empty"),
    ],
)
def test_rename_refuses(names: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage("rename", DATA, names=names)
    assert str(caught.value) == message
