"""How far a batch is: rows, speed, share and time left; on a terminal as a bar, else as lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.cli.progress import reporting
from engine.runtime.shards.pace import Pace


@contextmanager
def pacing(what: str) -> Iterator[Callable[[Pace], None]]:
    """A progress function for a batch, as long as it runs."""
    began = time.monotonic()
    with reporting(what, unit="rows") as progress:

        def tell(pace: Pace) -> None:
            progress(pace.rows, pace.total or 0, speed(pace, time.monotonic() - began))

        yield tell


def speed(pace: Pace, seconds: float) -> str:
    """How fast it goes, the share that is done, and the time left, as far as they can be told.

    >>> speed(Pace(500, 1000, 0.5, 1, 2, 0), 10.0)
    '50 rows/s, 50 %, 0:10 left'
    """
    if seconds <= 0:
        return ""
    rate = (pace.rows - pace.earlier) / seconds
    told = [f"{rate:,.0f} rows/s"]
    if pace.share > 0:
        told.append(f"{100 * pace.share:.0f} %")
    left = _left(pace, rate, seconds)
    if left is not None:
        told.append(f"{_clock(left)} left")
    return ", ".join(told)


def _left(pace: Pace, rate: float, seconds: float) -> float | None:
    if pace.total is not None:
        return (pace.total - pace.rows) / rate if rate > 0 else None
    if not pace.share or not pace.rows or pace.rows == pace.earlier:
        return None
    # what is left of the bytes, at the speed of the rows since this process began
    mine = pace.share * (pace.rows - pace.earlier) / pace.rows
    return (1 - pace.share) * seconds / mine if mine else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
