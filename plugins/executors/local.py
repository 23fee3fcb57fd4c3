"""Threads of this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.executor import ExecutorPlugin, executor, option

if TYPE_CHECKING:
    from engine.runtime.shards.work import Work


@executor("local")
class LocalExecutor(ExecutorPlugin):
    """Shards in threads of this process, one shard a thread; who finds none left helps with another's.

    Examples
    --------
    >>> LocalExecutor(threads=2)
    LocalExecutor(threads=2, attempts=3)
    """

    threads: int | None = option(None, ge=1, le=4096, help="null: one for each processor")
    attempts: int = option(3, ge=1, le=100, help="how often a shard is tried where a fault may pass")

    def run(self, work: Work) -> None:
        from engine.runtime.executors.local import Threads

        Threads(self.threads or len(os.sched_getaffinity(0)), self.attempts).run(work)
