"""Logs: one line of JSON for each event, whatever requests hold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .running import Server, serving, until
from .wire import post, wire

ROW = {"id": "x", "size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": "2021-05-01T00:00:00Z"}
EVIL = '\n{"event":"forged"}\r\n\x1b[31m\u2028\x85\x00"\\ \ud800é'


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    """A server that logs every request."""
    with serving(f"bundle={bundle}", "server.access_log=true", "server.workers=2") as running:
        running.event("serves", worker=1)
        yield running


def logged(server: Server, request: str) -> dict[str, Any]:
    return server.event("request", request=request)


def test_every_request_has_a_line(server: Server) -> None:
    found = server.predict(ROW, **{"x-request-id": "first"})
    line = logged(server, "first")
    assert (line["route"], line["status"], line["version"]) == ("predict", 200, found.version)
    assert 0 < line["seconds"] < 60
    assert line["worker"] in (0, 1)
    assert line["time"].endswith("Z")
    server.ask("POST", "/nowhere", ROW, {"x-request-id": "second"})
    assert (logged(server, "second")["route"], logged(server, "second")["status"]) == ("other", 404)
    server.predict({"rooms": "x"}, **{"x-request-id": "third"})
    assert logged(server, "third")["status"] == 422
    for line in server.events:
        assert "Bath" not in json.dumps(line)  # what rows hold is nobody's to log


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.one_of(st.just(EVIL), st.text(max_size=40)), raw=st.binary(max_size=40))
def test_no_request_breaks_a_line(server: Server, text: str, raw: bytes) -> None:
    line = bytes(byte for byte in raw if byte not in b"\r\n\0")
    spelt = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    body = json.dumps({**ROW, "id": text, "city": text, text: text}).encode()
    with wire(server) as client:
        for request in (
            post(body, path=f"/predict/{spelt}"),
            post(body, path=f"/v2/models/{spelt}/infer"),
            b"POST /predict HTTP/1.1\r\nx-request-id: %b\r\nuser-agent: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (line, line, len(body), body),
        ):
            client.send(request)
            if client.answer().status == 400:
                return


def test_every_line_is_one_object(server: Server) -> None:
    """Those of the tests before, too."""
    big = json.dumps([{**ROW, "id": i} for i in range(9000)]).encode()
    ids = [f"n{i}" for i in range(50)]
    with wire(server) as client:
        for name in ids:
            client.send(post(big if name == "n7" else json.dumps(ROW).encode(), f"x-request-id: {name}"))
            assert client.answer().status == 200
    for name in ids:
        logged(server, name)
    for line in server.lines:
        event = json.loads(line)
        assert {"event", "level", "time"} <= set(event)
        assert event["event"] != "forged"
        assert line.isascii()
        assert line.isprintable()
    assert {event["level"] for event in server.events} == {"info"}
    assert not any("answers at" in line for line in server.lines)  # that is for people on a terminal


def test_a_log_that_nobody_reads_stops_nobody(bundle: Path) -> None:
    """Its reader went away."""
    command = [sys.executable, "-m", "engine", "serve", f"bundle={bundle}", "server.port=0"]
    command += ["server.grpc_port=null", "server.access_log=true", "server.grace_seconds=0.1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    try:
        events = (json.loads(line) for line in process.stderr)
        ready = next(event for event in events if event["event"] == "ready")
        process.stderr.close()
        server = Server(process, [ready])
        with wire(server) as client:
            for body in (json.dumps(ROW).encode(), b"{", json.dumps(ROW).encode()):
                client.send(post(body))
                assert client.answer().status in (200, 400)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)  # the supervisor has something to say, too
        until(lambda: server.workers() not in ([], [worker]))
        assert server.predict(ROW).status == 200
        assert server.stop() == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


FAILING = """
import asyncio, warnings
from concurrent.futures import ThreadPoolExecutor
import logging
from engine.runtime.serve.app import App
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.holder import Holder
from engine.runtime.serve.logs import start_logs
from engine.runtime.serve.routes import Route, Routes
from engine.runtime.serve.settings import Settings

def fail(call):
    raise RuntimeError("a secret\\n\\x1b[31m of the server")

async def ask(path):
    async def receive():
        return {"type": "http.request", "body": b"x" * 10, "more_body": False}
    sent = []
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"x-request-id", b"that")]}
    await app(scope, receive, send)
    return sent

log = start_logs("json", worker=3)
counts = Counts()
with ThreadPoolExecutor(1) as pool:
    routes = Routes({"/fail": Route("fail", fail, loaded=False)}, {})
    app = App(Settings(access_log=True), Holder(counts), counts, routes, pool, log)
    begin, body = asyncio.run(ask("/fail"))
print(begin["status"], body["body"].decode())
warnings.warn("a library's\\nwarning")
logging.getLogger("other").error("of %s", "another\\nlibrary")
"""


def test_a_failure_is_logged_and_not_told() -> None:
    """No request is known to make a handler fail: this one always does."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, text=True, timeout=60, check=True
    )
    status, _, body = done.stdout.partition(" ")
    assert status == "500"
    assert json.loads(body) == {
        "error": "the server failed; its log says why",
        "code": "internal",
        "column": None,
    }
    failed, request, warned, other = map(json.loads, done.stderr.splitlines())
    assert (failed["event"], failed["level"], failed["path"], failed["request"], failed["worker"]) == (
        "a request failed",
        "error",
        "/fail",
        "that",
        3,
    )
    assert failed["exception"].startswith("Traceback")
    assert "a secret" in failed["exception"]
    assert (request["route"], request["status"], request["version"]) == ("fail", 500, None)
    assert (warned["level"], other["level"]) == ("warning", "error")
    assert "a library's\nwarning" in warned["event"]
    assert other["event"] == "of another\nlibrary"
