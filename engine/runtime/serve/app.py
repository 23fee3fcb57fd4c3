"""The server as ASGI sees it: from a request to its answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any, TypeAlias

from engine.answer.live import Live
from engine.errors import DataError
from engine.runtime.serve.body import Gone, pack, read_body, unpack
from engine.runtime.serve.call import Answer, Call, Refusal
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.holder import Holder
from engine.runtime.serve.routes import Route, Routes
from engine.runtime.serve.settings import Settings
from engine.runtime.serve.tally import Tally

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEAVY = 16 << 10
"""Bytes of a body that are answered beside the others instead of between them."""
_MOST_URLS = 64
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
    allowed: Callable[[list[tuple[bytes, bytes]]], bool] | None = None
    keep: Callable[[str, Call], None] | None = None
    tasks: Collection[Any] = ()
    _mark: str = field(default_factory=partial(secrets.token_hex, 4))
    _numbers: Any = field(default_factory=count)
    _quick: dict[bytes, Route | None] = field(default_factory=dict)
    _tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self._tally = Tally(self.counts)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """ASGI's one entry."""
        if scope["type"] != "http":
            return
        began = perf_counter()
        route = self.routes.find(scope["path"])
        headers = dict(scope["headers"])
        call = self._call(scope["path"], scope["headers"], headers)
        try:
            answer = await self._answer(scope, route, headers, receive, call)
        except Gone:
            self.counts.add("refused_requests", ("gone",))
            return
        except asyncio.CancelledError:  # `server.drain_seconds` are over
            answer = Refusal(503, "the server stops", "stopping", "", _LATER).answer()
        except Exception as error:
            answer = self._failed(error, call)
        body, more = answer.body, self._more(call, answer)
        if self.holder.draining or (answer.status >= 400 and b"expect" in headers):
            # who waited for 100 Continue may keep its body, and what it sent next would be taken for it
            more.append((b"connection", b"close"))
        sent = [(b"content-type", answer.kind), (b"content-length", b"%d" % len(body)), *more]
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": body})
        self._note(route, answer.status, perf_counter() - began, call)

    def quick(self, url: bytes, headers: Mapping[bytes, bytes]) -> Route | None:
        """The route of a request that can be answered as soon as its body is here; None: the usual way.

        Parameters
        ----------
        url : bytes
        headers : mapping of bytes to bytes
        """
        try:
            route = self._quick[url]
        except KeyError:
            if len(self._quick) >= _MOST_URLS:
                self._quick.clear()
            plain = not any(mark in url for mark in b"%?#")
            route = self.routes.find(url.decode("latin-1")) if plain else None
            self._quick[url] = route
        if route is None or not route.predicts or b"content-encoding" in headers:
            return None
        full = len(self.tasks) >= self.settings.max_in_flight
        return None if full or self.holder.live is None or self.holder.draining else route

    def at_once(
        self,
        route: Route,
        url: bytes,
        given: list[tuple[bytes, bytes]],
        headers: Mapping[bytes, bytes],
        body: bytes,
    ) -> tuple[Answer, list[tuple[bytes, bytes]]]:
        """Answer a request that is `quick`: POST, with a small body.

        Returns
        -------
        Answer
        list of (bytes, bytes)
            Headers besides type and length.
        """
        began = perf_counter()
        call = self._call(url.decode("latin-1"), given, headers)
        try:
            if self.allowed is not None and not self.allowed(given):
                raise _no_key()
            call.body = body
            answer = self._work(route, call, None, headers.get(b"accept-encoding"))
            self._keep(route, call)
        except Exception as error:
            answer = self._failed(error, call)
        self._note(route, answer.status, perf_counter() - began, call)
        return answer, self._more(call, answer)

    def new_id(self) -> str:
        """The id of a request whose client gave it none."""
        return f"{self._mark}-{next(self._numbers):x}"

    def flush(self) -> None:
        """Count what was noted."""
        self._tally.flush()
        if self.holder.watch is not None:
            self.holder.watch.flush()

    def _call(self, path: str, given: list[tuple[bytes, bytes]], headers: Mapping[bytes, bytes]) -> Call:
        own = headers.get(b"x-request-id")
        name = self.new_id() if own is None else _id(own)
        return Call(path, given, b"", self.holder.live, name)  # type: ignore[arg-type]

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
            raise _no_key()
        if route.loaded and call.live is None:
            raise Refusal(503, "no version is loaded yet", "not_ready", "", _LATER)
        if not route.predicts:
            return route.handler(call)
        if len(self.tasks) > settings.max_in_flight:
            self.counts.add("refused_requests", ("busy",))
            raise Refusal(429, "the server has its hands full; ask again", "busy", "", _LATER)
        call.body = await read_body(receive, headers.get(b"content-length"), settings.max_body)
        encoding, accepts = headers.get(b"content-encoding"), headers.get(b"accept-encoding")
        if encoding is not None or len(call.body) > HEAVY:
            work = partial(self._work, route, call, encoding, accepts)
            answer = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        else:
            answer = self._work(route, call, encoding, accepts)
        self._keep(route, call)
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

    def _keep(self, route: Route, call: Call) -> None:
        """Note what was asked and answered."""
        if self.keep is not None:
            self.keep(route.name, call)
        watch = self.holder.watch
        if watch is not None and watch.full:
            watch.flush()

    def _failed(self, error: Exception, call: Call) -> Answer:
        """What is answered where there is no answer."""
        if isinstance(error, Refusal):
            return error.answer()
        if isinstance(error, DataError):
            return Refusal(400, str(error), "data").answer()
        version = call.live and call.live.version
        self.log.error("a request failed", path=call.path, request=call.id, version=version, exc_info=error)
        return Refusal(500, "the server failed; its log says why", "internal").answer()

    def _more(self, call: Call, answer: Answer) -> list[tuple[bytes, bytes]]:
        """Headers besides type and length."""
        more = [(b"x-request-id", call.id.encode()), *answer.headers]
        live: Live | None = call.live
        if live is not None:
            more.append((b"engine-version", live.version.encode()))
        return more

    def _note(self, route: Route | None, status: int, seconds: float, call: Call) -> None:
        label = "other" if route is None else route.name
        self._tally.note(label, status, seconds, call.times)
        if self.settings.access_log:
            self.log.info(
                "request",
                route=label,
                status=status,
                seconds=round(seconds, 6),
                request=call.id,
                version=call.live and call.live.version,
            )


_LATER = ((b"retry-after", b"1"),)


def _no_key() -> Refusal:
    challenge = ((b"www-authenticate", b"Bearer"),)
    return Refusal(401, "a key is needed: Authorization: Bearer KEY, or X-API-Key: KEY", "key", "", challenge)


def _id(given: bytes) -> str:
    """A client's id of its request, without what isn't safe to print."""
    return bytes(byte for byte in given[:_LONGEST_ID] if byte in _SAFE).decode() or "-"
