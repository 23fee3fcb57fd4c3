"""Tables that sources and sinks are checked with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

ROWS = 300
"""Rows of `ordinary`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS = ("red", "green", "blue", "ünï", None)
_TEXTS = (
    "", " ", " a ", "a,b", "a;b", "a\tb", 'say "no"', "it's", "two\nlines", "two\r\nlines", "\\n", "日本",
    "🙂", "null", "nan", "1.0", "=1+1", "#", "{}", None,
)  # fmt: skip
_NUMBERS = (
    0.0, -0.0, 0.1, 5e-324, 2.0**53, 1.7e308, -1.7e308, float("inf"), float("-inf"), float("nan"), None,
)  # fmt: skip
_SINGLES = (0.0, -0.0, 0.1, 1e-45, 3.4e38, float("inf"), float("-inf"), float("nan"), None)
_TIMES = (
    _EPOCH, _EPOCH - timedelta(microseconds=1), datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, 23, 59, 59, 999_999, UTC), datetime(2024, 2, 29, 12, 30, 15, 250_000, UTC), None,
)  # fmt: skip


def ordinary() -> pa.Table:
    """Rows as they come: numbers, words and times, one in five missing; nothing that a format can't say."""
    rng = np.random.default_rng(5)

    def gaps(values: list[Any]) -> list[Any]:
        return [None if gap else value for gap, value in zip(rng.random(ROWS) < 0.2, values, strict=True)]

    times = [_EPOCH + timedelta(seconds=s) for s in rng.integers(0, 1_700_000_000, ROWS).tolist()]
    return pa.table(
        {
            "number": pa.array(gaps(rng.normal(size=ROWS).tolist()), pa.float64()),
            "count": pa.array(rng.integers(-(2**40), 2**40, ROWS), pa.int64()),
            "word": pa.array([_WORDS[i] for i in rng.integers(0, len(_WORDS), ROWS)], pa.string()),
            "time": pa.array(gaps(times), pa.timestamp("us", "UTC")),
        }
    )


def unusual() -> pa.Table:
    """Columns of every type that a pipeline makes, at the edges of each."""
    rows = max(map(len, (_TEXTS, _NUMBERS, _SINGLES, _TIMES)))

    def repeated(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
        return pa.array([values[i % len(values)] for i in range(rows)], kind)

    return pa.table(
        {
            "score": repeated(_SINGLES, pa.float32()),
            "number": repeated(_NUMBERS, pa.float64()),
            "flag": repeated((True, False), pa.bool_()),
            "text": repeated(_TEXTS, pa.string()),
            "time": repeated(_TIMES, pa.timestamp("us", "UTC")),
        }
    )
