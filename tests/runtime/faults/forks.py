"""A process that has imported the engine, and forks one that runs a command each time that it is asked.

A child is what ``python -m engine …`` is, without the second that imports take.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Child:
    """A command that runs, or has ended."""

    server: Forks
    pid: int
    said: Path

    def wait(self) -> Ended:
        """Wait until it ends; a signal that ended it is a negative code."""
        code = self.server.ask({"wait": self.pid})
        out, err = (self.said.with_suffix(end).read_text() for end in (".out", ".err"))
        return Ended(code, out, err)

    def wait_for_stop(self) -> None:
        """Wait until SIGSTOP has stopped it."""
        for _ in range(6000):
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                return
            assert state != "Z", self.wait()
            time.sleep(0.005)
        raise TimeoutError

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


@dataclass
class Ended:
    code: int
    out: str
    err: str

    def done(self) -> None:
        """See that it ended well."""
        assert self.code == 0, (self.code, self.err)

    @property
    def told(self) -> dict[str, Any]:
        """What ``--json`` printed."""
        self.done()
        return json.loads(self.out)  # type: ignore[no-any-return]


class Forks:
    """The process that forks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        root = str(Path(__file__).parents[3])
        environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start(self, argv: list[str], **environment: str) -> Child:
        """Run ``engine`` with these arguments."""
        self._count += 1
        said = self._folder / f"said-{self._count}"
        pid = self.ask({"argv": argv, "environment": environment, "said": str(said)})
        return Child(self, pid, said)

    def ask(self, question: dict[str, Any]) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _serve() -> None:
    import engine.api
    import engine.cli.batch
    import engine.runtime.shards.files

    # what every run loads: Hydra, numba and what kernels need of it
    engine.compose(["pipeline=flights"])
    stages = {"clip": {"use": "clip", "columns": ["n"], "lo": 0, "hi": 50}}
    engine.build(engine.Config({"name": "tiny", "inputs": {"n": "number"}, "stages": stages})).predict_one(
        {"n": 1.0}
    )
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                os._exit(_run(question))
        print(answer, flush=True)


def _run(question: dict[str, Any]) -> int:
    from engine.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, end in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(question["said"] + end, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    environment = question["environment"]
    os.environ.update(environment)
    if "FILE_BYTES" in environment:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(environment["FILE_BYTES"]), hard))
    if "DROP_LOCK" in environment:
        _drop_locks()
    code = main(question["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _drop_locks() -> None:
    """Be as blind as in an object store: every driver takes itself for one of many."""
    from engine.runtime.store.disk import DiskStore

    @contextmanager
    def lock(self: DiskStore, name: str) -> Iterator[bool]:
        yield False

    DiskStore.lock = lock  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve()
