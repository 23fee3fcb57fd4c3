"""Bytes to a server and back: what no HTTP client would send, and what came of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from .running import SECONDS, Answered, Server


class Wire:
    """A connection, byte by byte."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._rest = b""

    def send(self, data: bytes) -> None:
        self.end.sendall(data)

    def answer(self, *, bodiless: bool = False) -> Answered:
        """The next answer."""
        head, _, self._rest = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split(" ")[1])
        length = 0 if bodiless or status < 200 else int(headers["content-length"])
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return Answered(status, headers, body)

    def ended(self) -> bool:
        """Whether the other end closes, and in good order, with nothing more to say."""
        return self._rest == b"" and self.end.recv(1) == b""

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._more()
        return self._rest

    def _more(self) -> None:
        data = self.end.recv(1 << 16)
        if not data:
            raise EOFError(f"closed after {self._rest!r}")
        self._rest += data


@contextmanager
def wire(server: Server) -> Iterator[Wire]:
    with socket.create_connection(server.address, SECONDS) as end:
        yield Wire(end)


def post(body: bytes, *headers: str, path: str = "/predict", version: str = "1.1") -> bytes:
    """A whole request."""
    lines = [f"POST {path} HTTP/{version}", "host: x", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunks(*parts: bytes) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


def error(answer: Answered) -> str:
    """An error's code; every error says the same in the same form."""
    assert answer.headers["content-type"] == "application/json"
    found = json.loads(answer.body)
    assert set(found) == {"error", "code", "column"}
    assert found["error"]
    code: str = found["code"]
    return code
