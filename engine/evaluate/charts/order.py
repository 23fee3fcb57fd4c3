"""Charts of an order: of the rows of groups, or in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.evaluate import curves
from engine.evaluate.charts.marks import bars
from engine.evaluate.page import Chart
from engine.metric import Scored
from engine.training.ranked import ndcg


def groups(rows: Scored) -> list[Chart]:
    values = ndcg(rows)
    values = values[~np.isnan(values)]
    if not len(values):
        return []
    edges = curves.bar_edges(values, 0.0, 1.0)
    counted = curves.heights(values, np.ones(len(values)), edges)
    return [
        Chart(
            "NDCG by group",
            f"How many of {len(values):,} groups are sorted how well.",
            [{**bars(edges, counted, "groups", "var(--c1)"), "showlegend": False}],
            {"xaxis": {"title": {"text": "NDCG"}}, "yaxis": {"title": {"text": "groups"}}},
        )
    ]


def survival(rows: Scored) -> list[Chart]:
    if rows.y.ndim == 2:
        lower, upper = rows.y.T
        if not ((lower == upper) | np.isinf(upper)).all():
            return []  # a curve of times that lie between bounds takes another estimate
        rows = replace(rows, y=np.where(np.isinf(upper), -lower, upper))
    risk = -rows.score if rows.task.reversed else rows.score
    place = np.searchsorted(np.quantile(risk, [1 / 3, 2 / 3]), risk)
    data = []
    for third, (name, colour) in enumerate((("low", "--c3"), ("middling", "--c1"), ("high", "--c2"))):
        own = rows.take(place == third)
        if len(own):
            found = curves.survival(np.abs(own.y), own.y > 0, own.weights)
            line = {"color": f"var({colour})", "shape": "hv", "width": 2}
            name = f"{name} risk ({len(own):,} rows)"
            data.append({"x": found.x, "y": found.y, "mode": "lines", "line": line, "name": name})
    return [
        Chart(
            "Survival by thirds of risk",
            "The share that has not ended by each time (Kaplan and Meier); the lines should lie apart.",
            data,
            {
                "xaxis": {"title": {"text": "time"}},
                "yaxis": {"title": {"text": "share"}, "range": [-0.02, 1.02]},
            },
        )
    ]
