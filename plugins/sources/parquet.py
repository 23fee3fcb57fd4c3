"""Parquet files to read."""

from __future__ import annotations

from pathlib import Path

from engine.source import Source, SourcePlugin, option, source


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
