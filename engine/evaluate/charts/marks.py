"""What charts are made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.evaluate.curves import Curve
from engine.values import FloatArray

DIAGONAL: Mapping[str, Any] = MappingProxyType(
    {"mode": "lines", "line": {"color": "var(--soft)", "dash": "dot", "width": 1}, "hoverinfo": "skip"}
)


def line(found: Curve, hover: str) -> dict[str, Any]:
    return {
        "x": found.x,
        "y": found.y,
        "customdata": found.at,
        "mode": "lines",
        "line": {"color": "var(--c1)", "width": 2},
        "showlegend": False,
        "hovertemplate": hover,
    }


def upright(at: float) -> dict[str, Any]:
    line = {"color": "var(--text)", "dash": "dash", "width": 1}
    return {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def bars(edges: FloatArray, height: FloatArray, name: str, colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": (edges[1:] + edges[:-1]) / 2,
        "y": height,
        "width": float(edges[1] - edges[0]),
        "name": name,
        "opacity": 0.6,
        "marker": {"color": colour},
        "hovertemplate": "%{x:.4g}: %{y:.4g}<extra></extra>",
    }
