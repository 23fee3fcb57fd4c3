"""A connection as uvicorn has it, with what it lacks: limits on heads and on time, and errors in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_HEAD = 64 << 10
_PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


class Connection(HttpToolsProtocol):
    """One connection of a client.

    Attributes
    ----------
    since : float or None
        When the first byte of a request came that isn't wholly here yet; before the first request, when the
        connection was made. None: nothing is awaited but the next request.
    """

    most: int = 4096
    """Connections that may be open."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.since: float | None = None
        self._heading = True
        self._head = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self.since = monotonic()
        if len(self.connections) > self.most:
            self.refuse(503, "too many connections are open", "busy")

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has no end."""
        if self.transport.is_closing():
            return
        self._head += len(data)
        super().data_received(data)  # sets it to 0 where a head or a body ends
        if self._heading and self._head > _MOST_HEAD:
            self.refuse(431, f"the head of the request has more than {_MOST_HEAD:,} bytes", "too_large")

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self.since = monotonic()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._heading, self._head = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here."""
        self.since = None
        self._heading, self._head = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What isn't HTTP is answered like every other error."""
        self.refuse(400, "this is no request of HTTP/1.1", "http")

    def refuse(self, status: int, message: str, code: str) -> None:
        """Answer with an error, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = msgspec.json.encode({"error": message, "code": code, "column": None})
            head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            more = b"retry-after: 1\r\n" if status == 503 else b""
            head = head % (status, _PHRASES[status], len(body)) + more
            self.transport.write(head + b"connection: close\r\n\r\n" + body)
        self.transport.close()


def cut_off(connections: Iterable[Any], seconds: float) -> int:
    """Close connections whose request takes longer than that to come, or that don't take their answer.

    Returns
    -------
    int
        How many.
    """
    now, found = monotonic(), 0
    for connection in list(connections):
        if connection.since is None or now - connection.since <= seconds:
            continue
        found += 1
        connection.refuse(408, f"the request wasn't here after {seconds:g} s", "timeout")
        if connection.transport.get_write_buffer_size():
            connection.transport.abort()
    return found
