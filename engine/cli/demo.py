"""``engine demo``: the main job on real data, and a check that batch and one row at a time agree."""

from __future__ import annotations

import time
from pathlib import Path

from engine.cli.arguments import Arguments
from engine.cli.batch import described
from engine.cli.fit import held_out, summary
from engine.cli.output import result_json, tell
from engine.cli.progress import reporting
from engine.config.compose import compose
from engine.demo import Demo, run_demo

FOLDER = Path("demo")
"""Where it writes, below the working folder."""


def run(arguments: Arguments) -> int:
    """Run the demo, and say what it did and what can be typed next."""
    began = time.perf_counter()
    config = compose(["pipeline=flights", *arguments.overrides], arguments.config_dir)
    with reporting("demo") as progress:
        found = run_demo(config, FOLDER, progress)
    seconds = time.perf_counter() - began
    if arguments.json:
        result_json(_facts(found, seconds))
    tell(_told(found, seconds))
    return 0


def _facts(demo: Demo, seconds: float) -> dict[str, object]:
    fitted = demo.pipeline.fitted
    assert fitted is not None
    return {
        "rows": demo.rows,
        "version": demo.pipeline.version,
        "parts": dict(fitted.rows),
        "part": held_out(demo.pipeline),
        "metrics": dict(fitted.metrics),
        "fit_seconds": demo.fit_seconds,
        "batch": {"rows": demo.batch.rows_in, "seconds": demo.batch.seconds},
        "one": {"rows": demo.ones.rows, "median_us": demo.ones.median},
        "compared": list(demo.ones.columns),
        "same_bits": True,
        "bundle": str(demo.bundle),
        "flights": str(demo.flights),
        "test": str(demo.held_out),
        "scores": str(demo.scores),
        "seconds": seconds,
    }


def _told(demo: Demo, seconds: float) -> str:
    compared = ", ".join(demo.ones.columns)
    lines = [
        f"{demo.rows:,} flights out of New York in 2013, with the weather: {demo.flights}",
        "",
        summary(demo.pipeline),
        f"saved version {demo.pipeline.version} in {demo.bundle}; fitting took {demo.fit_seconds:.1f} s",
        "",
        f"in batch: {described(demo.batch)}",
        f"one at a time: {demo.ones.rows:,} of these rows, {demo.ones.median:.0f} µs for a row (median)",
        f"both gave the same bits in each of those rows: {compared}",
        "",
        f"{seconds:.0f} s in all. What to type next:",
        f"  engine explain bundle={demo.bundle}",
        f"  engine evaluate bundle={demo.bundle} source.path={demo.held_out}",
        f"  engine batch bundle={demo.bundle} source.path={demo.held_out} sink.path={FOLDER}/strict.parquet "
        "sink.mode=replace stages.decide.at=0.8",
        f"  engine fit pipeline=flights source.path={demo.flights} stages.model.rounds=50",
    ]
    return "\n".join(lines)
