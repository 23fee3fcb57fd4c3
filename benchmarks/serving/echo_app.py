"""Bare ASGI applications that send a body back: what the server's stack costs with nothing behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_KIND = (b"content-type", b"application/json")
_DECODER, _ENCODER = msgspec.json.Decoder(), msgspec.json.Encoder()


async def same(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The bytes as they came."""
    if scope["type"] == "http":
        await _answer(await _body(receive), send)


async def decoded(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """JSON, decoded and encoded again."""
    if scope["type"] == "http":
        await _answer(_ENCODER.encode(_DECODER.decode(await _body(receive))), send)


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


async def _answer(body: bytes, send: Send) -> None:
    headers = [_KIND, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
