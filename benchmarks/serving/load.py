"""The load generator: wrk on a core of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Load:
    """What one run measured.

    Parameters
    ----------
    requests : int
    per_second : float
        Requests answered a second.
    p50, p99 : float
        µs from a request to its answer.
    """

    requests: int
    per_second: float
    p50: float
    p99: float


def need_tools() -> None:
    """See that the tools are there.

    Raises
    ------
    SystemExit
        Says how to get the one that is missing.
    """
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            raise SystemExit(
                f"the benchmark needs {tool}; on Debian and Ubuntu: apt-get install {package}"
                + (" (elsewhere: https://github.com/wg/wrk)" if tool == "wrk" else "")
            )


def run_wrk(requests: Path, port: int, connections: int, seconds: float, core: int) -> Load:
    """Send the requests of a file in turn for so long over so many connections.

    Raises
    ------
    SystemExit
        A request wasn't answered, or not with 200.
    """
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s"]
    command += ["--timeout", "30s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}/", "--", str(requests)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    if ran.returncode:
        raise SystemExit(f"wrk ended with {ran.returncode}: {ran.stderr.strip() or ran.stdout.strip()}")
    found = json.loads(ran.stdout.strip().rpartition("\n")[2])
    if found["refused"] or found["broken"] or not found["requests"]:
        raise SystemExit(f"port {port}, {connections} connections: not every request was answered: {found}")
    return Load(found["requests"], found["requests"] / found["seconds"], found["p50"], found["p99"])
