"""Lines of JSON to read."""

from __future__ import annotations

from pathlib import Path

from engine.source import Source, SourcePlugin, option, source


@source("jsonl")
class JsonlSource(SourcePlugin):
    """Lines of JSON in UTF-8, an object each; a folder's files are read in the order of their names.

    A key that an object lacks is missing, as null is. Infinity is ``"inf"`` or ``"-inf"``; a timestamp is
    RFC 3339 text or a whole number of µs since 1970. A value of another type is refused by itself, as its
    input's ``invalid`` says. Columns are those of the first MB of a file.

    Examples
    --------
    >>> JsonlSource(path="flights.jsonl")
    JsonlSource(path='flights.jsonl')
    """

    extensions = (".jsonl", ".ndjson")

    path: str = option(help="a file, or a folder of files")

    def open(self) -> Source:
        from engine.runtime.io.formats import jsonl_source

        return jsonl_source(Path(self.path), self.extensions)
