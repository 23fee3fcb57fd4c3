"""Parquet files to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.formats import SourceFiles
    from engine.runtime.io.piece import Piece


@source("parquet")
class ParquetSource(SourcePlugin):
    """Parquet files; a folder's are read in the order of their names, and pages' checksums are verified.

    Examples
    --------
    >>> ParquetSource(path="flights.parquet")
    ParquetSource(path='flights.parquet', storage={})
    """

    extensions = (".parquet",)

    path: str = option(help="a file, a folder of files, a pattern (data/2013-*.parquet), or a URL (s3://…)")
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
        from engine.runtime.io.formats import parquet_files

        return parquet_files(self.path, self.extensions, self.storage)
