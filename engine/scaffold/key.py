"""``engine new key``: a key for whoever asks the server, and its hash in the server's file."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from engine.errors import UserError
from engine.runtime.io.durable import sync
from engine.runtime.serve.keys import (
    MOST_KEYS,
    Key,
    check_key_name,
    hash_of,
    new_key,
    read_lines,
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was made.

    Parameters
    ----------
    name : str
    key : str
        The key itself; it is stored nowhere.
    file : Path
        Where its hash is.
    """

    name: str
    key: str = field(repr=False)
    file: Path


def issue(name: str, file: Path, today: date) -> Issued:
    """Make a key and add its hash to a file; when this returns, the line is on the disk.

    Parameters
    ----------
    name : str
    file : Path
        Made, for its owner alone, where it isn't there.
    today : date

    Raises
    ------
    UserError
        The name won't do or is taken, or the file isn't one of keys.
    """
    check_key_name(name)
    key = new_key()
    line = f"{Key(name, hash_of(key), today)}\n".encode("ascii")
    try:
        descriptor, new = _opened(file)
    except OSError as error:
        raise UserError(f"{file}: the key can't be added: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UserError(f"{file} is no regular file")
        # two of these at once would both find the name free
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        there = read_lines(file)
        if any(other.name == name for other in there):
            raise UserError(
                f"{file} holds a key of {name!r} already; give another name, or delete its line to take that"
                " key back"
            )
        if len(there) >= MOST_KEYS:
            raise UserError(f"{file} holds {len(there):,} keys, the most that a server takes")
        _append(descriptor, line)
    finally:
        os.close(descriptor)
    if new:
        sync(file.absolute().parent)
    return Issued(name, key.decode("ascii"), file)


def _opened(file: Path) -> tuple[int, bool]:
    """A descriptor for reading and appending, and whether the file is new."""
    flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(file, flags), False
    except FileNotFoundError:
        return os.open(file, flags | os.O_CREAT, 0o600), True


def _append(descriptor: int, line: bytes) -> None:
    """Add a line by one write, all of it or nothing, and wait until it is on the disk."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        line = b"\n" + line
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError("the disk took a part of the line only")
        os.fsync(descriptor)
    except OSError as error:
        os.ftruncate(descriptor, size)
        raise UserError(f"the key couldn't be stored, so there is none: {error.strerror or error}") from None
