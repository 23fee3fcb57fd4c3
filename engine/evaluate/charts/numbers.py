"""Charts of numbers: predictions beside what was."""

from __future__ import annotations

import numpy as np

from engine.evaluate import curves
from engine.evaluate.charts.marks import DIAGONAL, bars, upright
from engine.evaluate.page import Chart
from engine.metric import Scored

_COLUMNS = 4
"""Score columns that have charts of their own."""


def numbers(rows: Scored) -> list[Chart]:
    several = len(rows.task.columns) > 1
    found = []
    for place, name in enumerate(rows.task.columns[:_COLUMNS]):
        own = rows.column(place)
        of = f" of {name}" if several else ""
        found += [_actual(own, of), _residuals(own, of), _tenths(own, of)]
    return found


def _actual(rows: Scored, of: str) -> Chart:
    drawn = curves.some(rows)
    both = np.concatenate([drawn.y, drawn.score])
    low, high = float(both.min()), float(both.max())
    which = "All rows" if len(drawn) == len(rows) else f"{len(drawn):,} of {len(rows):,} rows"
    return Chart(
        f"Predicted and actual{of}",
        f"{which}; on the dotted line the prediction is right.",
        [
            {"x": [low, high], "y": [low, high], "showlegend": False, **DIAGONAL},
            {
                "x": drawn.score,
                "y": drawn.y,
                "mode": "markers",
                "marker": {"color": "var(--c1)", "size": 5, "opacity": 0.45},
                "showlegend": False,
                "hovertemplate": "predicted %{x:.5g}, was %{y:.5g}<extra></extra>",
            },
        ],
        {"xaxis": {"title": {"text": "predicted"}}, "yaxis": {"title": {"text": "actual"}}},
    )


def _residuals(rows: Scored, of: str) -> Chart:
    left = rows.y - rows.score
    edges = curves.bar_edges(left)
    counted = curves.heights(left, rows.weights, edges)
    return Chart(
        f"Residuals{of}",
        "The target less the prediction; the outermost bars hold all that is further out.",
        [{**bars(edges, counted, "rows", "var(--c1)"), "showlegend": False}],
        {
            "bargap": 0.04,
            "xaxis": {"title": {"text": "actual less predicted"}},
            "yaxis": {"title": {"text": "rows" if rows.weight is None else "weight"}},
            "shapes": [upright(0.0)],
        },
    )


def _tenths(rows: Scored, of: str) -> Chart:
    found = curves.tenths(rows)
    both = np.concatenate([found.predicted, found.actual])
    ends = [float(both.min()), float(both.max())]
    return Chart(
        f"Means by tenths{of}",
        "Rows sorted by prediction and cut into tenths: the mean prediction and the mean target of each.",
        [
            {"x": ends, "y": ends, "showlegend": False, **DIAGONAL},
            {
                "x": found.predicted,
                "y": found.actual,
                "customdata": found.rows,
                "mode": "lines+markers",
                "marker": {"color": "var(--c1)", "size": 7},
                "line": {"color": "var(--c1)", "width": 2},
                "showlegend": False,
                "hovertemplate": "said %{x:.5g}, was %{y:.5g}<br>%{customdata:,} rows<extra></extra>",
            },
        ],
        {"xaxis": {"title": {"text": "mean prediction"}}, "yaxis": {"title": {"text": "mean target"}}},
    )


def quantiles(rows: Scored) -> list[Chart]:
    below = np.average(rows.y[:, None] <= rows.scores, axis=0, weights=rows.weight)
    middle = int(np.argmin(np.abs(np.asarray(rows.task.alphas) - 0.5)))
    return [
        Chart(
            "Quantiles",
            "Which share of the targets is at or below each quantile; dotted: as it should be.",
            [
                {"x": [0, 1], "y": [0, 1], "showlegend": False, **DIAGONAL},
                {
                    "x": rows.task.alphas,
                    "y": below,
                    "mode": "lines+markers",
                    "marker": {"color": "var(--c1)", "size": 8},
                    "line": {"color": "var(--c1)"},
                    "showlegend": False,
                    "hovertemplate": "quantile %{x:.4g}: %{y:.4f} are at or below<extra></extra>",
                },
            ],
            {
                "xaxis": {"title": {"text": "quantile"}, "range": [-0.02, 1.02]},
                "yaxis": {"title": {"text": "share at or below"}, "range": [-0.02, 1.02]},
            },
        ),
        _actual(rows.column(middle), f" of {rows.task.columns[middle]}"),
    ]
