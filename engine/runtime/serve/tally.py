"""Requests that were answered, noted one by one and counted together."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeAlias

import numpy as np

from engine.runtime.serve.counts import Counts

Times: TypeAlias = tuple[float, float, float]
"""Seconds of parsing, scoring and encoding."""

_WAITING = 512
_STAGES = ("parse", "score", "encode")


class Tally:
    """What is noted of requests; used by one thread.

    Parameters
    ----------
    counts : Counts
        Is touched by `flush` alone.

    Examples
    --------
    >>> counts = Counts()
    >>> tally = Tally(counts)
    >>> tally.note("predict", 200, 0.0002, (0.00001, 0.0001, 0.00001))
    >>> tally.flush()
    >>> counts.totals["requests", ("predict", "200")]
    1
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._waiting: list[tuple[str, int, float, Times | None]] = []

    def note(self, route: str, status: int, seconds: float, times: Times | None = None) -> None:
        """A request was answered."""
        self._waiting.append((route, status, seconds, times))
        if len(self._waiting) >= _WAITING:
            self.flush()

    def flush(self) -> None:
        """Count what waits."""
        waiting, self._waiting = self._waiting, []
        seconds: dict[str, list[float]] = defaultdict(list)
        statuses: dict[tuple[str, str], int] = defaultdict(int)
        for route, status, took, _ in waiting:
            statuses[route, str(status)] += 1
            seconds[route].append(took)
        for labels, number in statuses.items():
            self._counts.add("requests", labels, number)
        for route, values in seconds.items():
            self._counts.histogram("request_seconds", (route,)).add_many(np.array(values))
        timed = np.array([times for *_, times in waiting if times is not None])
        for stage, values_ in zip(_STAGES, timed.T, strict=False):
            self._counts.histogram("stage_seconds", (stage,)).add_many(values_)
