"""Shards one after the other in the thread that asks: of a source that only it can read, and only once."""

from __future__ import annotations

from engine.runtime.shards.score import try_shard
from engine.runtime.shards.work import Work


class Alone:
    """Runs shards in this thread, so that a signal ends the wait for rows."""

    def run(self, work: Work) -> None:
        """Score every shard, each once."""
        for shard in work.shards:
            work.settle(try_shard(work.job, shard, work.state, told=work.told))
