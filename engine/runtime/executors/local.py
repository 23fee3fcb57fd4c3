"""Shards in threads of this process, one shard a thread; who finds none left helps with those under way.

The kernels, Arrow's readers and writers and XGBoost let go of Python's lock, so that threads are enough.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from engine.runtime.line import Line
from engine.runtime.shards.plan import Shard
from engine.runtime.shards.score import Failure, Outcome, try_shard
from engine.runtime.shards.work import Work


class Threads:
    """Runs shards in threads.

    Parameters
    ----------
    threads : int
    attempts : int
        How often a shard is tried where what went wrong may pass.
    """

    def __init__(self, threads: int, attempts: int = 3) -> None:
        self._threads = threads
        self._attempts = attempts

    def run(self, work: Work) -> None:
        """Score every shard."""
        team = _Team(work, self._threads, self._attempts)
        members = [
            threading.Thread(target=team.member, name=f"batch-{number}", daemon=True)
            for number in range(self._threads)
        ]
        for member in members:
            member.start()
        try:
            for _ in work.shards:
                outcome = team.outcomes.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                work.settle(outcome)
        finally:
            team.stop()
            for member in members:
                member.join()


class _StoppedError(BaseException):
    """The run is over: what is under way is dropped."""


class _Team:
    """What the threads share."""

    def __init__(self, work: Work, threads: int, attempts: int) -> None:
        self.outcomes: SimpleQueue[Outcome | BaseException] = SimpleQueue()
        self._work = work
        self._threads = threads
        self._attempts = attempts
        self._left = iter(work.shards)
        self._lines: list[Line[Any, Any]] = []
        self._changed = threading.Condition()
        self._busy = 0
        self._stopped = False

    def member(self) -> None:
        """What each thread does."""
        try:
            while (shard := self._next()) is not None:
                try:
                    self.outcomes.put(self._tried(shard))
                finally:
                    with self._changed:
                        self._busy -= 1
                        self._changed.notify_all()
            while (line := self._other()) is not None:
                line.run()
        except _StoppedError:
            pass
        except BaseException as error:
            self.outcomes.put(error)

    def _tried(self, shard: Shard) -> Outcome:
        work = self._work
        left = self._attempts
        while True:
            outcome = try_shard(
                work.job, shard, work.state, lend=self._lend, told=work.told, threads=self._threads
            )
            left -= 1
            if not isinstance(outcome, Failure) or not outcome.may_pass:
                return outcome
            if not left:
                tried = f" (tried {self._attempts} times)" if self._attempts > 1 else ""
                return Failure(shard.index, outcome.why, f"{outcome.message}{tried}")

    def stop(self) -> None:
        """Begin no further shard, and drop those under way."""
        with self._changed:
            self._stopped = True
            for line in self._lines:
                line.stop(_StoppedError())
            self._changed.notify_all()

    def _next(self) -> Shard | None:
        with self._changed:
            shard = None if self._stopped else next(self._left, None)
            self._busy += shard is not None
            return shard

    @contextmanager
    def _lend(self, line: Line[Any, Any]) -> Iterator[None]:
        with self._changed:
            if self._stopped:
                raise _StoppedError
            self._lines.append(line)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._lines.remove(line)

    def _other(self) -> Line[Any, Any] | None:
        """A line that can do with another thread; None once nothing is under way."""
        with self._changed:
            while self._busy and not self._stopped:
                for line in self._lines:
                    if not line.ended:
                        return line
                self._changed.wait()
            return None
