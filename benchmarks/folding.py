"""What folding preparation into the model saves, on the flights: loading, preparation and scoring apart.

    python -m benchmarks.folding [--rounds 15] [--json FILE]

One thread, the flights in memory, the best of many rounds in turn, with folding and without; then the same
with ``dest`` as one-hot columns instead of one number. Answers are compared first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import engine
from benchmarks.flights import Seen, fit_flights
from benchmarks.measure import machine, seconds_of
from engine.compile.program import Program
from engine.decode import TableDecoder
from engine.demo import read_flights

_VARIANTS: Mapping[str, tuple[str, ...]] = {
    "as packaged": (),
    "dest one-hot": ("stages.dest.use=onehot", "stages.dest.min_count=100"),
}
_ROWS = 65_536


class Side:
    """One pipeline, with folding or without.

    Parameters
    ----------
    pipeline : engine.Pipeline
        Fitted.
    folding : bool
    table : pyarrow.Table
        In one chunk a column.
    """

    def __init__(self, pipeline: engine.Pipeline, folding: bool, table: pa.Table) -> None:
        self._fitted, self._folding = pipeline, folding
        self.pipeline = self._load()
        layout = self.pipeline.layout
        decoder = TableDecoder(
            pipeline.plan.inputs, layout.reads, layout.vocabularies, as_stored=layout.reads
        )
        decoded = decoder.decode(table)
        self._rows, self._columns = decoded.rows, {**decoded.columns, **decoded.stored}
        self._table = table
        self._scorer = self.pipeline._running[1]["model"]
        seen: Any = Seen(self._scorer)
        Program(layout, {"model": seen}).many(self._rows, self._columns)
        self._features = seen.features
        self.computed = len(layout.segments[0].roots)

    def _load(self) -> engine.Pipeline:
        made = engine.Pipeline(self._fitted.plan, self._fitted.learned, folding=self._folding)
        _ = made.program
        return made

    def answers(self) -> pa.Table:
        """What the pipeline answers."""
        return self.pipeline.predict_many(self._table)

    def ways(self) -> dict[str, Callable[[], Any]]:
        """What is timed; all but loading for every row."""
        program = self.pipeline.program
        return {
            "loading": self._load,
            "scoring": lambda: [self._scorer.many(part) for part in self._features],
            "program": lambda: program.many(self._rows, self._columns),
            "table to table": self.answers,
        }


def measure(pipeline: engine.Pipeline, table: pa.Table, rounds: int) -> dict[str, dict[str, float]]:
    """Features computed, loading in ms, and ns a row, without folding and with it."""
    sides = {"not folded": Side(pipeline, False, table), "folded": Side(pipeline, True, table)}
    if not sides["folded"].answers().equals(sides["not folded"].answers()):
        raise SystemExit("folding changes answers")
    ways = {(name, what): run for name, side in sides.items() for what, run in side.ways().items()}
    best = {key: seconds_of(run) for key, run in ways.items()}
    for _ in range(rounds):
        for key, run in ways.items():
            best[key] = min(best[key], seconds_of(run))
    found = {}
    for name, side in sides.items():
        each = {
            what: best[name, what] / table.num_rows * 1e9 for what in ("scoring", "program", "table to table")
        }
        found[name] = {
            "features computed": side.computed,
            "loading, ms": best[name, "loading"] * 1e3,
            "preparation, ns a row": each["program"] - each["scoring"],
            "scoring, ns a row": each["scoring"],
            "table to table, ns a row": each["table to table"],
            "one row, µs": _one_row(side.pipeline, table),
        }
    return found


def _one_row(pipeline: engine.Pipeline, table: pa.Table) -> float:
    rows = table.slice(0, 2000).to_pylist()
    taken = []
    for _ in range(5):
        for row in rows:
            start = time.perf_counter_ns()
            pipeline.predict_one(row)
            taken.append(time.perf_counter_ns() - start)
    return float(np.median(taken)) / 1000


def main() -> None:
    """Print a table for each variant of the pipeline."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    given = parser.parse_args()
    flights = read_flights()
    results: dict[str, Any] = {"machine": machine("numba", "numpy", "pyarrow")}
    print(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    for name, overrides in _VARIANTS.items():
        pipeline = fit_flights(flights, overrides)
        table = flights.slice(0, _ROWS).select([*pipeline.inputs, *pipeline.plan.keep]).combine_chunks()
        found = results[name] = measure(pipeline, table, given.rounds)
        print(f"\n{name:<26} {'not folded':>12} {'folded':>12}\n")
        for what in found["folded"]:
            print(f"{what:<26} {found['not folded'][what]:>12,.1f} {found['folded'][what]:>12,.1f}")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
