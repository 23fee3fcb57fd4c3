"""What a worker counted and how it stands, published for whoever asks for the metrics."""

from __future__ import annotations

import os
from collections.abc import Callable, Sized
from typing import Any

from engine.runtime.serve.board import Board
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.exposition import exposition, gather


class Publisher:
    """Publishes the counts of one worker.

    Parameters
    ----------
    board : Board
    place : int
    log : structlog logger

    Attributes
    ----------
    counts : Counts
        They go on from those of the worker that had this place before.
    """

    def __init__(self, board: Board, place: int, log: Any) -> None:
        self.counts = Counts()
        self._board, self._place, self._log = board, place, log
        self._label = (str(place),)
        published = board.read(place)
        if published is not None:
            self.counts.restore(published)
        self._seconds = self.counts.totals.get(("cpu_seconds", self._label), 0.0)

    def publish(self, in_flight: Sized, connections: Sized, ready: bool) -> None:
        """Publish everything.

        Parameters
        ----------
        in_flight, connections : sized
        ready : bool
        """
        for name, value in (
            ("in_flight", len(in_flight)),
            ("connections", len(connections)),
            ("ready", ready),
            ("resident_bytes", _resident()),
        ):
            if value is not None:
                self.counts.gauge(name, float(value), self._label)
        used = os.times()
        self.counts.totals["cpu_seconds", self._label] = self._seconds + used.user + used.system
        try:
            self._board.publish(self._place, self.counts.plain())
        except ValueError as error:
            self._log.error("the counts can't be published", why=str(error))

    def metrics(self, fresh: Callable[[], None], accept: str) -> tuple[bytes, bytes]:
        """The metrics of all workers as text, and its media type; ``fresh`` publishes this one's anew."""
        fresh()
        return exposition(gather(self._board), accept)


def _resident() -> int | None:
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - asked every second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # a container need not have it
        return None
