"""CSV files to write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from engine.sink import Mode, Sink, SinkPlugin, option, sink

_PATH = "a path or URL (s3://…): with an ending one file, without one a folder; -: standard output"
Compression = Literal["gz", "zst"] | None


@sink("csv")
class CsvSink(SinkPlugin):
    """A CSV file in UTF-8 with a header line, or a folder of them, there only when it is complete.

    A score is written as the shortest decimal that reads back as the same float64, a timestamp as RFC 3339 in
    UTC.

    Examples
    --------
    >>> CsvSink(path="scores.csv", mode="replace")
    CsvSink(path='scores.csv', mode='replace', compression=None, delimiter=',', storage={})
    """

    extensions = (".csv", ".csv.gz", ".csv.zst")

    path: str = option(help=_PATH)
    mode: Mode = option("error", help="what happens to what is already there; append: to a folder")
    compression: Compression = option(None, help="of a folder's files: gz or zst; one file's ending tells it")
    delimiter: str = option(",", help="what parts the fields: one character, or tab")
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import delimiter_mistakes, place_mistakes, storage_mistakes

        return (
            *delimiter_mistakes(self.delimiter),
            *storage_mistakes(self.storage),
            *place_mistakes(self.path, self.mode, self.compression),
        )

    def open(self) -> Sink:
        from engine.runtime.io.formats import compressed_ending, csv_output, files_sink

        output = csv_output(compressed_ending(".csv", self.compression), self.delimiter)
        return files_sink(self.path, self.mode, output, self.storage)
