"""Parquet files to write."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("parquet")
class ParquetSink(SinkPlugin):
    """A Parquet file, or a folder of them, there only when it is complete.

    Examples
    --------
    >>> ParquetSink(path="scores.parquet")
    ParquetSink(path='scores.parquet', mode='error', storage={})
    """

    extensions = (".parquet",)

    path: str = option(help="a path or URL (s3://…): with an ending one file, without one a folder of parts")
    mode: Mode = option("error", help="what happens to what is already there; append: to a folder")
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import storage_mistakes

        return storage_mistakes(self.storage)

    def open(self) -> Sink:
        from engine.runtime.io.formats import files_sink, parquet_output

        output = parquet_output()
        return files_sink(self.path, self.mode, output, self.storage)
