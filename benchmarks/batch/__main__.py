"""Batches of flights, scored in shards: memory, time a row, busy cores, parts of the work, processes, commit.

    python -m benchmarks.batch [--times 1 10 100] [--repeats 5] [--what …] [--folder DIR] [--json FILE]

Every measurement is a process of its own, which loads the pipeline (200 trees of depth 6) before the clock
starts. What it wrote is held against one piece of work, to the bit, before its time counts. The runs of a
table take turns, and each time is the median of the better half of them: other jobs only ever add. Other work
on the machine shows in ``busy``; ``ready`` counts as used what threads of the run waited for a core that
somebody else had. `benchmarks.batch.driver` measures what many small shards cost.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.batch.case import Case, check_answers, make_case
from benchmarks.batch.once import Task, Way
from benchmarks.batch.report import lines_of
from benchmarks.measure import machine

_PACKAGES = ("xgboost", "pyarrow", "numba", "numpy", "msgspec")
_WHAT = ("size", "parts", "ways", "shards")
_QUICK_ROWS = 20_000
_FEW = 3
"""Of the greatest size, so many runs at most."""


def tasks_of(what: str, case: Case, given: argparse.Namespace, to: Path) -> dict[str, tuple[Task, int]]:
    """The runs of a table by name, each with how many times it reads the flights."""
    folder, file = {"path": str(to / "parts")}, {"path": str(to / "one.parquet")}
    middle = given.times[min(1, len(given.times) - 1)]

    def task(way: Way, source: Mapping[str, Any], sink: Mapping[str, Any], join: bool = True) -> Task:
        return Task(way, str(case.bundle), dict(source), dict(sink), given.count, join)

    if what == "size":
        return {
            f"{case.rows * times:,} rows, {name}": (task("threads", case.parquet(times), sink), times)
            for times in given.times
            for name, sink in (("folder", folder), ("one file", file))
        }
    if what == "parts":
        runs: dict[str, tuple[Task, int]] = {}
        for name, sink in (("folder", folder), ("one file", file)):
            source = case.parquet(middle)
            runs[f"whole, {name}"] = task("threads", source, sink), middle
            runs[f"parts, {name}"] = task("parts", source, sink), middle
        return runs
    if what == "shards":
        source = case.parquet(middle)
        return {
            "in one go to one file": (task("threads", source, file, join=False), middle),
            "shards to one file": (task("threads", source, file), middle),
            "shards to a folder": (task("threads", source, folder), middle),
        }
    few = given.text_times
    sources = {
        "Parquet": (case.parquet(middle), "parquet", middle),
        "CSV": (case.text("csv", few), "csv", few),
        "JSONL": (case.text("jsonl", few), "jsonl", few),
    }
    return {
        f"{name} to {name}, {way}": (task(way, source, {**folder, "format": format}), times)
        for name, (source, format, times) in sources.items()
        for way in ("threads", "processes")
    }


def measure(
    runs: Mapping[str, tuple[Task, int]], case: Case, repeats: int, to: Path
) -> dict[str, dict[str, float]]:
    """What each run takes; they take turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    most = max(times for _, times in runs.values())
    for turn in range(repeats):
        for name, (task, times) in runs.items():
            if times == most > 10 and turn >= _FEW:
                continue
            shutil.rmtree(to, ignore_errors=True)
            to.mkdir()
            found[name].append(_once(task))
            if not turn:
                check_answers(case, Path(task.sink["path"]), times)
            print(".", end="", flush=True)
    print()
    shutil.rmtree(to, ignore_errors=True)
    return {name: _typical(of) for name, of in found.items()}


def _once(task: Task) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.batch.once", msgspec.json.encode(task).decode()]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{task}\n{ran.stderr}")
    told: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return told


def _typical(of: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of the better half of each number, the greatest of memory and of shares."""
    found = {}
    for name in of[0]:
        values = sorted(each[name] for each in of)
        if name.startswith(("peak", "busy", "ready")):
            found[name] = values[-1] if name.startswith("peak") else statistics.median(values)
        else:
            found[name] = statistics.median(values[: (len(values) + 1) // 2])
    return found


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batch", description=__doc__.split("\n")[0] if __doc__ else None
    )
    parser.add_argument("--times", nargs="+", type=int, default=[1, 10, 100], help="how often all flights")
    parser.add_argument("--text-times", type=int, default=3, help="the same of CSV and JSONL")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--count", type=int, default=2, help="threads or processes")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_ROWS:,} flights, each run once")
    parser.add_argument("--what", nargs="+", choices=_WHAT, default=_WHAT)
    parser.add_argument("--folder", type=Path, help="where files are made, or are of an earlier run")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("overrides", nargs="*", help="such as stages.model.rounds=50")
    given = parser.parse_args()
    rows = None
    if given.quick:
        rows, given.times, given.text_times, given.repeats = _QUICK_ROWS, [1, 2], 1, 1
    on = machine(*_PACKAGES) | {"load": f"{os.getloadavg()[0]:.2f}"}
    print(", ".join(f"{name} {value}" for name, value in on.items()), flush=True)
    found: dict[str, Any] = {"machine": on}
    with tempfile.TemporaryDirectory(dir=given.folder and given.folder.parent) as name:
        case = make_case(given.folder or Path(name) / "case", rows, given.overrides)
        for what in given.what:
            to = Path(name) / "out"
            found[what] = measure(tasks_of(what, case, given, to), case, given.repeats, to)
            print("\n".join(["", *lines_of(what, found[what])]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
