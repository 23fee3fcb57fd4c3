"""The body of a request: read while it comes, counted, and unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from engine.runtime.serve.call import Refusal

_WINDOW = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class Gone(Exception):  # noqa: N818 - nothing is wrong
    """The client left."""


async def read_body(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]], length: bytes | None, most: int
) -> bytes:
    """The whole body.

    Parameters
    ----------
    receive : callable
        ASGI's.
    length : bytes or None
        What Content-Length says.
    most : int
        Bytes that it may have.

    Raises
    ------
    Refusal
        It is larger.
    Gone
        The client left in the middle of it.
    """
    if length is not None and length.isdigit() and int(length[:20]) > most:
        raise too_large(f"{int(length[:20]):,} bytes", most)
    message = await receive()
    if message["type"] != "http.request":
        raise Gone
    body: bytes = message["body"]
    if len(body) > most:
        raise too_large("", most)
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        parts.append(message["body"])
        size += len(message["body"])
        if size > most:
            raise too_large("", most)
    return b"".join(parts)


def unpack(body: bytes, encoding: bytes, most: int) -> bytes:
    """A body without its Content-Encoding.

    Raises
    ------
    Refusal
        The encoding is another than gzip or deflate; the body is damaged, has something behind its end, such
        as a second member, or is too large when unpacked.

    Examples
    --------
    >>> import gzip
    >>> unpack(gzip.compress(b"{}"), b"gzip", 100)
    b'{}'
    """
    name = encoding.strip().lower()
    if name == b"identity":
        return body
    if name not in _WINDOW:
        shown = name[:40].decode("latin-1")
        raise Refusal(415, f"Content-Encoding: {shown!r} isn't known; gzip and deflate are", "encoding")
    opened = zlib.decompressobj(_WINDOW[name])
    try:
        found = opened.decompress(body, most + 1)
    except zlib.error:
        raise Refusal(400, f"the body is no {name.decode()}", "encoding") from None
    if len(found) > most:
        raise too_large("unpacked", most)
    if not opened.eof:
        raise Refusal(400, f"the body's {name.decode()} is cut off", "encoding")
    if opened.unused_data:  # what isn't read must not be lost without a word
        raise Refusal(400, f"something stands behind the body's {name.decode()}", "encoding")
    return found


def pack(body: bytes, accepted: bytes) -> tuple[bytes, bytes] | None:
    """A body compressed as the client accepts it, and the encoding's name; None: as it is."""
    names = {part.partition(b";")[0].strip().lower() for part in accepted.split(b",") if b";q=0" not in part}
    for name in (b"gzip", b"deflate"):
        if name in names:
            squeezed = zlib.compressobj(1, zlib.DEFLATED, _WINDOW[name])
            return squeezed.compress(body) + squeezed.flush(), name
    return None


def too_large(found: str, most: int) -> Refusal:
    """The refusal of a body."""
    has = f"has {found}" if found and found != "unpacked" else "unpacks to more" if found else "has more"
    # the rest is read and thrown away, for as long as `server.receive_seconds` lets it come: a client whose
    # connection were closed now would see that alone, and not why
    return Refusal(413, f"the body {has}; at most {most:,} bytes are read (server.max_body)", "too_large")
