"""Work in threads, with what comes of it in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")
_END: Any = object()


class Line(Generic[_T, _R]):
    """Items of which each is worked on and settled, by as many threads as join in.

    Every thread does all three in turn, so that there are no more threads than work for them, and an item
    stays in the caches of one processor. Items are taken one at a time, and settled one at a time in the
    order in which they were taken; work on several goes on at once.

    Parameters
    ----------
    items : iterator
    work : callable
        ``work(item)``, from several threads.
    settle : callable
        ``settle(item, outcome)``.
    most : int
        Items that are under way, at most.

    Examples
    --------
    >>> found = []
    >>> line = Line(iter("abc"), str.upper, lambda item, outcome: found.append(item + outcome), 4)
    >>> with helped(line, 2):
    ...     line.finish()
    >>> found
    ['aA', 'bB', 'cC']
    """

    def __init__(
        self, items: Iterator[_T], work: Callable[[_T], _R], settle: Callable[[_T, _R], None], most: int
    ) -> None:
        self.error: BaseException | None = None
        self._items = items
        self._work = work
        self._settle = settle
        self._most = most
        self._taking = threading.Lock()
        self._changed = threading.Condition()
        self._taken = self._settled = self._inside = 0
        self._settling = self._ended = False
        self._ready: dict[int, tuple[_T, _R]] = {}

    def finish(self) -> None:
        """Work with the others until all is settled; raises what any of them raised first."""
        try:
            self.run()
        except BaseException as error:  # an interrupt between two steps
            self.stop(error)
        while True:
            try:
                with self._changed:
                    # what is settled is in use until those who settle it are out
                    self._changed.wait_for(lambda: not self._inside)
                break
            except BaseException as error:  # an interrupt while this thread waits
                self.stop(error)
        first, self.error = self.error, None
        self._ready.clear()
        try:
            if first is not None:
                raise first
        finally:
            del first  # its traceback holds this frame, and so what was under way

    def run(self) -> None:
        """Join in, until no item is left to be taken and settled."""
        with self._changed:
            self._inside += 1
        try:
            while (taken := self._take()) is not None:
                number, item = taken
                outcome = self._work(item)
                with self._changed:
                    self._ready[number] = item, outcome
                while (ready := self._next()) is not None:
                    self._settle(*ready)
                    with self._changed:
                        self._settling = False
                        self._settled += 1
                        self._changed.notify_all()
        except BaseException as error:
            self.stop(error)
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether no item is left to be taken."""
        return self._ended

    def stop(self, error: BaseException) -> None:
        """Have every thread end what it is at, and nothing more be settled."""
        with self._changed:
            self.error = self.error or error
            self._ended = True
            self._changed.notify_all()

    def _take(self) -> tuple[int, _T] | None:
        with self._taking:
            with self._changed:
                self._changed.wait_for(
                    lambda: self.error or self._ended or self._taken - self._settled < self._most
                )
                if self.error or self._ended:
                    return None
            item = next(self._items, _END)
            if item is _END:
                self._ended = True
                return None
            self._taken += 1
            return self._taken - 1, item

    def _next(self) -> tuple[_T, _R] | None:
        """The outcome that is to be settled now, by this thread alone, if it is there."""
        with self._changed:
            if self.error or self._settling or self._settled not in self._ready:
                return None
            self._settling = True
            return self._ready.pop(self._settled)


@contextmanager
def helped(line: Line[Any, Any], threads: int) -> Iterator[None]:
    """Have so many threads at a line while a block runs, the one that runs the block included."""
    with ThreadPoolExecutor(max(threads - 1, 1)) as pool:
        for _ in range(threads - 1):
            pool.submit(line.run)
        yield
