"""A file that says how far a run is, for whoever watches it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from engine.errors import DataError
from engine.runtime.shards.pace import PaceKeeper
from engine.runtime.shards.sink import RunState

SECONDS = 5.0
"""Between two beats."""


@contextmanager
def beating(state: RunState, run_id: str, keeper: PaceKeeper) -> Iterator[None]:
    """Write ``heartbeat.json`` now, every few seconds, and at the end."""
    ended = threading.Event()
    began = time.time()

    def beat() -> None:
        pace = keeper.now()
        with suppress(DataError):  # a sink that can't be written is told of by who writes to it
            state.beat(
                run_id,
                {
                    "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "seconds": round(time.time() - began, 3),
                    "rows": pace.rows,
                    "rows_total": pace.total,
                    "share": round(pace.share, 6),
                    "shards": pace.shards,
                    "shards_total": pace.of,
                },
            )

    def go_on() -> None:
        while not ended.wait(SECONDS):
            beat()

    beat()
    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        beat()
