"""CSV files to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.piece import Piece


@source("csv")
class CsvSource(SourcePlugin):
    """CSV files in UTF-8 with a header line; a folder's are read in the order of their names.

    Only an empty field is missing; a quoted ``""`` is empty text.

    Examples
    --------
    >>> CsvSource(path="flights.csv", delimiter=";")
    CsvSource(path='flights.csv', delimiter=';', multiline=True)
    """

    extensions = (".csv",)

    path: str = option(help="a file, or a folder of files")
    delimiter: str = option(",", help="what parts the fields: one character, or tab")

    multiline: bool = option(
        True, help="fields may hold line breaks; false: they don't, and a file can be read in pieces"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import delimiter_mistakes

        return delimiter_mistakes(self.delimiter)

    def open(self) -> Source:
        from engine.runtime.io.formats import csv_source

        return csv_source(Path(self.path), self.delimiter, self.extensions, self.multiline)

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        from engine.runtime.io.formats import csv_part

        return csv_part(Path(self.path), pieces, self.delimiter, self.multiline)
