"""Parquet files to write."""

from __future__ import annotations

from pathlib import Path

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("parquet")
class ParquetSink(SinkPlugin):
    """A Parquet file, or a folder of them, there only when it is complete.

    Examples
    --------
    >>> ParquetSink(path="scores.parquet")
    ParquetSink(path='scores.parquet', mode='error')
    """

    extensions = (".parquet",)

    path: str = option(help="with an extension one file, without one a folder of parts")
    mode: Mode = option("error", help="what happens to what is already there")

    def open(self) -> Sink:
        from engine.runtime.io.formats import parquet_sink

        return parquet_sink(Path(self.path), self.mode)
