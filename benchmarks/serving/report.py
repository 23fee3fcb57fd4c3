"""Tables of what was measured, and the ratios that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Found = Mapping[str, Mapping[str, float]]

_ENGINE_MANY = "engine, OIP binary"
_RATIOS = {"requests/s": "requests/s, 16", "p50": "p50, 1", "processor": "processor, 16"}
_WANTED = {
    "requests/s, engine / echo": (">=", 0.6),
    "p50, engine / echo": ("<=", 1.5),
    "requests/s, engine / mlserver": (">=", 15.0),
    "start, s": ("<=", 2.0),
}


def lines_of_ones(found: Found) -> list[str]:
    """One row a request."""
    lines = [
        "one row a request; µs",
        "| | requests/s, 16 connections | p50, 16 | p99, 16 | processor, 16 | p50, 1 connection | p99, 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, of in found.items():
        keys = ("requests/s, 16", "p50, 16", "p99, 16", "processor, 16", "p50, 1", "p99, 1")
        lines.append(f"| {name} | " + " | ".join(f"{of[key]:,.0f}" for key in keys) + " |")
    return lines


def lines_of_many(found: Found, rows: int) -> list[str]:
    """Many rows a request; gRPC has one connection only."""
    lines = [
        f"{rows:,} rows a request; ms",
        "| | rows/s, 16 connections | rows/s, 1 connection | p50, 1 | p99, 1 | processor, 1 |",
        "|---|---|---|---|---|---|",
    ]
    for name, of in found.items():
        more = f"{of['requests/s, 16'] * rows:,.0f}" if "requests/s, 16" in of else ""
        taken = " | ".join(f"{of[key] / 1e3:,.2f}" for key in ("p50, 1", "p99, 1", "processor, 1"))
        lines.append(f"| {name} | {more} | {of['requests/s, 1'] * rows:,.0f} | {taken} |")
    return lines


def ratios(found: Mapping[str, Any]) -> dict[str, float]:
    """The engine beside each peer that was measured, and its seconds to start."""
    ratio: dict[str, float] = {}
    one = found.get("one row", {})
    for name in one if "engine" in one else ():
        if name != "engine":
            for what, key in _RATIOS.items():
                ratio[f"{what}, engine / {name}"] = one["engine"][key] / one[name][key]
    for of in (found[key] for key in found if key.endswith(" rows")):
        for name in of if _ENGINE_MANY in of else ():
            if not name.startswith("engine"):
                mine, theirs = (of[each]["requests/s, 1"] for each in (_ENGINE_MANY, name))
                ratio[f"rows/s, {_ENGINE_MANY} / {name}"] = mine / theirs
    if "start" in found:
        ratio["start, s"] = found["start"]
    return ratio


def lines_of_ratios(found: Mapping[str, float]) -> list[str]:
    """Ratios beside what is wanted of them."""
    lines = ["| ratio | | wanted | |", "|---|---|---|---|"]
    for name, value in found.items():
        sign, wanted = _WANTED.get(name, ("", 0.0))
        met = (value >= wanted if sign == ">=" else value <= wanted) if sign else None
        said = "" if met is None else "yes" if met else "no"
        lines.append(f"| {name} | {value:,.2f} | {f'{sign} {wanted:g}' if sign else ''} | {said} |")
    return lines
