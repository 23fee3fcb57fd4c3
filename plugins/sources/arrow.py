"""Arrow IPC files to read."""

from __future__ import annotations

from pathlib import Path

from engine.source import Source, SourcePlugin, option, source


@source("arrow")
class ArrowSource(SourcePlugin):
    """Arrow IPC files or streams; a folder's are read in the order of their names, each batch validated.

    Examples
    --------
    >>> ArrowSource(path="flights.arrow")
    ArrowSource(path='flights.arrow')
    """

    extensions = (".arrow", ".feather", ".arrows")

    path: str = option(help="a file, or a folder of files")

    def open(self) -> Source:
        from engine.runtime.io.formats import arrow_source

        return arrow_source(Path(self.path), self.extensions)
