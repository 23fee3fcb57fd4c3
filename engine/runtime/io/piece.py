"""A piece of a file: rows that can be read on their own, told as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.errors import DataError


class InputChanged(DataError):  # noqa: N818
    """A file is no longer what it was when the run was planned."""


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some rows of one file.

    Parameters
    ----------
    file : str
        The absolute path, or a URL.
    size : int
        Bytes of the whole file.
    stamp : str
        What changes when the file is written again: of a local file the ns of its last change.
    of : {'file', 'groups', 'bytes'}
        What ``start`` and ``stop`` count: nothing (all rows are meant), row groups of Parquet or record
        batches of an Arrow file, or bytes: the lines that *begin* in there.
    start : int
    stop : int, optional
        The first that is no longer meant; None: to the end.
    rows : int, optional
        How many rows these are before ``skip`` and ``take``, where known.
    first : int, optional
        The number in the file of its first row, counted from 0 and before ``skip``, where known.
    skip : int
        So many of these rows are left out.
    take : int, optional
        Of the others, so many are read; None: all.
    partition : dict of str to (str, int or None)
        Columns that the names of folders tell.

    Examples
    --------
    >>> half = Piece("/data/a.parquet", 900, "1", "groups", 2, 4, rows=200, first=200, skip=50)
    >>> half.count, half.number(0)
    (150, 250)
    """

    file: str
    size: int
    stamp: str
    of: Literal["file", "groups", "bytes"] = "file"
    start: int = 0
    stop: int | None = None
    rows: int | None = None
    first: int | None = None
    skip: int = 0
    take: int | None = None
    partition: dict[str, str | int | None] = {}

    @property
    def count(self) -> int | None:
        """How many rows are read of it, where known."""
        if self.rows is None:
            return None
        left = max(self.rows - self.skip, 0)
        return left if self.take is None else min(left, self.take)

    @property
    def is_cut(self) -> bool:
        """Whether some of its rows are left out."""
        return bool(self.skip) or self.take is not None

    def number(self, row: int) -> int:
        """The number in the file of a row that was read; where ``first`` isn't known, that in the piece."""
        return (self.first or 0) + self.skip + row


def total(pieces: Sequence[Piece]) -> int | None:
    """How many rows are read of some pieces, where that is known of each."""
    counts = [piece.count for piece in pieces]
    return None if None in counts else sum(count or 0 for count in counts)
