"""The server beside its peers, the load generator beside it on one machine: one row, and a thousand.

    python -m benchmarks.serving [--repeats 5] [--seconds 3] [--quick] [--json FILE] [--peers DIR]

The flights' pipeline. Every server runs on one core, the load generator (wrk) on another. Peers are a bare
echo on the same stack, FastAPI with scikit-learn and XGBoost, and MLServer with the trees alone, on features
that were prepared before (``mlserver``: in its own process; ``mlserver-1``: in one worker process, as is its
default); their environments are made below ``--peers``. Answers are compared before anything is measured;
numbers are medians of runs in turn. Processor time is a server's own, and what other jobs disturb least.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.serving.case import MANY, make_case
from benchmarks.serving.load import need_tools
from benchmarks.serving.peers import NAMES, Peer, make_peer
from benchmarks.serving.report import lines_of_many, lines_of_ones, lines_of_ratios, ratios
from benchmarks.serving.server import Running, Server, running
from benchmarks.serving.turns import compare, in_turn

_PACKAGES = ("uvicorn", "uvloop", "httptools", "msgspec", "xgboost", "numba", "numpy", "pyarrow")
_QUIET = 0.5
_WHAT = ("one", "many", "start")


def seconds_to_start(server: Server, times: int) -> float:
    """The median from the command to ready; the caches are warm, the core isn't chosen."""
    taken = []
    for _ in range(times):
        with running(server) as started:
            taken.append(started.seconds)
    return statistics.median(taken)


def measure(peers: Sequence[Peer], given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What the arguments ask for; printed as it comes."""
    server_core, client_core = sorted(os.sched_getaffinity(0))[:2]
    found: dict[str, Any] = {}
    started: dict[str, Running] = {}
    with contextlib.ExitStack() as stack:
        for peer in peers:
            print(f"starting {peer.server.name} {f'({peer.versions})' if peer.versions else ''}", flush=True)
            started[peer.server.name] = stack.enter_context(running(peer.server, server_core))
        ones = [way for peer in peers for way in peer.one if "one" in given.what]
        many = [way for peer in peers for way in peer.many if "many" in given.what]
        compare([*ones, *many])
        if ones:
            found["one row"] = in_turn(ones, started, folder, given.repeats, given.seconds, client_core)
            print("\n".join(["", *lines_of_ones(found["one row"])]), flush=True)
        if many:
            found[f"{MANY} rows"] = in_turn(many, started, folder, given.repeats, given.seconds, client_core)
            print("\n".join(["", *lines_of_many(found[f"{MANY} rows"], MANY)]), flush=True)
    engine = [peer.server for peer in peers if peer.server.name == "engine"]
    if "start" in given.what and engine:
        found["start"] = seconds_to_start(engine[0], given.starts)
    return found


def main() -> None:
    """Print tables and ratios."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__.split("\n")[0] if __doc__ else None
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--starts", type=int, default=5, help="how often the engine's start is timed")
    parser.add_argument("--quick", action="store_true", help="--repeats 1 --seconds 1 --starts 1")
    parser.add_argument(
        "--servers", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument(
        "--what", nargs="+", choices=_WHAT, default=_WHAT, help="one row, many rows, the start"
    )
    parser.add_argument(
        "--engine",
        default=shlex.join([sys.executable, "-m", "engine"]),
        help="the command of another version",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        default=Path("~/.cache/engine-benchmarks"),
        help="where the peers' environments are, or are made",
    )
    parser.add_argument("--json", type=Path, help="write the numbers there")
    given = parser.parse_args()
    if given.quick:
        given.repeats = given.seconds = given.starts = 1
    need_tools()
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("the benchmark needs two cores: one for a server, one for the load generator")
    on = machine(*_PACKAGES) | {"load": f"{os.getloadavg()[0]:.2f}"}
    print(", ".join(f"{name} {value}" for name, value in on.items()), flush=True)
    if os.getloadavg()[0] > _QUIET:
        print("other jobs run on this machine, and disturb", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = make_case(folder)
        environments = given.peers.expanduser().resolve()
        peers = [
            make_peer(each, case, folder, environments, shlex.split(given.engine)) for each in given.servers
        ]
        found = measure(peers, given, folder)
    found["ratios"] = ratios(found)
    print("\n".join(["", *lines_of_ratios(found["ratios"])]))
    found = {"machine": on, "peers": {p.server.name: p.versions for p in peers if p.versions}, **found}
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
