"""This project beside the same pipeline in scikit-learn and XGBoost: Parquet to Parquet, and one row.

    python -m benchmarks [--times 10] [--threads 2] [--repeats 5] [--json FILE] [--picture FILE]

The pipeline of the demo, scored natively and by XGBoost itself. Answers are compared before anything is
timed; times are medians of runs in turn. ``benchmarks.scoring``, ``benchmarks.pipeline`` and
``benchmarks.folding`` look closer at parts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.flights import Peer, fit_flights
from benchmarks.measure import machine
from benchmarks.pipeline import one_row, parquet_to_parquet
from engine.demo import read_flights

SCORERS = ("native", "xgboost")
_PACKAGES = ("xgboost", "scikit-learn", "pandas", "pyarrow", "numba", "numpy")


def measure(times: int, threads: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median µs a row of both sides, and their ratios, by who scores."""
    table = read_flights()
    many = pa.concat_tables([table] * times)
    found = {}
    for scorer in SCORERS:
        pipeline = fit_flights(table, [f"stages.model.scorer={scorer}"])
        print(f"\nscorer: {scorer} ({pipeline.scorers['model'].note})", flush=True)
        row = one_row(pipeline, Peer(pipeline, table, 1), table, 2000, 60)
        batch = parquet_to_parquet(pipeline, Peer(pipeline, table, threads), many, threads, repeats)
        found[scorer] = {
            "one row, engine": row["engine, no value missing"],
            "one row, scikit-learn": row["scikit-learn, no value missing"],
            "one row, ratio": row["ratio, no value missing"],
            "one row with None, engine": row["engine, None"],
            "one row with None, scikit-learn": row["scikit-learn, missing"],
            "one row with None, ratio": row["ratio, None"],
            "batch, engine": batch["engine"],
            "batch, scikit-learn": batch["scikit-learn"],
            "batch, ratio": batch["ratio"],
        }
    return found


def table_of(found: Mapping[str, Mapping[str, float]], rows: int) -> str:
    """What was measured, as a table of Markdown."""
    lines = ["| work | scorer | engine, µs a row | scikit-learn, µs a row | ratio |", "|---|---|---|---|---|"]
    for work, name in (
        ("one row", "one row"),
        ("one row with None", "one row with None"),
        ("batch", f"Parquet to Parquet, {rows:,} rows"),
    ):
        for scorer, of in found.items():
            mine, theirs, ratio = (of[f"{work}, {what}"] for what in ("engine", "scikit-learn", "ratio"))
            shown = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.1f}"
            lines.append(f"| {name} | {scorer} | {mine:,.3f} | {theirs:,.3f} | {shown}× |")
    return "\n".join(lines)


def draw(found: Mapping[str, Mapping[str, float]], on: str, path: Path) -> None:
    """Bars of µs a row, logarithmic; a panel for one row and one for a batch."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
    for panel, work, title in zip(
        panels, ("one row", "batch"), ("One row", "Parquet to Parquet"), strict=True
    ):
        bars = {f"engine, {scorer}": of[f"{work}, engine"] for scorer, of in found.items()}
        bars["scikit-learn + XGBoost"] = found["native"][f"{work}, scikit-learn"]
        drawn = panel.barh(list(bars), list(bars.values()), color=["#2a6f97", "#61a5c2", "#adb5bd"])
        panel.bar_label(drawn, [f"{value:,.3g}" for value in bars.values()], padding=3)
        panel.set(xscale="log", title=title, xlabel="µs a row, logarithmic")
        panel.margins(x=0.25)
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(on, fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print a table, save a picture."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0] if __doc__ else None
    )
    parser.add_argument("--times", type=int, default=10, help="how often all flights, in the batch")
    parser.add_argument("--threads", type=int, default=2, help="on both sides, in the batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--picture", type=Path, default=Path("docs/img/pipeline.png"))
    given = parser.parse_args()
    on = ", ".join(f"{name} {value}" for name, value in machine(*_PACKAGES).items())
    print(on)
    found = measure(given.times, given.threads, given.repeats)
    print(f"\n{table_of(found, given.times * 336_776)}")
    draw(found, on, given.picture)
    print(f"\n{given.picture}")
    results: dict[str, Any] = {"machine": on, **found}
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
