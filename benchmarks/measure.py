"""Medians of several runs in turn, and what they ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def seconds_of(run: Callable[[], Any]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def medians_in_turn(runs: Sequence[Callable[[], Any]], seconds: float, rounds: int = 5) -> list[float]:
    """The median seconds of each of several runs, which take turns, so that noise meets all alike.

    Parameters
    ----------
    runs : sequence of callable
    seconds : float
        About so long for each; what takes less is repeated within a round.
    rounds : int
        How often each has its turn; at least three times, however slow it is.
    """
    once = [_once(run) for run in runs]
    turns = [max(3, min(rounds, round(seconds / each))) for each in once]
    repeats = [max(1, min(2000, int(seconds / n / each))) for n, each in zip(turns, once, strict=True)]
    taken: list[list[float]] = [[] for _ in runs]
    for number in range(max(turns)):
        for run, n, repeat, list_ in zip(runs, turns, repeats, taken, strict=True):
            if number < n:
                start = time.perf_counter()
                for _ in range(repeat):
                    run()
                list_.append((time.perf_counter() - start) / repeat)
    return [statistics.median(list_) for list_ in taken]


def _once(run: Callable[[], Any]) -> float:
    first = seconds_of(run)
    return first if first > 0.1 else seconds_of(run)


def machine(*packages: str) -> dict[str, str]:
    """The processor and the versions of what runs on it."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "Python": platform.python_version(),
    }
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
