"""A connection as uvicorn has it, with what it lacks.

Limits on heads and on time, errors in JSON, and an end that lets the client read what it was answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 << 10
_FRAMING = 8
"""Bytes of framing that a byte of a body may come with: a chunk of one byte takes five."""
_SLOWEST = 64 << 10
"""Bytes of its answer that a client takes at the least, in the time that it has to send a request."""
_IDLE_SECONDS = 0.5
"""How long a server that stops waits for what idle clients may have sent already."""
_REFUSED_AT_LENGTH = 256
"""Connections above the limit that are told why, and not merely closed."""
_NO_HTTP = 400, "this is no request of HTTP/1.1", "http"
_LONG_HEAD = 431, f"the head of the request has more than {MOST_HEAD:,} bytes", "too_large"
_LONG_FRAMING = 400, f"more than {MOST_HEAD:,} bytes came around the chunks of the body", "http"
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
        connection was made; when it ended for us, and not yet for the client. None: nothing is awaited but
        the next request.
    quiet : float or None
        Since when nothing has come but what is no request, where uvicorn doesn't count the time itself.
    """

    most: int = 4096
    """Connections that may be open."""
    count: Callable[[str], None] = staticmethod(lambda code: None)
    """Is told of what was refused here."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.since: float | None = None
        self.quiet: float | None = None
        self._heading = True
        self._head = 0  # bytes of the head, and of what comes around a body
        self._answering: Any = None  # the request that is answered; `cycle` is the last one that came
        self._refusal: tuple[int, str, str] | None = None  # waits until those before it are answered
        self._unfit = _NO_HTTP  # what is wrong with what can't be parsed
        self._plain = b""
        self._lingers = False
        self._end: _End | None = None
        self._unsent, self._unsent_since = 0, 0.0

    # -- what comes

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self.since = monotonic()
        self._end = _End(transport, self._finish)
        above = len(self.connections) - self.most
        if above > _REFUSED_AT_LENGTH:
            transport.close()
        elif above > 0:
            self.refuse(503, "too many connections are open", "busy")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self.pipeline.clear()
        if not self._idle:  # it need not be the last that came, the one that uvicorn knows of
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)
        self._end = None

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has no end."""
        if self._lingers or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._head += len(data)
        try:
            self._feed(data)  # sets it to 0 where a head or a body ends
        except httptools.HttpParserError:
            self.refuse(*self._unfit)
            return
        if self._head > MOST_HEAD:
            self.refuse(*(_LONG_HEAD if self._heading else _LONG_FRAMING))
        elif self.since is None and self.quiet is None and self._idle:
            # what came is no request: blank lines, or the body of one that was answered before
            self.quiet = monotonic()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # the parser takes what follows for another protocol's; it is read again without the wish
                data = self._plain + data[upgrade.args[0] :]
                self._plain = b""
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self.since = monotonic()
        self.quiet = None

    def on_headers_complete(self) -> None:
        """The head is here."""
        if self._head > MOST_HEAD:  # or it came together with something else
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > MOST_HEAD:
                self._unfit = _LONG_HEAD
                raise ValueError
        if self.parser.should_upgrade():
            self._plain = self._without_upgrade()
            return
        self._heading, self._head = False, 0
        super().on_headers_complete()
        self.cycle.transport = self._end  # type: ignore[assignment]
        self.headers = []  # trailers are none of the request's headers

    def _without_upgrade(self) -> bytes:
        """The head without the wish for another protocol, as Java's client has in all of its requests."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise ValueError
        head = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        head += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join(head) + b"\r\n\r\n"

    def on_body(self, body: bytes) -> None:
        """A piece of it is here."""
        self._head = max(0, self._head - (1 + _FRAMING) * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is here."""
        if self._plain:
            return
        self.since = None
        self._heading, self._head = True, 0
        super().on_message_complete()

    # -- what is answered

    @property
    def _idle(self) -> bool:
        return self._answering is None or self._answering.response_complete

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """A request is answered: on to the next."""
        if self._lingers:
            return
        waited = bool(self.pipeline)
        super().on_response_complete()
        if waited and self.since is not None:
            self.since = monotonic()  # nothing was read meanwhile
        if self._refusal is not None and self._idle:
            self.refuse(*self._refusal)

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        self._unsent = 0

    # -- how it ends

    def refuse(self, status: int, message: str, code: str) -> None:
        """Answer with an error what is coming, after all that came before it, and close."""
        if self._lingers or self.transport.is_closing():
            return
        if not self._idle and (self._heading or self._answering is not self.cycle):
            if self.pipeline and not self._heading:
                self.pipeline.popleft()  # it is this one that is refused
            self._refusal = status, message, code
            self.flow.pause_reading()
            return
        self.count(code)
        told = not self._heading and self.cycle is not None and self.cycle.response_started
        if not self._heading and self.cycle is not None:
            self.cycle.disconnected = True  # who reads it has nothing to wait for any more
            self.cycle.message_event.set()
        if not told:
            body = msgspec.json.encode({"error": message, "code": code, "column": None})
            head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            more = b"retry-after: 1\r\n" if status == 503 else b""
            head = head % (status, _PHRASES[status], len(body)) + more
            self.transport.write(head + b"connection: close\r\n\r\n" + body)
        if status == 408:
            self.transport.close()
        else:
            self._linger()

    def _finish(self) -> None:
        """Close after an answer."""
        if self._heading:
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Send the end, and throw away what still comes.

        A connection that is closed while its client sends is reset, and takes with it an answer that the
        client has not read.
        """
        self._lingers = True
        self.since = monotonic()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def shutdown(self) -> None:
        """Close soon, unless a request is coming or answered; that one's answer says that it is the last."""
        self.loop.call_later(_IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        if self.transport.is_closing():
            return
        if self._idle and self._heading and not self._head:
            self.transport.close()
        elif not self._idle:
            self.cycle.keep_alive = False

    def cut_off(self, seconds: float) -> bool:
        """Close it if its client took longer than that; whether it did."""
        now = monotonic()
        left = self.transport.get_write_buffer_size()
        if left == 0 or left < self._unsent - _SLOWEST or self._unsent == 0:
            self._unsent, self._unsent_since = left, now
        elif now - self._unsent_since > seconds:
            self.transport.abort()
            return True
        if self.quiet is not None and self._idle and now - self.quiet > self.timeout_keep_alive:
            self.transport.close()
            return False
        if self.since is None or self.pipeline or now - self.since <= seconds:
            return False
        if self._lingers:
            self.transport.abort()
            return False
        self.refuse(408, f"the request wasn't here after {seconds:g} s", "timeout")
        return True


class _End:
    """What answers a request writes to, and closes."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def cut_off(connections: Iterable[Any], seconds: float) -> int:
    """Close connections whose request takes longer than that to come, or that don't take their answer.

    Returns
    -------
    int
        How many.
    """
    return sum(connection.cut_off(seconds) for connection in list(connections))
