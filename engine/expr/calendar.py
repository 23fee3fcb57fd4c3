"""Parts of a date from microseconds since 1970, in the proleptic Gregorian calendar, UTC.

Each part is a formula in whole numbers alone, so that one function serves scalars in a kernel and
arrays in the interpreter. The civil-date formula is Howard Hinnant's (``civil_from_days``,
https://howardhinnant.github.io/date_algorithms.html).
"""

from __future__ import annotations

from typing import Any

PARTS = ("year", "quarter", "month", "week", "day", "weekday", "hour", "minute", "day_of_year", "is_weekend")
"""The parts: ``weekday`` counts from Monday = 0; ``week`` is ISO 8601's; ``is_weekend`` is 0 or 1."""

_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_DAY = 86_400_000_000


def _month_index(day_of_era_year: Any) -> Any:
    return (5 * day_of_era_year + 2) // 153  # months since March


def _year_of_era(day_of_era: Any) -> Any:
    return (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365


def _march_day(day_of_era: Any) -> Any:
    y = _year_of_era(day_of_era)
    return day_of_era - (365 * y + y // 4 - y // 100)


def _year(days: Any) -> Any:
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    return _year_of_era(doe) + era * 400 + (_march_day(doe) >= 306) * 1


def _month(days: Any) -> Any:
    z = days + 719468
    mp = _month_index(_march_day(z - z // 146097 * 146097))
    return mp + 3 - (mp >= 10) * 12


def _day(days: Any) -> Any:
    z = days + 719468
    doy = _march_day(z - z // 146097 * 146097)
    return doy - (153 * _month_index(doy) + 2) // 5 + 1


def _weekday(days: Any) -> Any:
    return (days + 3) % 7


def _day_of_year(days: Any) -> Any:
    y = _year(days) - 1
    first = 365 * y + y // 4 - y // 100 + y // 400 - 719162  # days from 1970 to 1 January
    return days - first + 1


def year(us: Any) -> Any:
    """The year."""
    return _year(us // _DAY)


def quarter(us: Any) -> Any:
    """1 to 4."""
    return (_month(us // _DAY) + 2) // 3


def month(us: Any) -> Any:
    """1 to 12."""
    return _month(us // _DAY)


def week(us: Any) -> Any:
    """ISO 8601's week of the year, 1 to 53: the week belongs to the year of its Thursday."""
    days = us // _DAY
    thursday = days - _weekday(days) + 3
    return (_day_of_year(thursday) - 1) // 7 + 1


def day(us: Any) -> Any:
    """The day of the month, 1 to 31."""
    return _day(us // _DAY)


def weekday(us: Any) -> Any:
    """0 is Monday, 6 is Sunday."""
    return _weekday(us // _DAY)


def hour(us: Any) -> Any:
    """0 to 23."""
    return us % _DAY // _HOUR


def minute(us: Any) -> Any:
    """0 to 59."""
    return us % _HOUR // _MINUTE


def day_of_year(us: Any) -> Any:
    """1 to 366."""
    return _day_of_year(us // _DAY)


def is_weekend(us: Any) -> Any:
    """1 on Saturday and Sunday, else 0."""
    return (_weekday(us // _DAY) >= 5) * 1
