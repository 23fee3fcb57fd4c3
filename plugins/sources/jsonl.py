"""Lines of JSON to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.piece import Piece


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

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        from engine.runtime.io.formats import jsonl_part

        return jsonl_part(Path(self.path), pieces)
