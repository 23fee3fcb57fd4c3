"""How far a run is: a bar on a terminal, else a plain line now and then. Always on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.cli.output import tell

Progress = Callable[[int, int, str], None]
"""``progress(done, total, text)``; a total of 0 is one that nobody knows, and 0 of 0 is nothing to count."""

_SECONDS = 5.0
"""Between two plain lines; a run that is over before has none."""


@contextmanager
def reporting(what: str, *, unit: str = "") -> Iterator[Progress]:
    """A progress function for as long as something runs.

    Parameters
    ----------
    what : str
        What runs, such as ``fit``.
    unit : str
        What is counted, such as ``rows``.
    """
    if sys.stderr.isatty():
        with _bar(what, unit) as progress:
            yield progress
    else:
        yield _lines(what, unit)


def _lines(what: str, unit: str) -> Progress:
    lock = threading.Lock()
    began = time.monotonic()
    last = began

    def progress(done: int, total: int, text: str) -> None:
        nonlocal last
        with lock:
            now = time.monotonic()
            if now - last < _SECONDS:
                return
            last = now
        said = ", ".join(part for part in (text, _counted(done, total, unit)) if part)
        tell(f"{what}: {said or 'at work'} ({now - began:.0f} s)")

    return progress


def _counted(done: int, total: int, unit: str) -> str:
    if not done and not total:
        return ""
    counted = f"{done:,} of {total:,}" if total else f"{done:,}"
    return f"{counted} {unit}".rstrip()


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    # transient: what remains on the screen is the summary alone
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counted]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bars:
        task = bars.add_task(what, total=None, counted="")

        def progress(done: int, total: int, text: str) -> None:
            bars.update(
                task,
                completed=done,
                total=total or None,
                description=f"{what}  {text}" if text else what,
                counted=_counted(done, total, unit),
            )

        yield progress
