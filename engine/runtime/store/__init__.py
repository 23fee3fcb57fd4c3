"""A folder on a disk or in an object store, with what a run of shards needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

__all__ = ["BusyError", "Scratch", "Store"]


class BusyError(Exception):
    """Somebody else holds a lock."""


class Scratch(Protocol):
    """A file that is being written."""

    @property
    def path(self) -> Path:
        """Where to write it, on this machine."""
        ...

    def keep(self) -> None:
        """Have the file, which is whole and closed, last under its name."""
        ...


class Store(Protocol):
    """Files by name, below one folder; names have ``/`` between their parts.

    What is made is written beside and given its name when it is whole: nobody sees half a file under its
    name. Every method raises `DataError`, which says what couldn't be written or read, and why.
    """

    def __str__(self) -> str:
        """The folder as people write it: a path or a URL."""
        ...

    def shown(self, name: str) -> str:
        """A file as people write it."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Make a small file, unless there is one of that name; whether it was made. It then lasts."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Make a small file, or replace it at once. It need not last a crash of the machine."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content of a small file; None if there is none."""
        ...

    def read_all(self, folder: str) -> dict[str, bytes]:
        """The small files in a folder, by the last part of their names, without those of folders in it."""
        ...

    def names(self, folder: str = "") -> Sequence[str]:
        """The last parts of the names in a folder, of files and folders, sorted; none: no such folder."""
        ...

    def size(self, name: str) -> int | None:
        """The bytes of a file; None if there is none."""
        ...

    def holds(self, name: str, size: int, digest: str) -> bool:
        """Whether a file is there and still has the content of that size and sha256.

        Where the store itself holds what it stores against checksums, its size is enough.
        """
        ...

    def scratch(self, name: str) -> AbstractContextManager[Scratch]:
        """Where to write a file that gets this name if it is kept; else it is removed when the block ends.

        On a disk it is written under that name, so nobody may look for it before it is known to be kept.
        """
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A path of this machine to read a file at."""
        ...

    def publish(self, name: str, target: str) -> None:
        """Give a file a second name at once, unless there is one of that name already."""
        ...

    def rename(self, name: str, target: str) -> None:
        """Give a file another name at once, replacing what has it; gone and the target there: done."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it, if it is there."""
        ...

    def lock(self, name: str) -> AbstractContextManager[bool]:
        """Hold a lock while a block runs; it ends with the process, too. An object store has none: False.

        Raises
        ------
        BusyError
            Another holds it.
        """
        ...
