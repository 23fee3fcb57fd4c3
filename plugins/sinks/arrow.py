"""Arrow IPC files to write."""

from __future__ import annotations

from pathlib import Path

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("arrow")
class ArrowSink(SinkPlugin):
    """An Arrow IPC file (Feather version 2), or a folder of them, there only when it is complete.

    Examples
    --------
    >>> ArrowSink(path="scores.arrow")
    ArrowSink(path='scores.arrow', mode='error')
    """

    extensions = (".arrow", ".feather")

    path: str = option(help="with an extension one file, without one a folder of parts")
    mode: Mode = option("error", help="what happens to what is already there")

    def open(self) -> Sink:
        from engine.runtime.io.formats import arrow_sink

        return arrow_sink(Path(self.path), self.mode)
