"""One Python value to one number, timestamp or text.

Each function gives the missing value of its kind for None, NaN and the like, and raises ``ValueError``
with what it found for a value that is not of the kind.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from engine.decode.messages import describe
from engine.values import NAT

NAN = float("nan")

FIRST_TIME = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in µs: timestamps are those that RFC 3339 and `datetime` can express."""
LAST_TIME = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in µs."""
OUTSIDE = "a time outside the years 1 to 9999"

_FLOATS = (float, np.floating, np.bool_)
_WHOLE = (int, np.integer)
_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()

# Numerator and denominator in µs of NumPy's fixed units.
_UNITS = {
    "W": (7 * _DAY, 1),
    "D": (_DAY, 1),
    "h": (3_600_000_000, 1),
    "m": (60_000_000, 1),
    "s": (1_000_000, 1),
    "ms": (1_000, 1),
    "us": (1, 1),
    "ns": (1, 10**3),
    "ps": (1, 10**6),
    "fs": (1, 10**9),
    "as": (1, 10**12),
}

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|([+-])(\d\d):(\d\d))?)?",
    re.ASCII,
)

# What Arrow's own parser reads, and no less: a column takes that way when every cell goes through it.
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan(?:\(\w*\))?)", re.ASCII | re.IGNORECASE
)


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA: what isn't equal to itself."""
    if value is None:
        return True
    try:
        differs = value != value
        # pandas' NA answers with itself, which has no truth value; False does, too
        return (differs is value and value is not False) or bool(differs)
    except Exception:  # what a foreign object does when it is compared is its own affair
        return False


def number(value: Any) -> float:
    """A number as float64; missing is NaN. A duration or a time of day is a number of seconds.

    Raises
    ------
    ValueError
        It is no number, or a whole number too large for a float.

    Examples
    --------
    >>> from decimal import Decimal
    >>> number(Decimal("0.1")), number(True), number(2**53 + 1)
    (0.1, 1.0, 9007199254740992.0)
    """
    if isinstance(value, _FLOATS):
        return float(value)
    if isinstance(value, np.timedelta64):  # which is a whole number to NumPy
        return _seconds(value)
    if isinstance(value, _WHOLE):
        try:
            return float(int(value))
        except OverflowError:
            raise ValueError("a whole number too large for a float") from None
    if is_missing(value):
        return NAN
    if isinstance(value, Decimal) and not value.is_snan():
        return float(value)
    if isinstance(value, timedelta):
        # pandas' own has nanoseconds
        return _seconds(value.to_timedelta64()) if hasattr(value, "to_timedelta64") else value / _SECOND
    if isinstance(value, time) and value.tzinfo is None:
        since = timedelta(0, value.second, value.microsecond, 0, value.minute, value.hour)
        return since / _SECOND
    raise ValueError(describe(value))


def _seconds(value: np.timedelta64) -> float:
    """A duration in seconds, to nearest."""
    if np.isnat(value):
        return NAN
    unit, count = np.datetime_data(value.dtype)
    if unit not in _UNITS:  # a month, or a number without a unit
        raise ValueError(describe(value))
    up, down = _UNITS[unit]
    return int(value.view(np.int64)) * count * up / (down * 1_000_000)


def timestamp(value: Any) -> int:
    """A timestamp in µs since 1970, UTC; missing is ``NAT``, parts of a µs are floored.

    Takes datetimes (without a zone: UTC), dates, ``numpy.datetime64``, pandas timestamps, whole µs and
    RFC 3339 text.

    Raises
    ------
    ValueError
        It is no timestamp, or outside the years 1 to 9999.

    Examples
    --------
    >>> timestamp("1969-12-31T23:59:59.9999999Z"), timestamp("1970-01-01T01:00+01:00")
    (-1, 0)
    """
    if type(value) is not datetime:
        found = _micros(value)
        if not isinstance(found, datetime):
            return found
        value = found
    since = value - (_EPOCH if value.tzinfo is not None else _EPOCH_NAIVE)
    micros: int = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if FIRST_TIME <= micros <= LAST_TIME:  # as _within, without a call
        return micros
    raise ValueError(OUTSIDE)


def _micros(value: Any) -> int | datetime:
    """A timestamp in µs, or the datetime that it is."""
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, _WHOLE) and not isinstance(value, bool | np.timedelta64):
        found = int(value)
        return found if found == NAT else _within(found)
    if is_missing(value):
        return NAT
    if hasattr(value, "to_datetime64"):  # pandas' own, which has nanoseconds
        value = value.to_datetime64()
    if isinstance(value, np.datetime64):
        return _within(_from_numpy(value))
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return (value.toordinal() - _EPOCH_DAY) * _DAY
    raise ValueError(describe(value))


def text(value: Any) -> str | None:
    """Text as it is; missing is None.

    Raises
    ------
    ValueError
        It is not text.
    """
    if isinstance(value, str):
        return value
    if is_missing(value):
        return None
    raise ValueError(describe(value))


def utf8_text(value: Any) -> str | None:
    """The same, of text that UTF-8 can hold, as every table's can.

    Raises
    ------
    ValueError
        It is not text, or holds a surrogate.
    """
    found = text(value)
    if found is not None:
        found = str(found)
        try:
            found.encode()
        except UnicodeEncodeError:
            raise ValueError(f"text that is no UTF-8: {describe(found)}") from None
    return found


def parse_time(cell: str) -> int:
    """RFC 3339 text to µs since 1970, UTC.

    A date, or a date, ``T`` or a blank, and a time of day; seconds, their fraction and the zone may be
    left out, and without a zone it is UTC.

    Raises
    ------
    ValueError
        Another form, a day that doesn't exist, or a time outside the years 1 to 9999.
    """
    match = _TIME.fullmatch(cell)
    if match is None:
        raise ValueError(describe(cell))
    year, month, day, hour, minute, second, fraction, sign, zone_hour, zone_minute = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        raise ValueError(describe(cell)) from None
    if hour is None:
        return days * _DAY
    h, m, s = int(hour), int(minute), int(second or 0)
    zone_h, zone_m = int(zone_hour or 0), int(zone_minute or 0)
    if h > 23 or m > 59 or s > 59 or zone_h > 23 or zone_m > 59:
        raise ValueError(describe(cell))
    offset = (zone_h * 60 + zone_m) * (-1 if sign == "-" else 1)
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    return _within(days * _DAY + ((h * 60 + m - offset) * 60 + s) * 1_000_000 + micros)


def parse_number(cell: str) -> float:
    """The text of a number to float64, correctly rounded; ``nan`` is missing, ``true`` is 1.

    Raises
    ------
    ValueError
        It is the text of no number.
    """
    if _NUMBER.fullmatch(cell):
        return float(cell.partition("(")[0])
    truth = {"true": 1.0, "false": 0.0}.get(cell.lower())
    if truth is None:
        raise ValueError(describe(cell))
    return truth


def _within(micros: int) -> int:
    if FIRST_TIME <= micros <= LAST_TIME:
        return micros
    raise ValueError(OUTSIDE)


def _from_numpy(value: np.datetime64) -> int:
    unit, count = np.datetime_data(value.dtype)
    if unit in ("Y", "M"):
        value, unit, count = value.astype("datetime64[D]"), "D", 1
    up, down = _UNITS[unit]
    return int(value.view(np.int64)) * count * up // down
