"""How far a run is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from engine.runtime.shards.plan import Receipt, Shard


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a run is.

    Parameters
    ----------
    rows : int
        Read so far, by earlier processes of this run, too.
    total : int or None
        Rows in all, if that is known.
    share : float
        Done, from 0 to 1: of the rows, or where nobody knows how many there are, of the bytes of done shards.
    shards, of : int
        Done, and in all.
    earlier : int
        Rows that were done before this process began.
    """

    rows: int
    total: int | None
    share: float
    shards: int
    of: int
    earlier: int


class PaceKeeper:
    """Adds up what is told of shards, from any thread.

    Parameters
    ----------
    shards : sequence of Shard
        All of the run.
    done : sequence of Receipt
        Those that were there before.
    """

    def __init__(self, shards: Sequence[Shard], done: Sequence[Receipt]) -> None:
        self._lock = threading.Lock()
        self._shards = {shard.index: shard for shard in shards}
        counts = [shard.rows for shard in shards]
        self._total = None if None in counts else sum(count or 0 for count in counts)
        self._bytes = sum(shard.size for shard in shards)
        self._earlier = self._rows = sum(receipt.rows_in for receipt in done)
        self._done_bytes = sum(self._shards[receipt.shard].size for receipt in done)
        self._done = len(done)
        self._under_way: dict[int, int] = {}

    def told(self, shard: int, rows: int) -> None:
        """So many rows more were read of a shard."""
        with self._lock:
            self._under_way[shard] = self._under_way.get(shard, 0) + rows

    def done(self, receipt: Receipt) -> None:
        """A shard is done."""
        with self._lock:
            self._under_way.pop(receipt.shard, None)
            self._rows += receipt.rows_in
            self._done_bytes += self._shards[receipt.shard].size
            self._done += 1

    def failed(self, shard: int) -> None:
        """An attempt was for nothing."""
        with self._lock:
            self._under_way.pop(shard, None)

    def now(self) -> Pace:
        """How far the run is."""
        with self._lock:
            rows = self._rows + sum(self._under_way.values())
            if self._total:
                share = rows / self._total
            else:
                share = self._done_bytes / self._bytes if self._bytes else self._done / len(self._shards)
            return Pace(rows, self._total, min(share, 1.0), self._done, len(self._shards), self._earlier)
