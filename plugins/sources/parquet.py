"""Parquet files to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.piece import Piece


@source("parquet")
class ParquetSource(SourcePlugin):
    """Parquet files; a folder's are read in the order of their names, and pages' checksums are verified.

    Examples
    --------
    >>> ParquetSource(path="flights.parquet")
    ParquetSource(path='flights.parquet')
    """

    extensions = (".parquet",)

    path: str = option(help="a file, or a folder of files")

    def open(self) -> Source:
        from engine.runtime.io.formats import parquet_source

        return parquet_source(Path(self.path))

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        from engine.runtime.io.formats import parquet_part

        return parquet_part(Path(self.path), pieces)
