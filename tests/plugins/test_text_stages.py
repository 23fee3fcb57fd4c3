"""Stages that read texts themselves, on tail numbers and made-up ones: text_length, contains, hash_encode."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn.utils import murmurhash3_32

from engine.errors import UserError
from engine.testing import run_stage

Table = dict[str, list[Any]]


def test_lengths_of_tail_numbers(flights: Table) -> None:
    found = run_stage("text_length", flights, columns=["tailnum", "dest"])
    assert list(found) == ["tailnum_length", "dest_length"]
    expected = [np.nan if tail is None else float(len(tail)) for tail in flights["tailnum"]]
    np.testing.assert_array_equal(found["tailnum_length"], expected)
    assert {5.0, 6.0} <= set(found["tailnum_length"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pattern": "AA"}, lambda tail: "AA" in tail),
        ({"pattern": "aa", "ignore_case": True}, lambda tail: "AA" in tail),
        ({"pattern": "^N[0-9]{3}[A-Z]+$", "regex": True}, lambda tail: re.fullmatch("N[0-9]{3}[A-Z]+", tail)),
        ({"pattern": "n[1-3]", "regex": True, "ignore_case": True}, lambda tail: re.search("N[1-3]", tail)),
    ],
)
def test_contains_on_tail_numbers(flights: Table, options: dict[str, Any], expected: Any) -> None:
    found = run_stage("contains", flights, columns=["tailnum"], into="found", **options)["found"]
    wanted = [np.nan if tail is None else float(bool(expected(tail))) for tail in flights["tailnum"]]
    np.testing.assert_array_equal(found, wanted)
    assert {0.0, 1.0} <= set(found)


def test_hash_of_tail_numbers(flights: Table) -> None:
    found = run_stage("hash_encode", flights, columns=["tailnum"], buckets=1024, seed=42)["tailnum_hash"]
    wanted = [
        np.nan if tail is None else float(murmurhash3_32(tail, 42, positive=True) % 1024)
        for tail in flights["tailnum"]
    ]
    np.testing.assert_array_equal(found, wanted)
    texts = {tail for tail in flights["tailnum"] if tail}
    buckets = {bucket for bucket in found if bucket == bucket}
    assert len(buckets) > 0.9 * 1024 * (1 - (1 - 1 / 1024) ** len(texts))


def test_hash_as_columns(flights: Table) -> None:
    number = run_stage("hash_encode", flights, columns=["carrier"], buckets=5)["carrier_hash"]
    columns = run_stage("hash_encode", flights, columns=["carrier"], buckets=5, encode="columns")
    assert list(columns) == [f"carrier_hash_{i}" for i in range(5)]
    for i, column in enumerate(columns.values()):
        assert column == [float(bucket == i) for bucket in number]


def test_the_names_of_columns() -> None:
    data = {"a": ["x"], "b": ["yy"]}
    assert run_stage("text_length", data) == {"a_length": [1.0], "b_length": [2.0]}
    assert run_stage("contains", data, columns=["a"], pattern="x") == {"contains": [1.0]}
    assert list(run_stage("hash_encode", data, buckets=3)) == ["a_hash", "b_hash"]
    with pytest.raises(UserError, match="names one column, and 'text_length' makes several"):
        run_stage("text_length", data, columns=["a"], into="n")


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("contains", {"pattern": "x"}, "contains takes one column, not 2: a, b"),
        ("contains", {"pattern": "", "columns": ["a"]}, "pattern is empty: every text contains it"),
        (
            "contains",
            {"pattern": "[", "regex": True, "columns": ["a"]},
            "pattern '[' is no regular expression: missing ]: [\n"
            "  RE2's are meant, which have no look-around and no back-references: ",
        ),
        (
            "hash_encode",
            {"buckets": 2000, "encode": "columns"},
            "encode: columns makes at most 1,024, and buckets is 2,000",
        ),
        ("text_length", {"columns": ["n"]}, "'n' is a number"),
    ],
)
def test_mistakes(use: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run_stage(use, {"a": ["x"], "b": ["y"], "n": [1.0]}, **options)
    assert message in str(caught.value)
