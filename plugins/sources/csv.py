"""CSV files to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.formats import SourceFiles
    from engine.runtime.io.piece import Piece


@source("csv")
class CsvSource(SourcePlugin):
    """CSV files in UTF-8 with a header line; a folder's are read in the order of their names.

    Only an empty field is missing; a quoted ``""`` is empty text.

    Examples
    --------
    >>> CsvSource(path="flights.csv", delimiter=";")
    CsvSource(path='flights.csv', delimiter=';', multiline=True, storage={})
    """

    extensions = (".csv", ".csv.gz", ".csv.zst")

    path: str = option(
        help="a file, a folder of files, a pattern (data/2013-*.csv), a URL (s3://…), or -: standard input"
    )
    delimiter: str = option(",", help="what parts the fields: one character, or tab")
    multiline: bool = option(
        True, help="fields may hold line breaks; false: they don't, and a file can be read in pieces"
    )
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import delimiter_mistakes, storage_mistakes

        return (*delimiter_mistakes(self.delimiter), *storage_mistakes(self.storage))

    def open(self) -> Source:
        return self._files().open()

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        return self._files().part(pieces)

    def _files(self) -> SourceFiles:
        from engine.runtime.io.formats import csv_files

        return csv_files(self.path, self.extensions, self.storage, self.delimiter, self.multiline)
