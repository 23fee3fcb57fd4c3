"""Segments: who is told apart, how many, and what is refused."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from engine.evaluate.segments import MOST, Segments, read_segments


def segments(columns: dict[str, Any], rows: Any = None, text: bool = False) -> Segments:
    table = pa.table(columns)
    chosen = np.arange(table.num_rows) if rows is None else np.asarray(rows)
    return read_segments(table.schema.names, table, {}, chosen, text=text)


def named(found: Segments) -> list[Any]:
    return [found.keys[code] if code < len(found.keys) else "others" for code in found.codes]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "<c>", "", None]) | st.text(max_size=2),
            st.sampled_from([True, False, None]),
        ),
        min_size=1,
        max_size=150,
    )
)
def test_each_row_is_in_its_own(rows: list[tuple[str | None, bool | None]]) -> None:
    texts, flags = zip(*rows, strict=True)
    found = segments({"t": pa.array(texts, pa.string()), "f": pa.array(flags, pa.bool_())})
    wanted = [(text, None if flag is None else str(flag).lower()) for text, flag in rows]
    counts = Counter(wanted)
    assert len(found.keys) + found.others == len(counts)
    assert len(found.keys) <= MOST
    for mine, shown in zip(wanted, named(found), strict=True):
        assert shown in (mine, "others")
    sizes = [counts[key] for key in found.keys]
    assert sizes == sorted(sizes, reverse=True)
    if found.others:
        assert max(counts[key] for key in counts if key not in found.keys) <= sizes[-1]


def test_of_some_rows_alone() -> None:
    found = segments({"t": ["a", "b", "a", "c"]}, rows=[1, 3])
    assert named(found) == [("b",), ("c",)] and found.keys == (("b",), ("c",))


def test_moments_become_days_months_or_years() -> None:
    start = datetime(2020, 1, 30, 23, tzinfo=UTC)
    for step, rows, wanted in (
        (timedelta(hours=1), 40, ["2020-01-30", "2020-01-31"]),
        (timedelta(days=7), 100, ["2020-01", "2020-02"]),
        (timedelta(days=100), 100, ["2020", "2020"]),
    ):
        found = segments({"at": pa.array([*(start + step * i for i in range(rows)), None])})
        assert named(found)[0] == (wanted[0],)
        assert named(found)[1] == (wanted[1],)
        assert named(found)[-1] == (None,)


def test_numbers_are_labels_if_they_are_few_and_whole() -> None:
    assert named(segments({"m": [2, 1, None]})) == [("2",), ("1",), (None,)]
    assert named(segments({"m": ["2", None, "10"]}, text=True)) == [("2",), (None,), ("10",)]
    for numbers in (np.arange(MOST + 1), [0.5, 1.0], [np.inf]):
        with pytest.raises(DataError, match=r"by: 'm' holds .* different numbers; expected text, booleans"):
            segments({"m": numbers})
    with pytest.raises(DataError, match=r"by: the column 'm' is of type list"):
        segments({"m": [[1], [2]]})


def test_one_column_is_a_segment_of_missing_values_at_most() -> None:
    found = segments({"t": pa.array([None, None], pa.string())})
    assert (found.keys, found.others) == (((None,),), 0)
