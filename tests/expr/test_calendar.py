"""Parts of a date, beside Python's datetime and NumPy's datetime64."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.expr import calendar
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.schema import Kind
from engine.values import NAT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def expected(moment: datetime) -> dict[str, int]:
    return {
        "year": moment.year,
        "quarter": (moment.month - 1) // 3 + 1,
        "month": moment.month,
        "week": moment.isocalendar().week,
        "day": moment.day,
        "weekday": moment.weekday(),
        "hour": moment.hour,
        "minute": moment.minute,
        "day_of_year": moment.timetuple().tm_yday,
        "is_weekend": int(moment.weekday() >= 5),
    }


@settings(deadline=None, max_examples=500)
@given(moments)
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
@example(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
@example(datetime(1970, 1, 1, tzinfo=UTC))
@example(datetime(1900, 2, 28, 23, 59, tzinfo=UTC))  # no leap year
@example(datetime(2000, 2, 29, tzinfo=UTC))
@example(datetime(2020, 12, 31, tzinfo=UTC))  # week 53
@example(datetime(2021, 1, 3, tzinfo=UTC))  # week 53 of 2020
@example(datetime(2018, 12, 31, tzinfo=UTC))  # week 1 of 2019
def test_parts_are_those_of_datetime(moment: datetime) -> None:
    us = microseconds(moment)
    assert {part: getattr(calendar, part)(us) for part in calendar.PARTS} == expected(moment)


@pytest.mark.parametrize("time", [0, 1, 3_599_999_999, 3_600_000_000, 43_200_000_000, 86_399_999_999])
def test_every_day(time: int) -> None:
    """From the year 1 to 9999, at a time of the day in µs."""
    days = np.arange(np.datetime64("0001-01-01"), np.datetime64("9999-12-31") + np.timedelta64(1, "D"))
    us = days.astype("M8[us]").astype(np.int64) + time
    years = days.astype("M8[Y]")
    months = days.astype("M8[M]")
    month = months.astype(int) % 12 + 1
    np.testing.assert_array_equal(calendar.year(us), years.astype(int) + 1970)
    np.testing.assert_array_equal(calendar.quarter(us), (month + 2) // 3)
    np.testing.assert_array_equal(calendar.month(us), month)
    np.testing.assert_array_equal(calendar.day(us), (days - months).astype(int) + 1)
    np.testing.assert_array_equal(calendar.day_of_year(us), (days - years).astype(int) + 1)
    np.testing.assert_array_equal(calendar.weekday(us), (days.astype(int) + 3) % 7)
    assert set(calendar.hour(us).tolist()) == {time // 3_600_000_000}
    assert set(calendar.minute(us).tolist()) == {time // 60_000_000 % 60}


def test_every_week_of_eight_centuries() -> None:
    days = np.arange(np.datetime64("1599-12-31"), np.datetime64("2401-01-02"))
    us = days.astype("M8[us]").astype(np.int64) + 86_399_999_999  # the last microsecond of the day
    iso = [day.isocalendar() for day in days.tolist()]
    np.testing.assert_array_equal(calendar.week(us), [day.week for day in iso])
    np.testing.assert_array_equal(calendar.weekday(us), [day.weekday - 1 for day in iso])


@settings(deadline=None)
@given(st.lists(st.one_of(moments, st.none()), min_size=1))
def test_the_graph_gives_the_same_over_arrays(column: list[datetime | None]) -> None:
    us = np.array([NAT if moment is None else microseconds(moment) for moment in column])
    at = Expr.input("at", Kind.TIMESTAMP)
    results = interpret([at.calendar(part) for part in calendar.PARTS], {("input", "at"): us}, len(us))
    for part, values in zip(calendar.PARTS, results, strict=True):
        assert isinstance(values, np.ndarray)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, [np.nan if m is None else expected(m)[part] for m in column])


def test_a_part_that_does_not_exist() -> None:
    with pytest.raises(
        ValueError, match="no such part of the calendar: 'century'; there are year, quarter, "
    ):
        Expr.input("at", Kind.TIMESTAMP).calendar("century")
