"""A request over HTTP: asked once by Python, written down for the load generator."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    """A POST.

    Parameters
    ----------
    path : str
    body : bytes
    headers : mapping of str to str
        Besides host and length.
    """

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))

    def raw(self, port: int) -> bytes:
        """The request as it goes over the wire."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Reply:
    """What was answered; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(port: int, requests: Sequence[Request]) -> list[Reply]:
    """The answers to requests, one after the other over one connection.

    Raises
    ------
    SystemExit
        One of them isn't answered with 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    replies = []
    for request in requests:
        connection.request("POST", request.path, request.body, dict(request.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        reply = Reply(response.status, headers, response.read())
        if reply.status != 200:
            raise SystemExit(f"{request.path}: {reply.status} {reply.body[:500].decode(errors='replace')}")
        replies.append(reply)
    connection.close()
    return replies


def write(requests: Sequence[Request], port: int, path: Path) -> None:
    """Write requests as ``post.lua`` reads them."""
    with path.open("wb") as file:
        for request in requests:
            raw = request.raw(port)
            file.write(b"%d\n" % len(raw) + raw)
