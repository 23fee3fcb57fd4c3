"""A server with as much as the page asks of one: the page, the document, and answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from engine.errors import RowError
from engine.pipeline import Pipeline
from engine.runtime.serve.openapi import openapi
from engine.runtime.serve.openapi.example import to_json
from engine.runtime.serve.page import KIND, page

JSON = b"application/json"


@dataclass
class SmallServer:
    """An ASGI application; what was posted is kept.

    Parameters
    ----------
    pipeline : Pipeline
    key : str
        Empty: no key is asked for.
    """

    pipeline: Pipeline
    key: str = ""
    posted: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message["body"]
        status, kind, found, headers = self.answer(scope["path"], body, dict(scope["headers"]))
        about = [(b"content-type", kind), (b"engine-version", self.pipeline.version.encode()), *headers]
        await send({"type": "http.response.start", "status": status, "headers": about})
        await send({"type": "http.response.body", "body": found})

    def answer(self, path: str, body: bytes, given: dict[bytes, bytes]) -> tuple[int, bytes, bytes, Any]:
        if path == "/docs":
            found, headers = page()
            return 200, KIND, found, headers
        key = given.get(b"authorization", b"").decode().removeprefix("Bearer ")
        if self.key and key != self.key:
            return 401, JSON, json.dumps({"error": "no key", "code": "key", "column": None}).encode(), []
        if path == "/openapi.json":
            return 200, JSON, json.dumps(openapi(self.pipeline, keys=bool(self.key))).encode(), []
        if path != "/predict":
            return 404, JSON, b'{"error":"no such route","code":"not_found","column":null}', []
        self.posted.append(body)
        self.keys.append(key)
        try:
            answer = self.pipeline.live().one(json.loads(body))
        except RowError as error:
            said = {"error": str(error), "code": error.code, "column": error.column}
            return 422, JSON, json.dumps(said).encode(), []
        return 200, JSON, json.dumps({name: to_json(value) for name, value in answer.items()}).encode(), []


@contextmanager
def served(pipeline: Pipeline, key: str = "") -> Iterator[SmallServer]:
    """The server on a port of its own."""
    app = SmallServer(pipeline, key)
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            thread.join(0.01)
        app.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield app
    finally:
        server.should_exit = True
        thread.join(30)
