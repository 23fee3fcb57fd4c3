"""Files where they lie, on this machine or in a store: found, held to what they were, and opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import unquote

import pyarrow as pa

from engine.errors import DataError, did_you_mean, listing
from engine.files import is_regular
from engine.runtime.io.files import reading
from engine.runtime.io.piece import Piece
from engine.runtime.io.storage_options import StorageOptions
from engine.source import Address

COMPRESSED: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}
"""Endings of compressed text, and what Arrow calls the way."""
SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "file")

Enters = Callable[[str], bool]
"""Whether a folder of this name is looked into."""


class Storage(Protocol):
    """Where files lie; threads share it."""

    def kind(self, address: Address) -> Literal["file", "folder"] | None:
        """What is there; of this machine everything that is no folder is a file."""
        ...

    def file(self, address: Address) -> StoredFile:
        """A file as it is now.

        Raises
        ------
        DataError
            It is gone, empty, or a pipe or a device.
        """
        ...

    def now(self, address: Address) -> tuple[int, str] | None:
        """The size and the stamp of a file; None: it is gone."""
        ...

    def walk(self, folder: Address, enters: Enters, depth: int | None) -> Iterator[Found]:
        """The files in a folder and in those that are entered, ``depth`` parts of a path deep at most."""
        ...

    def open(self, address: Address) -> pa.NativeFile:
        """The bytes of a file, to be read anywhere."""
        ...

    def stream(self, address: Address) -> pa.NativeFile:
        """The bytes of a file, to be read from the beginning."""
        ...

    def near(self, address: Address) -> str:
        """What may have been meant by an address where nothing is, with a leading blank or a full stop."""
        ...


@dataclass(frozen=True)
class StoredFile:
    """A file as it was when it was found.

    Parameters
    ----------
    address : Path or str
        What messages call it.
    size : int
        Bytes.
    stamp : str
        Another once it is written again.
    storage : Storage
    """

    address: Address
    size: int
    stamp: str
    storage: Storage = field(repr=False)

    def __str__(self) -> str:
        return str(self.address)

    @property
    def compression(self) -> str | None:
        """How it is compressed as a whole, by its ending."""
        return COMPRESSED.get(Path(self.address).suffix.lower())

    @property
    def is_near(self) -> bool:
        """Whether it lies on this machine, where many small reads cost little."""
        return isinstance(self.address, Path)

    def piece(self) -> Piece:
        """The whole of it."""
        address = self.address.absolute() if isinstance(self.address, Path) else self.address
        return Piece(str(address), self.size, self.stamp, first=0)

    def now(self) -> tuple[int, str] | None:
        """Its size and stamp now; None: it is gone."""
        return self.storage.now(self.address)

    def open(self) -> pa.NativeFile:
        """Its bytes, to be read anywhere."""
        return self.storage.open(self.address)

    def stream(self) -> pa.NativeFile:
        """Its content, decompressed, to be read from the beginning."""
        raw = self.storage.stream(self.address)
        return raw if self.compression is None else pa.CompressedInputStream(raw, self.compression)


@dataclass(frozen=True)
class Found:
    """A file in a folder.

    Parameters
    ----------
    parts : tuple of str
        The names of the folders between, and its own.
    address : Path or str
    file : StoredFile, optional
        The file, where listing a folder tells of it all there is to know.
    """

    parts: tuple[str, ...]
    address: Address
    file: StoredFile | None = None


class Disk:
    """The files of this machine."""

    def kind(self, address: Address) -> Literal["file", "folder"] | None:
        path = Path(address)
        return None if not path.exists() else "folder" if path.is_dir() else "file"

    def file(self, address: Address) -> StoredFile:
        path = Path(address)
        with reading(path):
            if not is_regular(path):
                raise DataError(
                    f"{path}: this is no regular file; write the rows to a file first, and read that"
                )
            status = path.stat()
        if status.st_size == 0:
            raise DataError(f"{path}: the file is empty (0 bytes)")
        return StoredFile(path, status.st_size, str(status.st_mtime_ns), self)

    def now(self, address: Address) -> tuple[int, str] | None:
        try:
            status = Path(address).stat()
        except FileNotFoundError:
            return None
        return status.st_size, str(status.st_mtime_ns)

    def walk(self, folder: Address, enters: Enters, depth: int | None) -> Iterator[Found]:
        with reading(folder):
            items = sorted(os.scandir(folder), key=lambda item: item.name)
        for item in items:
            if item.is_file():
                yield Found((item.name,), Path(item.path))
            elif depth != 1 and item.is_dir() and enters(item.name):
                for found in self.walk(Path(item.path), enters, depth and depth - 1):
                    yield Found((item.name, *found.parts), found.address)

    def open(self, address: Address) -> pa.NativeFile:
        return pa.OSFile(str(address), "rb")

    def stream(self, address: Address) -> pa.NativeFile:
        return pa.OSFile(str(address), "rb")

    def near(self, address: Address) -> str:
        path = Path(address)
        if not path.parent.is_dir():
            return f", nor is there a folder {path.parent}"
        return "." + did_you_mean(path.name, sorted(item.name for item in path.parent.iterdir()))


DISK = Disk()


def address_of(text: str) -> Address:
    """A path of this machine, or a URL as it is.

    Raises
    ------
    DataError
        It is a URL of an unknown sort.

    Examples
    --------
    >>> address_of("s3://lake/rows.csv")
    's3://lake/rows.csv'
    >>> address_of("file:///data/a%20b.csv")
    PosixPath('/data/a b.csv')
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", text, re.DOTALL)
    if match is None:
        return Path(text)
    scheme, rest = match[1].lower(), match[2]
    if scheme not in SCHEMES:
        near = did_you_mean(scheme, SCHEMES)
        raise DataError(f"{text}: files of {match[1]}:// can't be read; there are {listing(SCHEMES)}.{near}")
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host not in ("", "localhost"):
            raise DataError(f"{text}: names another machine, {host!r}; write file:///PATH")
        return Path(slash + unquote(path))
    bucket = rest.partition("/")[0]
    if not bucket:
        raise DataError(f"{text}: the URL names no bucket; write {scheme}://bucket/folder")
    return text


def storage_of(address: Address, options: StorageOptions | None = None) -> Storage:
    """Where a path or URL leads to.

    Raises
    ------
    DataError
    """
    if isinstance(address, Path):
        return DISK
    from engine.runtime.io.object_files import ObjectFiles

    return ObjectFiles(address, options or StorageOptions())


def options_of(given: Mapping[str, Any] | None) -> StorageOptions:
    """The option ``storage`` of a plugin.

    Raises
    ------
    DataError
        A key is unknown or of the wrong type; the message follows the option's name.
    """
    known = {"endpoint": str, "region": str, "anonymous": bool}
    assert set(known) == {each.name for each in fields(StorageOptions)}
    if given is not None and not isinstance(given, Mapping):
        raise DataError(f"must be a mapping such as {{region: eu-west-1}}, not {given!r}")
    for name, value in (given or {}).items():
        if name not in known:
            raise DataError(
                f"has no key {name!r}.{did_you_mean(name, known)} There are {listing(known)}; keys and "
                "secrets are taken from the environment"
            )
        if not isinstance(value, known[name]):
            raise DataError(
                f"{name} must be {'true or false' if known[name] is bool else 'text'}, not {value!r}"
            )
    return StorageOptions(**(given or {}))


def of_piece(piece: Piece, storage: Storage) -> StoredFile:
    """The file of a piece, as it was when the piece was cut."""
    return StoredFile(address_of(piece.file), piece.size, piece.stamp, storage)
