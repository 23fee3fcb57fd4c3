"""Files that are on the disk: written out while more is made, and waited for at the end."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE of <linux/fs.h>."""


def begin_writing_out(file: Path) -> None:
    """Have the system start to put on the disk what a file holds, without waiting for it.

    `sync` at the end then has little left to wait for. Where the system can't, nothing happens.
    """
    start = _sync_file_range()
    if start is None:
        return
    handle = os.open(file, os.O_RDONLY)
    try:
        start(handle, 0, 0, _WRITE)  # a hint: what fails here fails in `sync`, and is told there
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@cache
def _sync_file_range() -> Any:
    """The function of Linux's C library, or None; https://man7.org/linux/man-pages/man2/sync_file_range.2.html."""
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return function
