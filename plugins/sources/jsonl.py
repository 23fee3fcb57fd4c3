"""Lines of JSON to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.source import Source, SourcePart, SourcePlugin, option, source

if TYPE_CHECKING:
    from engine.runtime.io.formats import SourceFiles
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
    JsonlSource(path='flights.jsonl', storage={})
    """

    extensions = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst")

    path: str = option(
        help="a file, a folder of files, a pattern (data/2013-*.jsonl), a URL (s3://…), or -: standard input"
    )
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import storage_mistakes

        return storage_mistakes(self.storage)

    def open(self) -> Source:
        return self._files().open()

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        return self._files().part(pieces)

    def _files(self) -> SourceFiles:
        from engine.runtime.io.formats import jsonl_files

        return jsonl_files(self.path, self.extensions, self.storage)
