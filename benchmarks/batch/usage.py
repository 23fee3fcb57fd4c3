"""What a run takes of the machine, and what others take meanwhile."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LOOKED_EVERY = 0.02


@dataclass
class Usage:
    """Seconds.

    Parameters
    ----------
    wall : float
    processor : float
        User and system time of all threads, and of child processes that have ended.
    queued : float
        For which threads could have run and had no processor: other work had it.
    idle : float
        For which processors had nothing to do, each counted.
    """

    wall: float = 0.0
    processor: float = 0.0
    queued: float = 0.0
    idle: float = 0.0
    _seen: dict[int, int] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        return len(os.sched_getaffinity(0))

    @property
    def busy(self) -> float:
        """The share of all cores' time that was used."""
        return self.processor / (self.wall * self.cores)

    @property
    def ready(self) -> float:
        """The same, with the time for which threads waited for a core that other work had."""
        return (self.processor + self.queued) / (self.wall * self.cores)


@contextmanager
def measured() -> Iterator[Usage]:
    """The usage of a block, complete once it is left."""
    usage, ended = Usage(), threading.Event()
    before = _queued()

    def look() -> None:
        while not ended.wait(_LOOKED_EVERY):
            usage._seen |= _queued()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    began, spent, idle = time.perf_counter(), _processor(), _idle()
    try:
        yield usage
    finally:
        usage.wall = time.perf_counter() - began
        usage.processor = _processor() - spent
        usage.idle = _idle() - idle
        ended.set()
        watcher.join()
        usage._seen |= _queued()
        usage._seen.pop(watcher.native_id or 0, None)
        usage.queued = sum(each - before.get(of, 0) for of, each in usage._seen.items()) / 1e9


def peak() -> int:
    """The most memory that this process ever had, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def _processor() -> float:
    every = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in every)


def _queued() -> dict[int, int]:
    """The nanoseconds that each thread of this process waited for a processor."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            found[int(task.name)] = int((task / "schedstat").read_text().split()[1])
        except OSError:  # it has ended meanwhile, or the system doesn't tell
            continue
    return found


def _idle() -> float:
    """Seconds for which processors had nothing to do since the machine began."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")
