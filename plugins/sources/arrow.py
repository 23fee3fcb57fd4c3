"""Arrow IPC files to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.piece import Piece


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

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        from engine.runtime.io.formats import arrow_part

        return arrow_part(Path(self.path), pieces)
