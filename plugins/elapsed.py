"""Time between two moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from engine.decode.scalar import parse_time
from engine.errors import listing
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage

MICROSECONDS = {"seconds": 1e6, "minutes": 6e7, "hours": 3.6e9, "days": 8.64e10}


@stage("elapsed")
class Elapsed(RowStage):
    """Make the time from the first of two timestamps to the second, or from a stated moment to a timestamp.

    It is negative where what comes second is the earlier, and missing where a timestamp is missing. It is the
    difference in microseconds, as the nearest float64 (exact up to 285 years), over those of the unit, with
    its fraction; a day is 24 hours. The new column is called ``into``, or as the stage's label.

    Examples
    --------
    >>> from datetime import datetime
    >>> from engine.testing import run_stage
    >>> data = {"left": [datetime(2013, 1, 1, 5), None], "came": [datetime(2013, 1, 1, 6, 30), None]}
    >>> run_stage("elapsed", data, columns=["left", "came"], into="flight", unit="hours")
    {'flight': [1.5, nan]}
    >>> run_stage("elapsed", data, columns=["left"], into="age", since="2013-01-02", unit="days")
    {'age': [-0.7916666666666666, nan]}
    """

    accepts = (Kind.TIMESTAMP,)

    unit: Literal["seconds", "minutes", "hours", "days"] = option(
        "seconds", runtime=True, help="what the time is counted in"
    )
    since: str | None = option(
        None, runtime=True, help="the moment from which on, RFC 3339, in UTC unless it says otherwise"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        names = listing(column.name for column in columns)
        if self.since is None and len(columns) != 2:
            yield f"elapsed takes two columns, from and to, or one and since; not {len(columns)}: {names}"
        if self.since is not None and len(columns) != 1:
            yield f"elapsed takes one column where since is given, not {len(columns)}: {names}"
        for column in columns:
            if column.open:
                yield f"elapsed takes columns by name, and {column.name!r} may be several: name one of them"
        if self.since is not None:
            try:
                parse_time(self.since)
            except ValueError as error:
                yield f"since must be a moment such as 2013-01-01T18:30:00Z, or a date, not {error}"

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        *first, last = columns.values()
        micros = last.since(first[0] if self.since is None else parse_time(self.since))
        return micros / MICROSECONDS[self.unit]
