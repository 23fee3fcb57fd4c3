"""Labelled rows are parted as the config says, and the same way every time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, DataError
from engine.plan.plan import Split
from engine.schema import Kind
from engine.training.columns import read_columns
from engine.training.split import Parts, split_rows


def parted(split: Split, values: Any = None, *, known: Any = None, seed: int = 0, rows: int = 0) -> Parts:
    column = None
    if values is not None:
        table = pa.table({"c": values})
        column = read_columns(table, ["c"], {}, text=False, where="split.column")["c"]
        rows = table.num_rows
    there = np.ones(rows, bool) if known is None else np.asarray(known)
    return split_rows(split, there, column, seed)


def sizes(parts: Parts) -> tuple[int, int, int]:
    return len(parts.train), len(parts.valid), len(parts.test)


def assert_disjoint(parts: Parts, rows: int) -> None:
    together = np.concatenate([parts.train, parts.valid, parts.test])
    assert len(np.unique(together)) == len(together)
    assert not len(together) or (together.min() >= 0 and together.max() < rows)
    for part in (parts.train, parts.valid, parts.test):
        assert (np.diff(part) > 0).all()


def refused(split: Split, values: Any = None, **more: Any) -> str:
    with pytest.raises((DataError, ConfigError)) as caught:
        parted(split, values, **more)
    return str(caught.value)


# -- random


def test_random_shares_and_seed() -> None:
    split = Split(valid=0.2, test=0.1)
    parts = parted(split, rows=1000)
    assert sizes(parts) == (700, 200, 100)
    assert_disjoint(parts, 1000)
    again, other = parted(split, rows=1000), parted(split, rows=1000, seed=1)
    assert (parts.test == again.test).all()
    assert not np.array_equal(parts.test, other.test)


def test_rows_without_a_target_are_in_no_part() -> None:
    known = np.arange(100) % 3 > 0
    parts = parted(Split(valid=0.25, test=0.25), rows=100, known=known)
    assert sum(sizes(parts)) == known.sum()
    assert known[np.concatenate([parts.train, parts.valid, parts.test])].all()


@pytest.mark.parametrize(("valid", "test"), [(0.0, 0.2), (0.2, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("kind", ["random", "time", "group"])
def test_parts_that_are_not_wanted_are_empty(kind: Any, valid: float, test: float) -> None:
    parts = parted(Split(kind, "c", valid, test), np.arange(50.0))
    assert sum(sizes(parts)) == 50
    assert (len(parts.valid) > 0, len(parts.test) > 0) == (valid > 0, test > 0)


def test_a_part_that_gets_nothing() -> None:
    assert refused(Split(valid=0.1, test=0.1), rows=3) == (
        "split: the valid part got none of the 3 labelled rows; change split.valid, split.test or the data"
    )


def test_kfold_is_not_for_fitting() -> None:
    assert refused(Split("kfold"), rows=10) == (
        "split.kind: kfold is for cross-validation; fit and evaluate take time, random or group"
    )


# -- time


def test_time_goes_on_from_train_to_test() -> None:
    rng = np.random.default_rng(0)
    at = rng.permutation(200)
    parts = parted(Split("time", "c", 0.15, 0.25), at)
    assert sizes(parts) == (120, 30, 50)
    assert at[parts.train].max() < at[parts.valid].min() <= at[parts.valid].max() < at[parts.test].min()


def test_rows_of_one_moment_stay_together() -> None:
    at = np.repeat(np.arange(10), 10)
    parts = parted(Split("time", "c", 0.17, 0.13), at)
    for part, others in ((parts.valid, parts.train), (parts.test, parts.valid)):
        assert not set(at[part]) & set(at[others])
    assert sum(sizes(parts)) == 100
    assert refused(Split("time", "c", 0.1, 0.1), [5.0] * 20) == (
        "split: the train part got none of the 20 labelled rows; change split.valid, split.test or the data"
    )


def test_a_gap_lies_before_valid_and_before_test() -> None:
    begin = datetime(2020, 1, 1)
    at = [begin + timedelta(hours=i) for i in range(100)]
    parts = parted(Split("time", "c", 0.2, 0.2, gap=3 * 3600), at)
    assert parts.train.tolist() == list(range(57))
    assert parts.valid.tolist() == list(range(60, 77))
    assert parts.test.tolist() == list(range(80, 100))
    numbers = parted(Split("time", "c", 0.2, 0.2, gap=3), np.arange(100))
    assert numbers.train.tolist() == parts.train.tolist()


def test_moments_far_ahead_are_told_apart() -> None:
    """They are whole µs that no float64 tells apart."""
    late = np.datetime64("9000-01-01T00:00:00", "us").astype(np.int64)
    at = pa.array(late + np.arange(10), pa.timestamp("us"))
    assert sizes(parted(Split("time", "c", 0.2, 0.2), at)) == (6, 2, 2)


def test_infinite_numbers_have_an_order() -> None:
    at = [-np.inf, -np.inf, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, np.inf, np.inf]
    parts = parted(Split("time", "c", 0.2, 0.2), at)
    assert parts.test.tolist() == [8, 9]
    assert parts.valid.tolist() == [6, 7]


@pytest.mark.parametrize("kind", ["time", "group"])
def test_a_missing_value(kind: Any) -> None:
    values = [None, 1.0, float("nan"), *map(float, range(9))]
    assert refused(Split(kind, "c"), values) == (
        f"split: 'c' is missing in 2 of 12 labelled rows; a split by {kind} needs it in each"
    )
    parts = parted(
        Split(kind, "c", 0.3, 0.3), values, known=[value == value and value is not None for value in values]
    )
    assert sum(sizes(parts)) == 10


def test_a_category_is_no_time() -> None:
    assert refused(Split("time", "c"), ["a", "b"]) == (
        "split: 'c' is a category; a split by time needs a timestamp or a number"
    )
    assert refused(Split("time", ""), rows=5) == "split.column: is needed for split.kind=time"


@settings(max_examples=60, deadline=None)
@given(
    at=st.lists(st.integers(-20, 20), min_size=1, max_size=60),
    valid=st.floats(0, 0.49),
    test=st.floats(0, 0.49),
    gap=st.integers(0, 5),
)
def test_any_time_split(at: list[int], valid: float, test: float, gap: int) -> None:
    values = np.array(at, np.float64)
    try:
        parts = parted(Split("time", "c", valid, test, gap=gap), values)
    except DataError as error:
        assert "got none of the" in str(error)
        return
    assert_disjoint(parts, len(at))
    earlier = -np.inf
    for part in (parts.train, parts.valid, parts.test):
        if len(part):
            assert values[part].min() >= earlier
            earlier = values[part].max() + max(gap, 1)
    if gap == 0:
        assert sum(sizes(parts)) == len(at)


# -- group


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=80),
    valid=st.floats(0, 0.49),
    test=st.floats(0, 0.49),
    seed=st.integers(0, 5),
)
def test_any_group_split(keys: list[str], valid: float, test: float, seed: int) -> None:
    try:
        parts = parted(Split("group", "c", valid, test), keys, seed=seed)
    except DataError as error:
        assert "got none of the" in str(error)
        return
    assert_disjoint(parts, len(keys))
    assert sum(sizes(parts)) == len(keys)
    groups = [{keys[i] for i in part} for part in (parts.train, parts.valid, parts.test)]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    largest = max(keys.count(key) for key in keys)
    for size, share in zip(sizes(parts), (1 - valid - test, valid, test), strict=True):
        assert abs(size - share * len(keys)) <= largest


def test_groups_do_not_depend_on_the_order_of_rows() -> None:
    keys = np.array([f"g{i % 40}" for i in range(400)], object)
    order = np.random.default_rng(1).permutation(400)
    split = Split("group", "c", 0.2, 0.2)
    straight, mixed = parted(split, keys.tolist()), parted(split, keys[order].tolist())
    assert set(keys[straight.test]) == set(keys[order][mixed.test])


def test_a_huge_group_is_not_divided() -> None:
    keys = ["huge"] * 900 + [f"g{i}" for i in range(100)]
    found = set()
    for seed in range(10):
        try:
            parts = parted(Split("group", "c", 0.04, 0.04), keys, seed=seed)
        except DataError:
            continue
        found.add(sum("huge" in {keys[i] for i in part} for part in (parts.train, parts.valid, parts.test)))
    assert found == {1}


def test_kinds_of_columns() -> None:
    table = pa.table({"n": [1, 2], "b": [True, None], "t": [datetime(2020, 1, 1)] * 2, "k": ["x", None]})
    found = read_columns(table, ["n", "b", "t", "k"], {}, text=False, where="w")
    assert [kind for kind, _ in found.values()] == [Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP, Kind.CATEGORY]
    with pytest.raises(DataError) as caught:
        read_columns(pa.table({"l": [[1]]}), ["l"], {}, text=False, where="w")
    assert str(caught.value) == (
        "w: the column 'l' is of type list<item: int64>; expected numbers, text, timestamps or booleans"
    )
