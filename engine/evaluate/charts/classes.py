"""Charts of classes: how scores part them, what they promise, and what is decided."""

from __future__ import annotations

import numpy as np

from engine.evaluate import curves
from engine.evaluate.charts.marks import DIAGONAL, bars, line, upright
from engine.evaluate.page import Chart, label
from engine.metric import Scored
from engine.training.classes import decision
from engine.training.reliability import BINS, confidence, reliability
from engine.values import FloatArray

_CLASSES = 30
"""Classes that a confusion matrix tells apart; those that the fewest rows are of are one."""


def roc(rows: Scored) -> list[Chart]:
    if rows.y.min() == rows.y.max():
        return []
    found = curves.roc(rows)
    return [
        Chart(
            "ROC curve",
            "How many rows of 1 are found, for how many of 0 are taken for 1.",
            [
                {"x": [0, 1], "y": [0, 1], "name": "by chance", "showlegend": False, **DIAGONAL},
                line(found, "at %{customdata:.4g}: %{y:.3f} of 1, %{x:.3f} of 0<extra></extra>"),
            ],
            {
                "xaxis": {"title": {"text": "false positive rate"}, "range": [-0.01, 1.01]},
                "yaxis": {"title": {"text": "true positive rate"}, "range": [-0.01, 1.02]},
            },
        )
    ]


def precision_recall(rows: Scored) -> list[Chart]:
    if rows.y.min() == rows.y.max():
        return []
    found = curves.precision_recall(rows)
    share = float(np.average(rows.y, weights=rows.weight))
    return [
        Chart(
            "Precision and recall",
            "How many decisions for 1 are right, for how many rows of 1 are found; dotted: by chance.",
            [
                {"x": [0, 1], "y": [share, share], "showlegend": False, **DIAGONAL},
                line(found, "at %{customdata:.4g}: precision %{y:.3f}, recall %{x:.3f}<extra></extra>"),
            ],
            {
                "xaxis": {"title": {"text": "recall"}, "range": [-0.01, 1.01]},
                "yaxis": {"title": {"text": "precision"}, "range": [-0.01, 1.02]},
            },
        )
    ]


def calibration(rows: Scored) -> list[Chart]:
    found = reliability(*confidence(rows), rows.weights)
    what = "the class decided for" if rows.task.kind == "classes" else "1"
    return [
        Chart(
            "Calibration",
            f"How often it was {what}, for {BINS} bins of the probability; below, the rows of each bin.",
            [
                {"x": [0, 1], "y": [0, 1], "showlegend": False, **DIAGONAL},
                {
                    "x": found.predicted,
                    "y": found.actual,
                    "customdata": found.rows,
                    "mode": "lines+markers",
                    "marker": {"color": "var(--c1)", "size": 7},
                    "line": {"color": "var(--c1)", "width": 2},
                    "showlegend": False,
                    "hovertemplate": "said %{x:.3f}, was %{y:.3f}<br>%{customdata:,} rows<extra></extra>",
                },
                {
                    "type": "bar",
                    "x": found.predicted,
                    "y": found.rows,
                    "width": 0.04,
                    "yaxis": "y2",
                    "marker": {"color": "var(--soft)"},
                    "showlegend": False,
                    "hovertemplate": "%{y:,} rows<extra></extra>",
                },
            ],
            {
                "xaxis": {"title": {"text": "probability"}, "range": [-0.02, 1.02], "anchor": "y2"},
                "yaxis": {"title": {"text": "share"}, "range": [-0.02, 1.05], "domain": [0.32, 1]},
                "yaxis2": {"title": {"text": "rows"}, "domain": [0, 0.22]},
            },
        )
    ]


def by_class(rows: Scored) -> list[Chart]:
    inside = rows.task.kind == "binary"
    edges = curves.bar_edges(rows.score, 0.0 if inside else None, 1.0 if inside else None)
    data = []
    for value, colour in ((0, "var(--c1)"), (1, "var(--c2)")):
        own = rows.take(rows.y == value)
        if len(own):
            counted = curves.heights(own.score, own.weights, edges)
            data.append(bars(edges, counted / counted.sum(), f"rows of {value} ({len(own):,})", colour))
    return [
        Chart(
            "Scores by class",
            f"Which share of each class has which score; from {rows.task.threshold:g} up, 1 is decided for.",
            data,
            {
                "barmode": "overlay",
                "bargap": 0.04,
                "xaxis": {"title": {"text": "score"}},
                "yaxis": {"title": {"text": "share of the class"}},
                "shapes": [upright(rows.task.threshold)],
            },
        )
    ]


def confusion(rows: Scored) -> list[Chart]:
    names, y, decided = _told_apart(rows)
    counted = curves.confusion(y, decided, rows.weights, len(names))
    totals = counted.sum(axis=1, keepdims=True)
    share = counted / np.where(totals > 0, totals, 1.0)
    exact = rows.weight is None
    shown = [[f"{value:,.0f}" if exact else f"{value:,.4g}" for value in row] for row in counted]
    places = list(range(len(names)))
    ticks = {"tickvals": places, "ticktext": [label(name) for name in names]}
    return [
        Chart(
            "Confusion matrix",
            f"What was decided for, of each true class: {'rows' if exact else 'weight of rows'}.",
            [
                {
                    "type": "heatmap",
                    "z": share,
                    "x": places,
                    "y": places,
                    "text": shown,
                    "hovertext": [
                        [
                            f"{label(true)}, decided for {label(chosen)}: {value:.1%}"
                            for chosen, value in zip(names, row, strict=True)
                        ]
                        for true, row in zip(names, share, strict=True)
                    ],
                    "zmin": 0,
                    "zmax": 1,
                    "xgap": 1,
                    "ygap": 1,
                    "colorscale": [[0, "var(--panel)"], [1, "var(--c1)"]],
                    "showscale": False,
                    "texttemplate": "%{text}" if len(names) <= 12 else "",
                    "hovertemplate": "%{hovertext} (%{text})<extra></extra>",
                }
            ],
            {
                "xaxis": {"title": {"text": "decided for", "standoff": 16}, **ticks},
                "yaxis": {"title": {"text": "true", "standoff": 16}, "autorange": "reversed", **ticks},
            },
            wide=len(names) > 12,
        )
    ]


def _told_apart(rows: Scored) -> tuple[list[str], FloatArray, FloatArray]:
    """The names of classes, and each row's true one and the one decided for, as places among them."""
    y, decided = rows.y.astype(np.int64), decision(rows).astype(np.int64)
    if rows.task.kind not in ("classes", "class"):
        return ["0", "1"], rows.y, decision(rows)
    count = int(max(y.max(), decided.max(), len(rows.task.classes) - 1)) + 1
    known = rows.task.classes
    names = [known[i] if i < len(known) else str(i) for i in range(count)]
    if count <= _CLASSES:
        return names, y.astype(np.float64), decided.astype(np.float64)
    kept = np.sort(np.argsort(-np.bincount(y, minlength=count), kind="stable")[: _CLASSES - 1])
    place = np.full(count, len(kept))
    place[kept] = np.arange(len(kept))
    shown = [*(names[i] for i in kept), f"({count - len(kept):,} others)"]
    return shown, place[y].astype(np.float64), place[decided].astype(np.float64)
