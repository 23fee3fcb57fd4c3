"""Ways to ask, compared first, then measured in turn."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving import grpc_load
from benchmarks.serving.load import Load, run_wrk
from benchmarks.serving.peers import Way
from benchmarks.serving.request import Reply, ask, write

CONNECTIONS = (1, 16)

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


def in_turn(ways: Sequence[Way], folder: Path, repeats: int, seconds: int, core: int) -> Found:
    """Medians of requests a second and of latencies in µs, by way; gRPC on one connection only."""
    taken: dict[str, list[tuple[int, Load]]] = {way.name: [] for way in ways}
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
                load = _run(way, folder / f"{number}.requests", connections, seconds, core)
                taken[way.name].append((connections, load))
    return {name: _medians(loads) for name, loads in taken.items()}


def _run(way: Way, requests: Path, connections: int, seconds: int, core: int) -> Load:
    if way.grpc:
        return grpc_load.run(requests, way.port, seconds, core)
    return run_wrk(requests, way.port, connections, seconds, core)


def _medians(loads: Sequence[tuple[int, Load]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for connections in sorted({number for number, _ in loads}):
        these = [load for number, load in loads if number == connections]
        for what, values in (
            ("requests/s", [load.per_second for load in these]),
            ("p50", [load.p50 for load in these]),
            ("p99", [load.p99 for load in these]),
        ):
            found[f"{what}, {connections}"] = statistics.median(values)
    return found
