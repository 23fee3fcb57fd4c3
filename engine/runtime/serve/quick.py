"""A connection on which small requests are answered as they come.

uvicorn makes a task, an event and a dictionary for each request, so that an application may wait. Whoever
only computes for a few microseconds needs none of them: a request that is here as a whole, small and with
nothing before it, is answered where it is read. Every other one goes uvicorn's way.
"""

from __future__ import annotations

from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any

from engine.runtime.serve.app import HEAVY
from engine.runtime.serve.connection import MOST_HEAD, Connection

if TYPE_CHECKING:
    from engine.runtime.serve.app import App
    from engine.runtime.serve.routes import Route

_STATUS = {int(code): b"HTTP/1.1 %d %b\r\n" % (code, code.phrase.encode()) for code in HTTPStatus}


class QuickConnection(Connection):
    """One connection of a client.

    Attributes
    ----------
    quick : App
        What answers.
    """

    quick: App

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._route: Route | None = None  # of a request that may be answered as soon as its body is here
        self._given: list[tuple[bytes, bytes]] = []  # its headers, without what trails its body
        self._sent: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._size = 0  # bytes of the pieces

    def data_received(self, data: bytes) -> None:
        """Read on; what isn't here as a whole goes uvicorn's way."""
        super().data_received(data)
        if self._route is not None and not self.transport.is_closing():
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is here: perhaps the body is, too."""
        parser = self.parser
        if (
            self._idle
            and not self.expect_100_continue
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and not self.flow.write_paused
            and self._refusal is None
            and self._head <= MOST_HEAD
        ):
            self._given, self._sent = self.headers, dict(self.headers)
            self._route = self.quick.quick(self.url, self._sent)
            if self._route is not None:
                self._heading, self._head = False, 0
                self.headers = []  # as in `Connection`
                return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of it is here."""
        if self._route is not None:
            self._pieces.append(body)
            self._size += len(body)
            if self._size > HEAVY:
                self._wait()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is here."""
        route = self._route
        if route is not None:
            pieces = self._pieces
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._forget()
            self.since = None
            self._heading, self._head = True, 0
            self._answer(route, body)
            return
        super().on_message_complete()

    def _answer(self, route: Route, body: bytes) -> None:
        answer, more = self.quick.at_once(route, self.url, self._given, self._sent, body)
        parts = [_STATUS[answer.status]]
        for name, value in self.server_state.default_headers:
            parts += name, b": ", value, b"\r\n"
        parts += b"content-type: ", answer.kind, b"\r\ncontent-length: %d\r\n" % len(answer.body)
        for name, value in more:
            parts += name, b": ", value, b"\r\n"
        parts += b"\r\n", answer.body
        self.transport.write(b"".join(parts))
        self.quiet = monotonic()

    def _wait(self) -> None:
        """Hand a request on to uvicorn, with what is here of it."""
        pieces = self._pieces
        self._forget()
        self.expect_100_continue = False  # a head that asks for it isn't quick: this is what trails the body
        super().on_headers_complete()
        for piece in pieces:
            super().on_body(piece)

    def _forget(self) -> None:
        self._route, self._pieces, self._size = None, [], 0

    def refuse(self, status: int, message: str, code: str) -> None:
        """Answer with an error what is coming, and close."""
        if self._route is not None:  # uvicorn doesn't know of it, so nobody else answers
            self._forget()
            self._heading = True
        super().refuse(status, message, code)
