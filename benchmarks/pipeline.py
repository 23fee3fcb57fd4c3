"""The whole flights pipeline beside scikit-learn with the same trees: Parquet to Parquet, and one row.

    python -m benchmarks.pipeline [--times 1 10] [--threads 2] [--repeats 3] [--quick] [--json FILE]

scikit-learn's side is pandas' ``read_parquet``, a ``ColumnTransformer``, an ``XGBClassifier`` with the
engine's own trees and ``to_parquet``. The two sides' answers are compared before a time is printed; times are
medians of runs in turn. What is typed with ``=`` in it overrides the pipeline's config.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

import engine
from benchmarks.flights import Peer, Seen, fit_flights
from benchmarks.measure import machine, seconds_of
from engine.compile.folding import fold_models
from engine.compile.layout import lay_out
from engine.compile.program import Program
from engine.decode import TableDecoder
from engine.demo import read_flights
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source

PHASES = ("reading", "decoding", "preparation", "scoring", "writing")
"""What the engine does to rows, in order."""

_BATCH = 131_072
_PACKAGES = ("xgboost", "scikit-learn", "pandas", "pyarrow", "numba", "numpy")


# -- Parquet to Parquet


def parquet_to_parquet(
    pipeline: engine.Pipeline, peer: Peer, table: pa.Table, threads: int, repeats: int
) -> dict[str, float]:
    """Median µs a row of both, by the clock and of processor time; their ratios; the engine's phases."""
    with tempfile.TemporaryDirectory() as folder:
        source, mine, theirs = (Path(folder) / f"{name}.parquet" for name in ("flights", "mine", "theirs"))
        pq.write_table(table, source)
        columns = [*pipeline.inputs, *(n for n in pipeline.plan.keep if n not in pipeline.inputs)]

        def run_engine() -> None:
            mine.unlink(missing_ok=True)  # what is there already wouldn't be done again
            run_batch(pipeline, open_source(_file(source)), open_sink(_file(mine)), threads=threads)

        def run_peer() -> None:
            frame = pd.read_parquet(source, columns=columns)
            out = frame[list(pipeline.plan.keep)].copy()
            out["score"] = peer.score(frame)
            out["late"] = out["score"] >= 0.5
            out.to_parquet(theirs)

        run_engine()
        run_peer()
        compare(pq.read_table(mine), pq.read_table(theirs))
        wall: dict[str, list[float]] = {"engine": [], "scikit-learn": []}
        busy: dict[str, list[float]] = {"engine": [], "scikit-learn": []}
        for _ in range(repeats):
            for name, run in (("engine", run_engine), ("scikit-learn", run_peer)):
                before = time.process_time()
                wall[name].append(seconds_of(run) / table.num_rows * 1e6)
                busy[name].append((time.process_time() - before) / table.num_rows * 1e6)
        found = {name: statistics.median(list_) for name, list_ in wall.items()}
        found |= {f"{name}, processor": statistics.median(list_) for name, list_ in busy.items()}
        found["ratio"] = found["scikit-learn"] / found["engine"]
        found["ratio, processor"] = found["scikit-learn, processor"] / found["engine, processor"]
        parts = [phases(pipeline, source, Path(folder) / "phases.parquet") for _ in range(repeats)]
    for name in parts[0]:
        found[name] = statistics.median(part[name] for part in parts) / table.num_rows * 1e6
    return found


def _file(path: Path) -> dict[str, Any]:
    return {
        "use": "auto",
        "path": str(path),
        **({} if path.name == "flights.parquet" else {"mode": "replace"}),
    }


def compare(mine: pa.Table, theirs: pa.Table) -> None:
    """See that both wrote the same columns, rows and decisions, and the same bits of nearly all scores."""
    if mine.schema.names != theirs.schema.names:
        raise SystemExit(f"the engine wrote {mine.schema.names}, scikit-learn {theirs.schema.names}")
    for name in mine.schema.names:
        if name != "score" and not pc.all(pc.equal(mine[name], theirs[name]).fill_null(True)).as_py():
            raise SystemExit(f"the two sides differ in {name}")
    same_bits(mine["score"].to_numpy(), theirs["score"].to_numpy())


def same_bits(mine: NDArray[Any], theirs: NDArray[Any]) -> None:
    equal, far = float((mine == theirs).mean()), float(np.abs(mine - theirs).max())
    print(f"scores of {len(mine):,} rows: {equal:.3%} equal to the bit, the farthest {far:.1e} apart")
    # the two may round a feature's last digit differently, and so fall on two sides of a threshold
    if far > 0.05 or equal < 0.99:
        raise SystemExit("the two sides don't do the same work")


