"""Lines of JSON to write."""

from __future__ import annotations

from pathlib import Path

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("jsonl")
class JsonlSink(SinkPlugin):
    """A file of lines of JSON, an object each, or a folder of them, there only when it is complete.

    A score is written as the shortest decimal that reads back as the same float64, NaN as null, infinity as
    ``"inf"`` or ``"-inf"``, a timestamp as RFC 3339 in UTC.

    Examples
    --------
    >>> JsonlSink(path="scores.jsonl")
    JsonlSink(path='scores.jsonl', mode='error')
    """

    extensions = (".jsonl", ".ndjson")

    path: str = option(help="with an extension one file, without one a folder of parts")
    mode: Mode = option("error", help="what happens to what is already there")

    def open(self) -> Sink:
        from engine.runtime.io.formats import jsonl_sink

        return jsonl_sink(Path(self.path), self.mode)
