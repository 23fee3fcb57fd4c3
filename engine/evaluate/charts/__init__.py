"""The charts of a report: what is worth seeing of scores depends on what they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from engine.evaluate.charts.classes import by_class, calibration, confusion, precision_recall, roc
from engine.evaluate.charts.numbers import numbers, quantiles
from engine.evaluate.charts.order import groups, survival
from engine.evaluate.page import Chart
from engine.metric import Scored

_BY_TASK: Mapping[str, Sequence[Callable[[Scored], list[Chart]]]] = MappingProxyType(
    {
        "binary": (roc, precision_recall, calibration, by_class, confusion),
        "margin": (roc, precision_recall, by_class, confusion),
        "decision": (confusion,),
        "classes": (confusion, calibration),
        "class": (confusion,),
        "number": (numbers,),
        "counts": (numbers,),
        "gamma": (numbers,),
        "tweedie": (numbers,),
        "quantiles": (quantiles,),
        "ranking": (groups,),
        "survival": (survival,),
    }
)

_TARGETS = 4
"""Targets that have charts of their own."""


def charts(rows: Scored) -> list[Chart]:
    """The charts of some rows.

    Parameters
    ----------
    rows : Scored
        Rows whose scores are not finite are left out, and those of weight 0.
    """
    kept = rows.finite if rows.weight is None else rows.finite & (rows.weight > 0)
    rows = rows.take(kept)
    if not len(rows):
        return []
    if not rows.task.several:
        return [chart for draw in _BY_TASK.get(rows.task.kind, ()) for chart in draw(rows)]
    return [
        replace(chart, title=f"{chart.title} of {name}")
        for place, name in enumerate(rows.task.columns[:_TARGETS])
        for chart in charts(rows.column(place))
    ]
