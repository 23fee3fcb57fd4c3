"""Work in threads, settled in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.runtime.line import Line, helped


def in_order(
    items: Iterator[Any], work: Callable[[Any], Any], settle: Callable[[Any, Any], None], threads: int
) -> None:
    line = Line(items, work, settle, 2 * threads)
    with helped(line, threads):
        line.finish()


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_everything_is_settled_once_and_in_order(count: int, threads: int) -> None:
    found: list[tuple[int, int]] = []
    in_order(iter(range(count)), lambda i: i * i, lambda i, square: found.append((i, square)), threads)
    assert found == [(i, i * i) for i in range(count)]


def test_a_later_item_that_is_done_first_waits_for_the_earlier() -> None:
    later = threading.Event()
    found: list[int] = []

    def work(item: int) -> int:
        if item == 0:
            assert later.wait(60)
        if item == 1:
            later.set()
        return item

    in_order(iter(range(4)), work, lambda item, _: found.append(item), 2)
    assert found == [0, 1, 2, 3]


def test_few_are_under_way() -> None:
    """While the first is not done, no more are taken than may be under way."""
    taken: list[int] = []
    full = threading.Event()

    def items() -> Iterator[int]:
        for i in range(50):
            taken.append(i)
            if len(taken) == 6:
                full.set()
            yield i

    def work(item: int) -> int:
        if item == 0:
            assert full.wait(60)
            assert len(taken) <= 6
        return item

    in_order(items(), work, lambda item, _: None, 3)
    assert len(taken) == 50


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("where", ["items", "work", "settle"])
def test_the_first_error_ends_it(where: str, threads: int) -> None:
    settled: list[int] = []

    def fail(place: str, item: int) -> int:
        if place == where and item == 5:
            raise ValueError(f"{place} {item}")
        return item

    def settle(item: int, _: int) -> None:
        fail("settle", item)
        settled.append(item)

    items = (fail("items", i) for i in range(1000))
    with pytest.raises(ValueError, match=f"^{where} 5$"):
        in_order(items, lambda item: fail("work", item), settle, threads)
    assert settled == list(range(len(settled)))
    assert len(settled) <= 5


def test_an_interrupt_while_others_work_stops_them() -> None:
    """This thread is done and waits for the rest; an interrupt there lets nothing more be settled."""
    settled: list[int] = []
    main = threading.main_thread()
    assert main.ident is not None
    # both threads have an item, and this one finds no other
    both = threading.Barrier(2, timeout=60)

    def work(item: int) -> int:
        both.wait()
        if threading.current_thread() is not main:
            signal.pthread_kill(main.ident or 0, signal.SIGINT)
        return item

    with pytest.raises(KeyboardInterrupt):
        in_order(iter(range(2)), work, lambda item, _: settled.append(item), 2)
    assert settled in ([], [0], [0, 1])
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]
