"""Logs: a line of JSON for each event, or a line for people on a terminal."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_LONGEST = 2000


def start_logs(form: str, **always: Any) -> FilteringBoundLogger:
    """Send what this process logs, its libraries' warnings among it, to stderr; returns its logger.

    Parameters
    ----------
    form : str
        ``json``, ``console`` or ``auto``: by whether stderr is a terminal.
    **always
        What every line of this process holds.
    """
    people = sys.stderr.isatty() if form == "auto" else form == "console"
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _shortened,
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(repr_native_str=True)
        if people
        else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    last: list[Processor] = [] if people else [structlog.processors.format_exc_info]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.raiseExceptions = False  # see `_Lines`
    logging.captureWarnings(True)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # its warnings are of what clients send
    structlog.configure(
        processors=[*shared, *last, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    logger: FilteringBoundLogger = structlog.get_logger().bind(**always)
    return logger


class _Lines:
    """Writes each line at once, so that those of several processes don't mix."""

    def msg(self, line: str) -> None:
        """Write it, or do without: nobody reads the log any more, or the disk is full, yet requests come."""
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def _shortened(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Texts may come from a request: none is endless."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _LONGEST and key != "exception":
            event[key] = f"{value[:_LONGEST]}…"
    return event
