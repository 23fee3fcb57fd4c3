"""Where rows come from: one file or a folder of files, streamed in batches or cut in pieces."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from engine.runtime.io.part import FilePart, part_of, runs_of
from engine.runtime.io.partitions import Keys, typed
from engine.runtime.io.piece import Piece
from engine.runtime.io.reader import FileFormat, Head
from engine.runtime.io.storage import StoredFile
from engine.source import Address

_READERS = 16


class FileSource:
    """Files of one format, read one after the other.

    Parameters
    ----------
    path : Path or str
        The file, the folder or a pattern.
    files : sequence of StoredFile
    format : FileFormat
    keys : sequence of mapping, optional
        For each file, the columns that its folders tell.
    identity : mapping, optional
        How they are read, as JSON.
    """

    def __init__(
        self,
        path: Address,
        files: Sequence[StoredFile],
        format: FileFormat,
        keys: Sequence[Keys] = (),
        identity: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self.identity = identity
        self.text = format.text
        self._files = tuple(files)
        self._format = format
        self._heads = dict(zip(self._files, _heads(self._files, format), strict=True))
        values = keys if format.text else typed(keys)
        self._keys: dict[StoredFile, dict[str, str | int | None]] = {
            file: dict(each) for file, each in zip(self._files, values or [{}] * len(files), strict=True)
        }
        whole = [
            replace(file.piece(), rows=head.rows, partition=self._keys[file])
            for file, head in self._heads.items()
        ]
        runs = runs_of(self._files, whole)
        self._whole = FilePart(path, format, runs, {file: head.schema for file, head in self._heads.items()})
        self.schema = self._whole.schema
        counts = [head.rows for head in self._heads.values()]
        self.rows = None if None in counts else sum(count or 0 for count in counts)

    def files(self) -> tuple[Address, ...]:
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

    def check_columns(self, columns: Sequence[str]) -> None:
        """See that every file has these columns, of one family each.

        Raises
        ------
        DataError
        """
        self._whole.check_columns(columns)

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
        return tuple(
            replace(piece, partition=self._keys[file])
            for file, head in self._heads.items()
            for piece in self._format.cut(file, head)
        )

    def part(self, pieces: Sequence[Piece]) -> FilePart:
        """The rows of some pieces, in this order, without a look at other files.

        Raises
        ------
        InputChanged
            A file isn't what it was when it was cut.
        DataError
            A file can't be read.
        """
        return part_of(self.path, self._format, pieces, self._files[0].storage)


def _heads(files: Sequence[StoredFile], format: FileFormat) -> Iterator[Head]:
    """What each file tells; in a store, each waits for the network."""
    if all(file.is_near for file in files):
        yield from map(format.head, files)
        return
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(format.head, files)
