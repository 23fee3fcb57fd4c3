"""Parts of a date from microseconds since 1970, in the proleptic Gregorian calendar, UTC.

Each part is one formula, which serves scalars in a kernel and arrays in the interpreter. It is exact from
the year 1 to 9999, which is all that an input lets through, and has no division, because processors divide
no vectors of whole numbers: ``x * m >> s`` is ``x // d`` as long as ``x * (m * d - 2**s) < 2**s``
(T. Granlund and P. L. Montgomery, Division by invariant integers using multiplication, 1994). The way from
days to dates is that of C. Neri and L. Schneider (Euclidean affine functions and their application to
calendar algorithms, 2022, https://doi.org/10.1002/spe.3172).
"""

from __future__ import annotations

from typing import Any

import numpy as np

PARTS = ("year", "quarter", "month", "week", "day", "weekday", "hour", "minute", "day_of_year", "is_weekend")
"""The parts: ``weekday`` counts from Monday = 0; ``week`` is ISO 8601's; ``is_weekend`` is 0 or 1."""

_DAY = 86_400_000_000
# of 2**13 µs a day has 10,546,875; halves keep the quotient off the whole numbers that it could be rounded to
_DAYS_OF_TICK = 1 / 10_546_875
_DAYS_TO_1970 = 719_468
"""From 1 March of the year 0, where centuries are counted from."""
_MARCH_TO_NEW_YEAR = 306


def _days(us: Any) -> Any:
    return np.int64(np.floor(((us >> 13) + 0.5) * _DAYS_OF_TICK))


def _century(days: Any) -> Any:
    return (4 * (days + _DAYS_TO_1970) + 3) * 30_103_606 >> 42  # // 146,097


def _day_of_century(days: Any) -> Any:
    return (4 * (days + _DAYS_TO_1970) + 3 - 146_097 * _century(days)) >> 2


def _march_year(day_of_century: Any) -> Any:
    return (4 * day_of_century + 3) * 2_939_745 >> 32  # // 1,461


def _march_day(day_of_century: Any) -> Any:
    return (4 * day_of_century + 3 - 1461 * _march_year(day_of_century)) >> 2


def _year(days: Any) -> Any:
    doc = _day_of_century(days)
    return 100 * _century(days) + _march_year(doc) + (_march_day(doc) >= _MARCH_TO_NEW_YEAR) * 1


def _month(days: Any) -> Any:
    day = _march_day(_day_of_century(days))
    return ((2141 * day + 197_913) >> 16) - (day >= _MARCH_TO_NEW_YEAR) * 12


def _day(days: Any) -> Any:
    rest = (2141 * _march_day(_day_of_century(days)) + 197_913) & 0xFFFF
    return (rest * 2_006_057 >> 32) + 1  # // 2,141


def _weekday(days: Any) -> Any:
    x = days + 719_162  # the first day of the year 1 was a Monday
    return x - 7 * (x * 613_566_757 >> 32)


def _day_of_year(days: Any) -> Any:
    y = _year(days) - 1
    century = y * 5_243 >> 19
    first = 365 * y + (y >> 2) - century + (century >> 2) - 719_162  # days from 1970 to 1 January
    return days - first + 1


def year(us: Any) -> Any:
    """The year."""
    return _year(_days(us))


def quarter(us: Any) -> Any:
    """1 to 4."""
    return (_month(_days(us)) + 2) * 11 >> 5


def month(us: Any) -> Any:
    """1 to 12."""
    return _month(_days(us))


def week(us: Any) -> Any:
    """ISO 8601's week of the year, 1 to 53: the week belongs to the year of its Thursday."""
    days = _days(us)
    thursday = days - _weekday(days) + 3
    return ((_day_of_year(thursday) - 1) * 613_566_757 >> 32) + 1


def day(us: Any) -> Any:
    """The day of the month, 1 to 31."""
    return _day(_days(us))


def weekday(us: Any) -> Any:
    """0 is Monday, 6 is Sunday."""
    return _weekday(_days(us))


def hour(us: Any) -> Any:
    """0 to 23."""
    return ((us - _days(us) * _DAY) >> 10) * 320_255_974 >> 50  # // 3,515,625 in 1,024 µs


def minute(us: Any) -> Any:
    """0 to 59."""
    of_day = ((us - _days(us) * _DAY) >> 8) * 600_479_951 >> 47  # // 234,375 in 256 µs
    return of_day - 60 * hour(us)


def day_of_year(us: Any) -> Any:
    """1 to 366."""
    return _day_of_year(_days(us))


def is_weekend(us: Any) -> Any:
    """1 on Saturday and Sunday, else 0."""
    return (_weekday(_days(us)) >= 5) * 1
