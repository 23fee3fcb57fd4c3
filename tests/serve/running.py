"""A server, run as its users run it: ``engine serve`` in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60.0


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def version(self) -> str:
        return self.headers["engine-version"]


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _heard: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    def listen(self) -> None:
        """Take in what it logs."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._heard:
                self.lines.append(line.rstrip("\n"))
                if line.startswith("{"):
                    self.events.append(json.loads(line))
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def event(self, name: str, seconds: float = SECONDS, *, after: int = 0, **holds: Any) -> dict[str, Any]:
        """Wait for an event; ``after`` leaves out that many of the first lines."""

        def found() -> dict[str, Any] | None:
            for event in self.events[after:]:
                if event["event"] == name and holds.items() <= event.items():
                    return event
            return None

        with self._heard:
            self._heard.wait_for(lambda: found() is not None or self._ended, seconds)
            event = found()
        assert event is not None, (name, holds, self.lines)
        return event

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.event("ready")["url"].rpartition("://")[2].rpartition(":")
        return host, int(port)

    @property
    def grpc(self) -> str:
        found: str = self.event("ready")["grpc"]
        return found

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.address)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=SECONDS)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """One request on a connection of its own; a body that is no bytes is sent as JSON."""
        connection = self.connect()
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def predict(self, rows: Any, **headers: str) -> Answered:
        return self.ask("POST", "/predict", rows, headers)

    def metrics(self, **headers: str) -> dict[str, float]:
        """The metrics, by name with labels."""
        text = self.ask("GET", "/metrics", headers=headers).body.decode()
        found = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def workers(self) -> list[int]:
        """The processes of its workers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = path.read_text()
            except OSError:
                continue
            if text.rpartition(")")[2].split()[1] == str(self.process.pid):
                found.append(int(path.parent.name))
        return sorted(found)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, seconds: float = SECONDS) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        return self.process.wait(seconds)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    """One request on a connection."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


@contextmanager
def serving(
    *overrides: str,
    environment: Mapping[str, str] | None = None,
    wait: bool = True,
    python: str = sys.executable,
) -> Iterator[Server]:
    """``engine serve`` with these overrides, on free ports; it is killed at the end."""
    given = {"server.port": "0", "server.grpc_port": "null", "server.grace_seconds": "0.1"}
    for override in overrides:
        given.pop(override.partition("=")[0], None)
    command = [python, "-m", "engine", "serve", *overrides, *(f"{k}={v}" for k, v in given.items())]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    server = Server(process)
    ears = threading.Thread(target=server.listen)
    ears.start()
    try:
        if wait:
            server.event("ready")
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        ears.join()
        assert process.stderr is not None
        process.stderr.close()


def until(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Ask again and again until something holds."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found or time.monotonic() > end:
            assert found
            return found
        time.sleep(0.02)
