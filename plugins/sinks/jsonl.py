"""Lines of JSON to write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from engine.sink import Mode, Sink, SinkPlugin, option, sink

_PATH = "a path or URL (s3://…): with an ending one file, without one a folder; -: standard output"
Compression = Literal["gz", "zst"] | None


@sink("jsonl")
class JsonlSink(SinkPlugin):
    """A file of lines of JSON, an object each, or a folder of them, there only when it is complete.

    A score is written as the shortest decimal that reads back as the same float64, NaN as null, infinity as
    ``"inf"`` or ``"-inf"``, a timestamp as RFC 3339 in UTC.

    Examples
    --------
    >>> JsonlSink(path="scores.jsonl")
    JsonlSink(path='scores.jsonl', mode='error', compression=None, storage={})
    """

    extensions = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst")

    path: str = option(help=_PATH)
    mode: Mode = option("error", help="what happens to what is already there; append: to a folder")
    compression: Compression = option(None, help="of a folder's files: gz or zst; one file's ending tells it")
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import place_mistakes, storage_mistakes

        return (
            *storage_mistakes(self.storage),
            *place_mistakes(self.path, self.mode, self.compression),
        )

    def open(self) -> Sink:
        from engine.runtime.io.formats import compressed_ending, files_sink, jsonl_output

        output = jsonl_output(compressed_ending(".jsonl", self.compression))
        return files_sink(self.path, self.mode, output, self.storage)
