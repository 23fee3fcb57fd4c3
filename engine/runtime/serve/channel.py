"""Messages between the supervisor and a worker: mappings, and file descriptors beside them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_LENGTH = struct.Struct("=I")
_MOST_FILES = 8


class Channel:
    """One end of a pair of sockets.

    Parameters
    ----------
    end : socket.socket
        A connected stream of the UNIX kind.

    Examples
    --------
    >>> here, there = socket.socketpair()
    >>> Channel(here).send({"say": "ready"})
    >>> Channel(there).receive()
    {'say': 'ready'}
    >>> here.close(), there.close()
    (None, None)
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.files: list[int] = []
        self._rest = b""

    def send(self, message: Any, files: Sequence[int] = ()) -> None:
        """Send a message; nobody there to read it is no error.

        Parameters
        ----------
        message : object
            Plain values.
        files : sequence of int
            Descriptors, which the reader finds in ``files``, in order.
        """
        packed = msgspec.msgpack.encode(message)
        data = _LENGTH.pack(len(packed)) + packed
        blocking = self.end.getblocking()
        self.end.setblocking(True)
        try:
            if files:
                sent = socket.send_fds(self.end, [data], list(files))
                data = data[sent:]
            self.end.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.end.setblocking(blocking)

    def receive(self) -> Any | None:
        """Wait for the next message; None: the other end is gone."""
        while True:
            for message in self._whole():
                return message
            if not self._read():
                return None

    def arrived(self) -> list[Any] | None:
        """The messages that are there, without waiting; None: the other end is gone."""
        try:
            alive = self._read()
        except BlockingIOError:
            alive = True
        found = list(self._whole())
        return found if found or alive else None

    def _read(self) -> bool:
        try:
            data, files, _, _ = socket.recv_fds(self.end, 1 << 16, _MOST_FILES)
        except ConnectionResetError:
            return False
        self.files += files
        self._rest += data
        return bool(data)

    def _whole(self) -> Iterator[Any]:
        while len(self._rest) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._rest)[0]
            if len(self._rest) < end:
                return
            packed, self._rest = self._rest[_LENGTH.size : end], self._rest[end:]
            yield msgspec.msgpack.decode(packed)
