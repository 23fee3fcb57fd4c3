"""Memory that the workers share, in which each publishes what it counted; counts outlive a worker."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import zlib
from typing import Any

import msgspec

_SLOT = 1 << 21
"""Bytes of a worker's place: two halves, of which one is valid."""
_HEAD = struct.Struct("=II")
_WHICH = struct.Struct("=Q")
_HALF = (_SLOT - 8) // 2


class Board:
    """A place for each worker.

    A worker writes the half that nobody reads, then says that it is the valid one: whoever is killed
    meanwhile leaves the other as it was.

    Parameters
    ----------
    file : int
        The descriptor of the memory, as `new_board` makes it.
    places : int

    Examples
    --------
    >>> board = Board(new_board(2), 2)
    >>> board.publish(1, {"rows": 5})
    >>> board.read(1), board.read(0)
    ({'rows': 5}, None)
    """

    def __init__(self, file: int, places: int) -> None:
        self.file = file
        self.places = places
        self._memory = mmap.mmap(file, places * _SLOT)

    def publish(self, place: int, value: Any) -> None:
        """Publish plain values.

        Raises
        ------
        ValueError
            They take more room than there is.
        """
        data = msgspec.msgpack.encode(value)
        if len(data) > _HALF - _HEAD.size:
            raise ValueError(f"{len(data):,} bytes don't fit into {_HALF - _HEAD.size:,}")
        base = place * _SLOT
        which = 1 - _WHICH.unpack_from(self._memory, base)[0] % 2
        at = base + _WHICH.size + which * _HALF
        self._memory[at + _HEAD.size : at + _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._memory, at, len(data), zlib.crc32(data))
        _WHICH.pack_into(self._memory, base, which)

    def read(self, place: int) -> Any | None:
        """What was published last; None: nothing yet."""
        base = place * _SLOT
        for _ in range(100):
            which = _WHICH.unpack_from(self._memory, base)[0] % 2
            at = base + _WHICH.size + which * _HALF
            length, checksum = _HEAD.unpack_from(self._memory, at)
            if not length:
                return None
            data = self._memory[at + _HEAD.size : at + _HEAD.size + min(length, _HALF)]
            if zlib.crc32(data) == checksum:  # else it was published anew meanwhile, twice
                return msgspec.msgpack.decode(data, strict=False)
        return None


def new_board(places: int) -> int:
    """The descriptor of memory for so many workers."""
    try:
        file = os.memfd_create("engine-counts", os.MFD_CLOEXEC)
    except OSError:  # some sandboxes refuse it
        with tempfile.TemporaryFile() as there:
            file = os.dup(there.fileno())
    os.ftruncate(file, places * _SLOT)
    return file
