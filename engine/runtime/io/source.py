"""Where rows come from: one file or a folder of files, streamed in batches or cut in pieces."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from engine.runtime.io.part import FileFormat, FilePart, part_of, runs_of
from engine.runtime.io.piece import Piece
from engine.runtime.io.storage import StoredFile


class FileSource:
    """Files of one format, read one after the other.

    Parameters
    ----------
    path : Path
        The file or folder.
    files : sequence of StoredFile
    format : FileFormat
    """

    def __init__(self, path: Path, files: Sequence[StoredFile], format: FileFormat) -> None:
        self.path = path
        self.text = format.text
        self._files = tuple(files)
        self._format = format
        self._heads = {file: format.head(file) for file in self._files}
        runs = runs_of(self._files, [file.piece() for file in self._files])
        self._whole = FilePart(path, format, runs, {file: head.schema for file, head in self._heads.items()})
        self.schema = self._whole.schema
        counts = [head.rows for head in self._heads.values()]
        self.rows = None if None in counts else sum(count or 0 for count in counts)

    def files(self) -> tuple[Path, ...]:
        """The files, in the order in which they are read."""
        return tuple(file.address for file in self._files)

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most ``batch_rows`` at a time.

        Raises
        ------
        DataError
            A file lacks a column, has it twice or in another family than the rest, or can't be read; or it
            was written again meanwhile.
        """
        return self._whole.batches(columns, batch_rows, coded)

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message."""
        return self._whole.place(row)

    def locate(self, row: int) -> tuple[str, int]:
        """The file of a row that was read, and its number there; both count from 0."""
        return self._whole.locate(row)

    def pieces(self) -> tuple[Piece, ...]:
        """The smallest pieces that are worth being read on their own, in order.

        Of Parquet a row group; of an Arrow file record batches, together about 131,072 rows; of lines of
        JSON, and of CSV without line breaks in fields, those that begin in 64 MB; of others a file.

        Raises
        ------
        DataError
            A file can't be read.
        """
        return tuple(piece for file, head in self._heads.items() for piece in self._format.cut(file, head))

    def part(self, pieces: Sequence[Piece]) -> FilePart:
        """The rows of some pieces, in this order, without a look at other files.

        Raises
        ------
        InputChanged
            A file isn't what it was when it was cut.
        DataError
            A file can't be read.
        """
        return part_of(self.path, self._format, pieces)
