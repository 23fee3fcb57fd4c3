"""CSV files to read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.source import Source, SourcePlugin, option, source


@source("csv")
class CsvSource(SourcePlugin):
    """CSV files in UTF-8 with a header line; a folder's are read in the order of their names.

    Only an empty field is missing; a quoted ``""`` is empty text.

    Examples
    --------
    >>> CsvSource(path="flights.csv", delimiter=";")
    CsvSource(path='flights.csv', delimiter=';')
    """

    extensions = (".csv",)

    path: str = option(help="a file, or a folder of files")
    delimiter: str = option(",", help="what parts the fields: one character, or tab")

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import delimiter_mistakes

        return delimiter_mistakes(self.delimiter)

    def open(self) -> Source:
        from engine.runtime.io.formats import csv_source

        return csv_source(Path(self.path), self.delimiter)
