"""Files where they lie: what they were when they were found, and how they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from engine.runtime.io.files import reading
from engine.runtime.io.piece import Piece


@dataclass(frozen=True)
class StoredFile:
    """A file as it was when it was found.

    Parameters
    ----------
    address : Path
        What messages call it.
    size : int
        Bytes.
    stamp : str
        Another once it is written again.
    """

    address: Path
    size: int
    stamp: str

    def __str__(self) -> str:
        return str(self.address)

    def piece(self) -> Piece:
        """The whole of it."""
        return Piece(str(self.address.absolute()), self.size, self.stamp, "file", first=0)

    def now(self) -> StoredFile | None:
        """The file as it is now; None: it is gone."""
        try:
            return found(self.address)
        except FileNotFoundError:
            return None

    def open(self) -> pa.NativeFile:
        """Its bytes, to be read anywhere."""
        return pa.OSFile(str(self.address), "rb")

    def stream(self) -> pa.NativeFile:
        """Its content, to be read from the beginning."""
        return pa.OSFile(str(self.address), "rb")


def found(path: Path) -> StoredFile:
    """A file of this machine as it is now.

    Raises
    ------
    OSError
    """
    status = path.stat()
    return StoredFile(path, status.st_size, str(status.st_mtime_ns))


def of_piece(piece: Piece) -> StoredFile:
    """The file of a piece, as it was when the piece was cut."""
    return StoredFile(Path(piece.file), piece.size, piece.stamp)


def look_up(path: Path) -> StoredFile:
    """A file of this machine as it is now.

    Raises
    ------
    DataError
    """
    with reading(path):
        return found(path)
