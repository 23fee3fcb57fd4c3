"""Ways to ask, compared first, then measured in turn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import grpc_load
from benchmarks.serving.load import Load, run_wrk
from benchmarks.serving.peers import Way
from benchmarks.serving.request import Reply, ask, write
from benchmarks.serving.server import Running

CONNECTIONS = (1, 16)


@dataclass(frozen=True)
class Run:
    """What was measured once; ``busy`` is the server's processor time a request, in µs."""

    connections: int
    load: Load
    busy: float


Found = dict[str, dict[str, float]]


def compare(ways: Sequence[Way]) -> None:
    """See that everybody answers as wanted.

    Raises
    ------
    SystemExit
        Somebody doesn't.
    """
    for way in ways:
        if wrong := way.check(_ask(way)):
            raise SystemExit(f"{way.name}: {wrong}")


def _ask(way: Way) -> list[Reply]:
    if way.grpc:
        return [grpc_load.ask(way.port, request) for request in way.requests]
    return ask(way.port, way.requests)


def in_turn(
    ways: Sequence[Way],
    servers: Mapping[str, Running],
    folder: Path,
    repeats: int,
    seconds: int,
    core: int,
) -> Found:
    """Medians of requests a second, of latencies and of processor time a request in µs, by way.

    gRPC has one connection only.
    """
    taken: dict[str, list[Run]] = {way.name: [] for way in ways}
    for number, way in enumerate(ways):
        path = folder / f"{number}.requests"
        if way.grpc:
            path.write_bytes(way.requests[0].body)
        else:
            write(way.requests, way.port, path)
    # what is slow the first time is no part of it
    for number, way in enumerate(ways):
        _run(way, folder / f"{number}.requests", CONNECTIONS[-1], 1, core)
    for _ in range(repeats):
        for number, way in enumerate(ways):
            for connections in CONNECTIONS[: 1 if way.grpc else None]:
                before = servers[way.server].busy()
                load = _run(way, folder / f"{number}.requests", connections, seconds, core)
                busy = (servers[way.server].busy() - before) / load.requests * 1e6
                taken[way.name].append(Run(connections, load, busy))
    return {name: _medians(runs) for name, runs in taken.items()}


def _run(way: Way, requests: Path, connections: int, seconds: int, core: int) -> Load:
    if way.grpc:
        return grpc_load.run(requests, way.port, seconds, core)
    return run_wrk(requests, way.port, connections, seconds, core)


def _medians(runs: Sequence[Run]) -> dict[str, float]:
    found: dict[str, float] = {}
    for connections in sorted({run.connections for run in runs}):
        these = [run for run in runs if run.connections == connections]
        for what, values in (
            ("requests/s", [run.load.per_second for run in these]),
            ("p50", [run.load.p50 for run in these]),
            ("p99", [run.load.p99 for run in these]),
            ("processor", [run.busy for run in these]),
        ):
            found[f"{what}, {connections}"] = statistics.median(values)
    return found
