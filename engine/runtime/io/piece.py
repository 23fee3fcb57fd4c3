"""Some rows of one file, which can be read on their own."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.errors import DataError


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some rows of one file; it can be written as JSON.

    Parameters
    ----------
    file : str
        An absolute path, or a URL.
    size : int
        Bytes of the file.
    stamp : str
        Changes when the file does.
    of : {"file", "groups", "bytes"}
        What ``start`` and ``stop`` count: row groups of Parquet or record batches of Arrow, or bytes: the
        lines that begin there.
    start : int
    stop : int or None
        None: to the end.
    rows : int or None
        How many rows it has, if that is known.
    first : int or None
        The number in the file of its first row, if that is known.
    skip : int
        Rows left out at its beginning.
    take : int or None
        Rows taken behind those; None: all.
    partition : dict of str to str, int or None
        Columns that the names of folders tell.
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


class InputChangedError(DataError):
    """A file is not what it was when the run was planned."""
