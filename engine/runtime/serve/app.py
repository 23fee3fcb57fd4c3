"""The server as ASGI sees it: from a request to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any, TypeAlias

from engine.errors import DataError
from engine.runtime.serve.body import Gone, pack, read_body, unpack
from engine.runtime.serve.call import Answer, Call, Refusal
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.holder import Holder
from engine.runtime.serve.routes import Route, Routes
from engine.runtime.serve.settings import Settings

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEAVY = 16 << 10
"""Bytes of a body that are answered beside the others instead of between them."""
_PACKED = 1 << 10
"""Bytes of an answer that are worth packing."""
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:")
_LONGEST_ID = 64


@dataclass(slots=True)
class App:
    """Answers requests.

    Parameters
    ----------
    settings : Settings
    holder : Holder
    counts : Counts
    routes : Routes
    pool : Executor
        Answers large requests.
    log : structlog logger
    place : int
        The worker's number.
    allowed : callable, optional
        ``allowed(headers)``: whether a request has a key. None: nobody needs one.
    keep : callable, optional
        ``keep(call)``: note what was asked and answered.
    tasks : collection
        What is in flight: uvicorn's own.
    """

    settings: Settings
    holder: Holder
    counts: Counts
    routes: Routes
    pool: Executor
    log: Any
    place: int = 0
    allowed: Callable[[list[tuple[bytes, bytes]]], bool] | None = None
    keep: Callable[[str, Call], None] | None = None
    tasks: Collection[Any] = ()
    _numbers: Any = field(default_factory=count)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """ASGI's one entry."""
        if scope["type"] != "http":
            return
        began = perf_counter()
        path = scope["path"]
        route = self.routes.find(path)
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        name = _id(given) if given is not None else f"{self.place}-{next(self._numbers):x}"
        live = self.holder.live
        call = Call(path, scope["headers"], b"", live, name)  # type: ignore[arg-type]
        try:
            answer = await self._answer(scope, route, headers, receive, call)
        except Refusal as refusal:
            answer = refusal.answer()
        except DataError as error:
            answer = Refusal(400, str(error), "data").answer()
        except Gone:
            self.counts.add("refused_requests", ("gone",))
            return
        except asyncio.CancelledError:  # `server.drain_seconds` are over
            answer = Refusal(503, "the server stops", "stopping", "", _LATER).answer()
        except Exception:
            self.log.exception("a request failed", path=path, request=name, version=live and live.version)
            answer = Refusal(500, "the server failed; its log says why", "internal").answer()
        body = answer.body
        sent = [
            (b"content-type", answer.kind),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", name.encode()),
            *answer.headers,
        ]
        if live is not None:
            sent.append((b"engine-version", live.version.encode()))
        if self.holder.draining or (answer.status >= 400 and b"expect" in headers):
            # who waited for 100 Continue may keep its body, and what it sent next would be taken for it
            sent.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": body})
        self._count(route, answer.status, perf_counter() - began, call)

    async def _answer(
        self, scope: _Scope, route: Route | None, headers: dict[bytes, bytes], receive: _Receive, call: Call
    ) -> Answer:
        settings = self.settings
        if route is None:
            raise self.routes.unknown(call.path)
        if scope["method"] not in route.methods:
            allow = ", ".join(route.methods)
            raise Refusal(
                405, f"{call.path[:100]} takes {allow}", "method", "", ((b"allow", allow.encode()),)
            )
        if self.allowed is not None and not route.open and not self.allowed(call.headers):
            challenge = ((b"www-authenticate", b"Bearer"),)
            raise Refusal(
                401, "a key is needed: Authorization: Bearer KEY, or X-API-Key: KEY", "key", "", challenge
            )
        if route.loaded and self.holder.live is None:
            raise Refusal(503, "no version is loaded yet", "not_ready", "", _LATER)
        if not route.predicts:
            return route.handler(call)
        if len(self.tasks) > settings.max_in_flight:
            self.counts.add("refused_requests", ("busy",))
            raise Refusal(429, "the server has its hands full; ask again", "busy", "", _LATER)
        call.body = await read_body(receive, headers.get(b"content-length"), settings.max_body)
        encoding, accepts = headers.get(b"content-encoding"), headers.get(b"accept-encoding")
        work = partial(self._work, route, call, encoding, accepts)
        if encoding is not None or len(call.body) > _HEAVY:
            answer = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        else:
            answer = work()
        if call.times is not None:
            for stage, seconds in zip(_STAGES, call.times, strict=True):
                self.counts.histogram("stage_seconds", stage).add(seconds)
        if self.keep is not None:
            self.keep(route.name, call)
        watch = self.holder.watch
        if watch is not None and watch.full:
            watch.flush()
        return answer

    def _work(self, route: Route, call: Call, encoding: bytes | None, accepts: bytes | None) -> Answer:
        """From a body, as sent, to an answer, as sent."""
        if encoding is not None:
            call.body = unpack(call.body, encoding, self.settings.max_body)
        answer = route.handler(call)
        if accepts is not None and len(answer.body) >= _PACKED:
            packed = pack(answer.body, accepts)
            if packed is not None:
                answer.body = packed[0]
                answer.headers.append((b"content-encoding", packed[1]))
                answer.headers.append((b"vary", b"accept-encoding"))
        return answer

    def _count(self, route: Route | None, status: int, seconds: float, call: Call) -> None:
        label = "other" if route is None else route.name
        self.counts.add("requests", (label, str(status)))
        self.counts.histogram("request_seconds", (label,)).add(seconds)
        if self.settings.access_log:
            version = call.live and call.live.version
            self.log.info(
                "request",
                route=label,
                status=status,
                seconds=round(seconds, 6),
                request=call.id,
                version=version,
            )


_STAGES = (("parse",), ("score",), ("encode",))
_LATER = ((b"retry-after", b"1"),)


def _id(given: bytes) -> str:
    """A client's id of its request, without what isn't safe to print."""
    return bytes(byte for byte in given[:_LONGEST_ID] if byte in _SAFE).decode() or "-"