def phases(pipeline: engine.Pipeline, source: Path, to: Path) -> dict[str, float]:
    """Seconds of one thread in each phase of the same work; preparation is the program's less scoring's."""
    layout, scorers = fold_models(lay_out(pipeline.trace, pipeline.scorers), pipeline.scorers)
    ((label, scorer),) = scorers.items()
    seen: Any = Seen(scorer)
    looking = Program(layout, {label: seen})
    program = pipeline.program
    decoder = TableDecoder(pipeline.plan.inputs, layout.reads, layout.vocabularies, as_stored=layout.reads)
    categories = [name for name, kind in pipeline.inputs.items() if kind == "category"]
    coded = [*categories, *(name for name in pipeline.plan.keep if name not in pipeline.inputs)]
    answers = []
    found = dict.fromkeys(PHASES, 0.0)
    batches = open_source(_file(source)).batches(list(pipeline.reads), _BATCH, coded)
    clock = time.perf_counter
    while True:
        start = clock()
        batch = next(batches, None)
        found["reading"] += clock() - start
        if batch is None:
            break
        start = clock()
        decoded = decoder.decode(batch)
        columns = {**decoded.columns, **decoded.stored}
        found["decoding"] += clock() - start
        seen.features.clear()
        looking.many(decoded.rows, columns)
        start = clock()
        for features in seen.features:
            scorer.many(features)
        scoring = clock() - start
        found["scoring"] += scoring
        start = clock()
        scored: Any = program.many(decoded.rows, columns)["score"]
        found["preparation"] += clock() - start - scoring
        answers.append(pipeline.score_batch(batch)[0])
        if not np.array_equal(scored, answers[-1]["score"].to_numpy()):
            raise SystemExit("the phases don't do the pipeline's work")
    start = clock()
    with open_sink(_file(to)).open(answers[0].schema) as writer:
        for answer in answers:
            writer.write(answer)
    found["writing"] = clock() - start
    return found


# -- one row


def one_row(
    pipeline: engine.Pipeline, peer: Peer, table: pa.Table, rows: int, frames: int
) -> dict[str, float]:
    """Median µs of one row: dicts without missing values, with None and with absent keys; one-row frames."""
    columns = [*pipeline.inputs, *(n for n in pipeline.plan.keep if n not in pipeline.inputs)]
    table = table.select(columns)
    whole = np.logical_and.reduce([pc.is_valid(table[name]).to_numpy() for name in pipeline.inputs])
    full, holed = (
        table.take(pa.array(np.random.default_rng(0).choice(np.flatnonzero(mask), rows, replace=False)))
        for mask in (whole, ~whole)
    )
    with_none = holed.to_pylist()
    absent = [{name: value for name, value in row.items() if value is not None} for row in with_none]
    full_frame, holed_frame = full.to_pandas(), holed.to_pandas()
    mine = [pipeline.predict_one(row)["score"] for row in with_none]
    if mine != [pipeline.predict_one(row)["score"] for row in absent]:
        raise SystemExit("None and an absent key give different answers")
    same_bits(np.array(mine, np.float32), peer.score(holed_frame))
    predict = pipeline.predict_one
    ways: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
        "engine, no value missing": (predict, full.to_pylist()),
        "engine, None": (predict, with_none),
        "engine, absent": (predict, absent),
        "scikit-learn, no value missing": (peer.score, _frames(full_frame, frames)),
        "scikit-learn, missing": (peer.score, _frames(holed_frame, frames)),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(5):
        for name, (run, given) in ways.items():
            taken[name] += _each(run, given)
    found = {name: statistics.median(list_) for name, list_ in taken.items()}
    found["ratio, no value missing"] = (
        found["scikit-learn, no value missing"] / found["engine, no value missing"]
    )
    found["ratio, None"] = found["scikit-learn, missing"] / found["engine, None"]
    return found


def _frames(frame: pd.DataFrame, count: int) -> list[pd.DataFrame]:
    return [frame.iloc[[i]] for i in range(count)]


def _each(run: Callable[[Any], Any], given: Sequence[Any]) -> list[float]:
    taken = []
    for each in given:
        start = time.perf_counter_ns()
        run(each)
        taken.append((time.perf_counter_ns() - start) / 1000)
    return taken


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--times", nargs="+", type=int, default=[1, 10], help="how often all flights")
    parser.add_argument("--threads", type=int, default=2, help="on both sides")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="the flights once, fewer single rows")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("overrides", nargs="*", help="such as stages.model.rounds=50")
    given = parser.parse_args()

    table = read_flights()
    pipeline = fit_flights(table, given.overrides)
    results: dict[str, Mapping[str, Any]] = {"machine": machine(*_PACKAGES)}
    print(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    print(pipeline.scorers["model"].note)

    found = one_row(pipeline, Peer(pipeline, table, 1), table, 2000, 10 if given.quick else 60)
    results["one row"] = found
    print("\none row: median µs\n")
    for name, value in found.items():
        print(f"  {name:<32} {value:>10,.1f}{'×' if name.startswith('ratio') else ''}")

    peer = Peer(pipeline, table, given.threads)
    for times in [1] if given.quick else given.times:
        many = pa.concat_tables([table] * times)
        found = parquet_to_parquet(pipeline, peer, many, given.threads, given.repeats)
        results[f"{many.num_rows} rows"] = found
        print(f"\nParquet to Parquet, {many.num_rows:,} rows, {given.threads} threads: median µs a row\n")
        print(f"  {'':<16} {'µs':>8} {'rows/s':>12} {'µs of all threads':>20}")
        for name in ("engine", "scikit-learn"):
            each, busy = found[name], found[f"{name}, processor"]
            print(f"  {name:<16} {each:>8.3f} {1e6 / each:>12,.0f} {busy:>20.3f}")
        print(f"  {'ratio':<16} {found['ratio']:>7.1f}× {'':>12} {found['ratio, processor']:>19.1f}×")
        print("\n  the engine's work in one thread: µs a row")
        for name in PHASES:
            print(f"    {name:<14} {found[name]:>8.3f}")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
