"""Reading files that others chose: regular ones alone, and never more of one than was agreed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from engine.errors import UserError


def read_regular(path: Path, most: int, wrong: type[UserError], *, links: bool = True) -> bytes:
    """The bytes of a regular file; a device or a pipe is neither waited for nor read.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that are read at most.
    wrong : type
        Raised where the file is of another sort, or larger.
    links : bool
        Whether a symbolic link is followed.

    Raises
    ------
    OSError
        The system refuses; of a link that isn't followed, too.
    UserError
        Of the class ``wrong``.
    """
    # without O_NONBLOCK, opening a pipe waits for somebody to write to it
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise wrong(f"{path} is no regular file")
        if status.st_size > most:
            raise wrong(f"{path} has {status.st_size:,} bytes; {most:,} at most were expected")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise wrong(f"{path} has more than {most:,} bytes, the most that was expected")
    return data


def is_regular(path: Path) -> bool:
    """Whether a path is a file with content of a known size: no device, no pipe, nothing of ``/proc``.

    Raises
    ------
    OSError
        There is nothing, or it can't be looked at.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return False
    if status.st_size:
        return True
    # files of /proc claim to be empty, and aren't
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return not os.read(descriptor, 1)
    except OSError:
        return False
    finally:
        os.close(descriptor)
