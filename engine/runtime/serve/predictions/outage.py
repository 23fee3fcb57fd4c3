"""A spell in which rows are lost: told when it begins and when it ends, not at each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

Report = Callable[[str, dict[str, Any]], None]
"""Takes the name of an event and what is known of it."""
Counts = Callable[[str, int], None]
"""Takes ``written``, ``dropped`` or ``failed``, and how many rows."""
QUIET = 10.0
"""Seconds without a lost row after which a spell is over that nothing else ends."""


class Outage:
    """Counts the rows that one cause loses.

    Parameters
    ----------
    report : callable
    event : str
        What its begin is called; its end is ``predictions.resumed``.

    Examples
    --------
    >>> outage = Outage(lambda event, known: print(event, known), "predictions.dropped")
    >>> outage.lost(3, {}), outage.lost(4, {}), outage.end(), outage.end()
    predictions.dropped {'rows': 3}
    predictions.resumed {'after': 'predictions.dropped', 'rows': 7}
    (None, None, None, None)
    """

    def __init__(self, report: Report, event: str) -> None:
        self._report = report
        self._event = event
        self._rows: int | None = None
        self._last = 0.0

    def lost(self, rows: int, known: Mapping[str, Any]) -> None:
        """So many rows are lost now."""
        self._last = monotonic()
        if self._rows is None:
            self._rows = 0
            self._report(self._event, {**known, "rows": rows})
        self._rows += rows

    def end(self, quiet: float = 0.0) -> None:
        """It is over, if nothing was lost for so many seconds."""
        if self._rows is None or monotonic() - self._last < quiet:
            return
        rows, self._rows = self._rows, None
        self._report("predictions.resumed", {"after": self._event, "rows": rows})


def tolerant(call: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
    """The same function, without what it raises."""

    def called(name: str, known: Any) -> None:
        with suppress(Exception):
            call(name, known)

    return called
