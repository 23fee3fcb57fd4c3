"""The sockets that the workers share."""

from __future__ import annotations

import ctypes
import errno
import resource
import socket
import struct
import sys
from contextlib import suppress

from engine.errors import UserError

_BACKLOG = 2048
_OTHER_FILES = 1024
"""Files that a worker has open besides connections, at the most."""
_ATTACH_FILTER = 26
"""Linux's SO_ATTACH_FILTER."""
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the byte of TCP's flags
    (0x45, 0, 1, 0x02),  # SYN: next, else skip one
    (0x06, 0, 0, 0),  # take nothing
    (0x06, 0, 0, 0xFFFFFFFF),  # take all
)
"""A program of Linux's classic BPF (code, jump if true, jump if false, operand); it sees a TCP segment."""


def listen(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens, which all workers accept from: what waits in it outlives any of them.

    Raises
    ------
    UserError
        The address can't be had.
    """
    found = _bound(host, port, option, shared=False)
    found.listen(_BACKLOG)
    return found


def reserve(host: str, port: int, option: str) -> socket.socket:
    """A socket that holds an address, which each worker binds for itself (SO_REUSEPORT).

    Raises
    ------
    UserError
        The address can't be had.
    """
    if port:  # whether somebody else has it: a shared address would be had by both
        _bound(host, port, option, shared=False).close()
    return _bound(host, port, option, shared=True)


def hush(listener: socket.socket) -> None:
    """Let nobody else connect, while those who have are still accepted.

    Who is connected and waits to be accepted when a listening socket is closed is reset, though it may have
    sent its request. So the kernel is asked to drop what comes to the socket first; whoever tries meanwhile
    tries again, and finds it closed. Elsewhere than on Linux this does nothing.
    """
    if sys.platform != "linux":
        return
    # only what begins a connection (SYN) is dropped: what ends the handshake of one that has begun is not
    program = b"".join(struct.pack("=HBBI", *step) for step in _DROP_SYN)
    steps = ctypes.create_string_buffer(program)
    filter_ = struct.pack("@HP", len(_DROP_SYN), ctypes.addressof(steps))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filter_)


def allow_connections(connections: int) -> None:
    """Let so many connections be open: what processes begin with is often 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def address(found: socket.socket) -> str:
    """The address, as ``host:port``.

    >>> with listen("127.0.0.1", 0, "server.port") as found:
    ...     address(found).rpartition(":")[0]
    '127.0.0.1'
    """
    host, port, *_ = found.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bound(host: str, port: int, option: str, *, shared: bool) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UserError(f"server.host: {host!r} is no address of this machine: {error}") from None
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.bind(where)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            hint = f"stop what listens there, or take another: {option}={port + 1 if port < 65535 else 0}"
        elif error.errno == errno.EADDRNOTAVAIL:
            hint = "server.host names an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them"
        elif error.errno in (errno.EACCES, errno.EPERM):
            hint = f"ports below 1024 need a privilege; take another: {option}=8080"
        else:
            hint = "take another"
        raise UserError(f"{option}: can't listen on {host}:{port}: {error.strerror}; {hint}") from None
    return found
