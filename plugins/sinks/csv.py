"""CSV files to write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("csv")
class CsvSink(SinkPlugin):
    """A CSV file in UTF-8 with a header line, or a folder of them, there only when it is complete.

    A score is written as the shortest decimal that reads back as the same float64, a timestamp as RFC 3339 in
    UTC.

    Examples
    --------
    >>> CsvSink(path="scores.csv", mode="replace")
    CsvSink(path='scores.csv', mode='replace', delimiter=',')
    """

    extensions = (".csv",)

    path: str = option(help="with an extension one file, without one a folder of parts")
    mode: Mode = option("error", help="what happens to what is already there")
    delimiter: str = option(",", help="what parts the fields: one character, or tab")

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import delimiter_mistakes

        return delimiter_mistakes(self.delimiter)

    def open(self) -> Sink:
        from engine.runtime.io.formats import csv_sink

        return csv_sink(Path(self.path), self.mode, self.delimiter)
