"""What the reader of a format of files does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from engine.runtime.io.piece import Piece
from engine.runtime.io.storage import StoredFile


@dataclass(frozen=True)
class Head:
    """What the head or foot of a file tells.

    Parameters
    ----------
    schema : pyarrow.Schema
    rows : int, optional
        Where it says so.
    groups : tuple of int
        The rows of each row group.
    """

    schema: pa.Schema
    rows: int | None = None
    groups: tuple[int, ...] = ()


class FileFormat(Protocol):
    """How files of one format are read; it holds nothing that reading changes, for threads share it."""

    @property
    def text(self) -> bool: ...

    def head(self, file: StoredFile) -> Head:
        """The columns of a file, and how many rows it holds, if its head or foot says so."""
        ...

    def cut(self, file: StoredFile, head: Head) -> Iterator[Piece]:
        """The smallest pieces that are worth being read on their own, in order."""
        ...

    def batches(
        self,
        file: StoredFile,
        pieces: Sequence[Piece],
        columns: Sequence[str],
        batch_rows: int,
        coded: Collection[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """All rows of these pieces of a file, with these columns in this order; several are row groups."""
        ...
