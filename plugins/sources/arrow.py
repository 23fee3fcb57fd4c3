"""Arrow IPC files to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.formats import SourceFiles
    from engine.runtime.io.piece import Piece


@source("arrow")
class ArrowSource(SourcePlugin):
    """Arrow IPC files or streams; a folder's are read in the order of their names, each batch validated.

    Examples
    --------
    >>> ArrowSource(path="flights.arrow")
    ArrowSource(path='flights.arrow', storage={})
    """

    extensions = (".arrow", ".feather", ".arrows")

    path: str = option(help="a file, a folder of files, a pattern (data/2013-*.arrow), or a URL (s3://…)")
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import storage_mistakes

        return storage_mistakes(self.storage)

    def open(self) -> Source:
        return self._files().open()

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        return self._files().part(pieces)

    def _files(self) -> SourceFiles:
        from engine.runtime.io.formats import arrow_files

        return arrow_files(self.path, self.extensions, self.storage)
