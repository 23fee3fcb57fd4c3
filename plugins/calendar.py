"""Parts of a date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import did_you_mean
from engine.expr.calendar import PARTS
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("calendar")
class Calendar(RowStage):
    """Make a number ``<column>_<part>`` for each timestamp and part of its date; missing stays missing.

    Dates are in UTC. The parts are ``year``, ``quarter`` (1 to 4), ``month``, ``week`` (ISO 8601's, 1 to 53),
    ``day``, ``weekday`` (Monday is 0), ``hour``, ``minute``, ``day_of_year`` and ``is_weekend`` (0 or 1).

    Examples
    --------
    >>> from datetime import datetime
    >>> from engine.testing import run_stage
    >>> run_stage("calendar", {"at": [datetime(2013, 6, 1, 18, 30), None]}, parts=["month", "weekday"])
    {'at_month': [6.0, nan], 'at_weekday': [5.0, nan]}
    """

    accepts = (Kind.TIMESTAMP,)

    parts: list[str] = option(help=f"which: {', '.join(PARTS)}")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if not self.parts:
            yield f"parts is empty; there are {', '.join(PARTS)}"
        for part in dict.fromkeys(self.parts):
            if part not in PARTS:
                yield f"there is no part {part!r}.{did_you_mean(part, PARTS)} Parts: {', '.join(PARTS)}"
            elif self.parts.count(part) > 1:
                yield f"parts has {part} more than once"

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        return [Column(f"{column.name}_{part}", Kind.NUMBER) for column in columns for part in self.parts]

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        return {f"{name}_{part}": x.calendar(part) for name, x in columns.items() for part in self.parts}
