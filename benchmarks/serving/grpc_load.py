"""A request over gRPC, and the load generator: one call after the other, the message built before.

python -m benchmarks.serving.grpc_load PORT FILE SECONDS
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import grpc  # type: ignore[import-untyped, unused-ignore]

from benchmarks.serving.load import Load
from benchmarks.serving.oip import METHOD
from benchmarks.serving.request import Reply, Request


def ask(port: int, request: Request) -> Reply:
    """The answer to one request.

    Raises
    ------
    SystemExit
        The server refuses it.
    """
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            return Reply(200, {}, channel.unary_unary(request.path)(request.body, timeout=60))
    except grpc.RpcError as error:
        raise SystemExit(f"gRPC, port {port}: {error.code().name}: {error.details()}") from None


def run(body: Path, port: int, seconds: float, core: int) -> Load:
    """Calls for so long, from a process of its own on a core."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "benchmarks.serving.grpc_load"]
    command += [str(port), str(body), str(seconds)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds + 60, check=True)
    return Load(**json.loads(ran.stdout))


def main() -> None:
    """Call, and print what was measured."""
    port, body, seconds = int(sys.argv[1]), Path(sys.argv[2]).read_bytes(), float(sys.argv[3])
    taken: list[float] = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD)
        call(body, timeout=60)
        start = before = time.perf_counter()
        while before - start < seconds:
            call(body, timeout=60)
            now = time.perf_counter()
            taken.append((now - before) * 1e6)
            before = now
    p99 = sorted(taken)[int(0.99 * len(taken))]
    print(
        json.dumps(
            {
                "requests": len(taken),
                "per_second": len(taken) / (before - start),
                "p50": statistics.median(taken),
                "p99": p99,
            }
        )
    )


if __name__ == "__main__":
    main()
