"""A worker's process, as the supervisor has it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys

from engine.runtime.serve.channel import Channel


class Process:
    """A worker's process, which waits to be told what to do.

    Parameters
    ----------
    command : sequence of str
        Begins a worker; the number of a descriptor follows.
    """

    def __init__(self, command: list[str]) -> None:
        here, there = socket.socketpair()
        environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ}  # nothing here needs more
        with there:
            try:
                self.popen = subprocess.Popen(
                    [*command, str(there.fileno())],
                    pass_fds=[there.fileno()],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                )
            except OSError:
                here.close()
                raise
        self.channel = Channel(here)
        self.gone = asyncio.Event()

    def end(self) -> int:
        """Kill it, and wait until it is gone."""
        self.popen.kill()
        code = self.popen.wait()
        self.channel.end.close()
        return code


def start(command: list[str]) -> Process:
    """Begin a worker, which imports what it needs while the supervisor composes its config."""
    return Process(command)


def worker_command() -> list[str]:
    """What begins a worker."""
    return [sys.executable, "-m", "engine.cli.worker"]
