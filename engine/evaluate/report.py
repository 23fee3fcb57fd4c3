"""An evaluation as one HTML file: metrics, segments, and charts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.evaluate.charts import charts
from engine.evaluate.evaluation import Evaluation, Segment
from engine.evaluate.page import Chart, label, page, table, text, write
from engine.evaluate.segments import SMALL

_BETTER = {True: "greater is better", False: "less is better", None: ""}


def write_report(path: Path, found: Evaluation, facts: Mapping[str, Any]) -> None:
    """Write the report of an evaluation.

    Parameters
    ----------
    path : Path
        The file; it is replaced.
    found : Evaluation
    facts : mapping
        What it is of, as ``engine evaluate --json`` tells it.
    """
    write(path, report(found, facts))


def report(found: Evaluation, facts: Mapping[str, Any]) -> str:
    """The report as HTML, with all it needs in it."""
    title = f"{facts['name']} {facts['version']}"
    body = [f"<h1>{text(title)}</h1>", f"<p>{text(_what(found, facts))}</p>", "<div class=pair><div>"]
    body.append("<h2>Metrics</h2>")
    rows = [
        [name, "undefined" if value != value else f"{value:.6g}", _BETTER[found.better.get(name)]]
        for name, value in found.metrics.items()
    ]
    body.append(table([], rows))
    body.append("</div><div><h2>Rows</h2>")
    body.append(
        table([], [[name, f"{facts[key]:,}"] for key, name in _ROWS.items() if facts[key] or key == "rows"])
    )
    body.append("</div></div>")
    drawn = charts(found.scored)
    if found.segments:
        body += _segments(found)
        drawn = [*_by_segment(found), *drawn]
    return page(title, "\n".join(body), drawn)


_ROWS = {
    "rows": "with metrics",
    "unlabelled": "left out: their target is missing",
    "rejected": "left out: an input refuses a value",
    "filtered": "left out: a filter refuses them",
    "not_finite": "whose score is no finite number",
}


def _what(found: Evaluation, facts: Mapping[str, Any]) -> str:
    part = "all labelled rows" if facts["part"] == "all" else f"the rows of the {facts['part']} part"
    told = [f"Target: {facts['target']}", f"of {part}"]
    if facts["threshold"] is not None:
        told.append(f"decided for 1 from {facts['threshold']:g} up")
    if facts["weight"]:
        told.append(f"weighted by {facts['weight']}")
    return "; ".join(told) + "."


def _segments(found: Evaluation) -> list[str]:
    columns = list(found.segments[0].values)
    rows = []
    for segment in found.segments:
        shown = ["(missing)" if value is None else value for value in segment.values.values()]
        if not shown:
            shown = [f"({found.others:,} others)", *[""] * (len(columns) - 1)]
        numbers = ["–" if value != value else f"{value:.5g}" for value in segment.metrics.values()]
        rows.append([*shown, f"{segment.rows:,}{' *' if segment.small else ''}", *numbers])
    note = f"<p>* fewer than {SMALL} rows, so that its metrics say little</p>"
    return [
        "<h2>Segments</h2>",
        table([*columns, "rows", *found.metrics], rows, names=len(columns)),
        note if any(segment.small for segment in found.segments) else "",
    ]


def _by_segment(found: Evaluation) -> list[Chart]:
    """The leading metric of each segment beside that of all rows."""
    name = next(iter(found.metrics))
    known = [segment for segment in found.segments if segment.metrics[name] == segment.metrics[name]]
    if not known:
        return []
    places = list(range(len(known)))
    whole = found.metrics[name]
    line = {"color": "var(--text)", "dash": "dash", "width": 1}
    across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": whole, "y1": whole, "line": line}
    return [
        Chart(
            f"{name} by segment",
            "The dashed line is that of all rows; pale segments are small.",
            [
                {
                    "type": "bar",
                    "x": places,
                    "y": [segment.metrics[name] for segment in known],
                    "customdata": [segment.rows for segment in known],
                    "marker": {
                        "color": "var(--c1)",
                        "opacity": [0.35 if segment.small else 0.9 for segment in known],
                    },
                    "hovertext": [_named(segment, found) for segment in known],
                    "hovertemplate": "%{hovertext}: %{y:.5g}<br>%{customdata:,} rows<extra></extra>",
                }
            ],
            {
                "xaxis": {"tickvals": places, "ticktext": [_named(segment, found) for segment in known]},
                "yaxis": {"title": {"text": label(name)}},
                "shapes": [across] if whole == whole else [],
            },
            wide=True,
        )
    ]


def _named(segment: Segment, found: Evaluation) -> str:
    if not segment.values:
        return label(f"({found.others:,} others)")
    return label(", ".join("(missing)" if value is None else value for value in segment.values.values()))
