"""Stopping: what was asked is answered, nothing new is begun, and nothing is left behind."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.pipeline import Pipeline

from .running import SECONDS, Server, ask, serving, until
from .wire import error, post, wire

ROW = {"id": "x", "size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": "2021-05-01T00:00:00Z"}
BODY = json.dumps(ROW).encode()
MANY = json.dumps([{**ROW, "id": i} for i in range(5000)]).encode()
"""Rows that take a while."""


@dataclass
class Load:
    """Clients that ask one thing after the other until nobody listens any more."""

    server: Server
    clients: int = 6
    reuse: bool = True
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[Any] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._address, self._stop = self.server.address, threading.Event()
        self._expected = self.server.predict(ROW).json
        self._threads = [threading.Thread(target=self._run) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        until(lambda: self.statuses[200] > 20 * self.clients)
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def ends(self) -> None:
        """Wait until nobody listens."""
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=SECONDS)
        while not self._stop.is_set():
            try:
                connection.connect() if connection.sock is None else None
            except ConnectionRefusedError:
                return
            except OSError as failed:
                self.wrong.append(failed)
                return
            try:
                found = ask(connection, "POST", "/predict", BODY)
            except (OSError, http.client.HTTPException) as failed:
                self.wrong.append(failed)
                connection.close()
                continue
            self.statuses[found.status] += 1
            if found.status not in (200, 503) or (found.status == 200 and found.json != self._expected):
                self.wrong.append(found)
            if not self.reuse:
                connection.close()


@pytest.mark.parametrize(
    ("number", "reuse"), [(signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGINT, True)]
)
def test_a_stop_under_load_loses_nothing(bundle: Path, number: int, reuse: bool) -> None:
    with (
        serving(f"bundle={bundle}", "server.workers=2", "server.grace_seconds=0.4") as server,
        Load(server, reuse=reuse) as load,
    ):
        workers = server.workers()
        server.send(number)
        load.ends()
        assert server.process.wait(20) == 0
        assert load.wrong == []
        assert load.statuses[200] > 0
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        assert {event["level"] for event in server.events} == {"info"}


def test_while_it_stops_it_answers_and_says_that_it_is_not_ready(bundle: Path, pipeline: Pipeline) -> None:
    with serving(f"bundle={bundle}", "server.grace_seconds=2") as server:
        connection = server.connect()
        assert "connection" not in ask(connection, "GET", "/v2/health/ready").headers
        server.send(signal.SIGTERM)
        server.event("draining")
        kept = ask(connection, "POST", "/predict", ROW)
        assert (kept.status, kept.headers["connection"]) == (200, "close")
        assert server.predict(ROW).json == pipeline.predict_one(ROW)
        for path in ("/v2/health/ready", "/ping"):
            assert server.ask("GET", path).status == 503
        assert server.ask("GET", "/v2/health/live").status == 200
        assert server.metrics()['engine_ready{worker="0"}'] == 0
        assert server.process.wait(20) == 0


def test_what_is_in_flight_is_completed(bundle: Path, pipeline: Pipeline) -> None:
    with serving(f"bundle={bundle}", "server.grace_seconds=0.1") as server:
        with wire(server) as slow, wire(server) as heavy, wire(server) as head:
            slow.send(post(BODY)[:-5])
            head.send(post(BODY)[:20])
            until(lambda: server.metrics()['engine_in_flight{worker="0"}'] == 2)
            heavy.send(post(MANY))
            server.send(signal.SIGTERM)
            answers = heavy.answer().json
            assert len(answers) == 5000
            assert answers[7] == {**pipeline.predict_one(ROW), "id": 7}
            until(lambda: not listens(server.address))  # the others come after the end of grace
            slow.send(post(BODY)[-5:])
            head.send(post(BODY)[20:])
            for client in (slow, head):
                answer = client.answer()
                assert (answer.status, answer.headers["connection"]) == (200, "close")
                assert answer.json == pipeline.predict_one(ROW)
        assert server.process.wait(20) == 0


def test_what_does_not_end_is_given_up(bundle: Path) -> None:
    with serving(
        f"bundle={bundle}",
        "server.grace_seconds=0.1",
        "server.drain_seconds=0.5",
        "server.receive_seconds=60",
    ) as server:
        with wire(server) as client, wire(server) as idle:
            client.send(post(BODY)[:-5])
            until(lambda: server.metrics()['engine_in_flight{worker="0"}'] == 2)
            server.send(signal.SIGTERM)
            answer = client.answer()
            assert (answer.status, error(answer)) == (503, "stopping")
            assert idle.ended()
        assert server.process.wait(5) == 0


def test_the_port_is_free_at_once(bundle: Path) -> None:
    with serving(f"bundle={bundle}") as first:
        port = first.address[1]
        with wire(first) as client:
            client.send(post(BODY))
            assert client.answer().status == 200
            assert first.stop() == 0  # it closes the connection first, which is then the one to wait
        with serving(f"bundle={bundle}", f"server.port={port}") as second:
            assert second.address[1] == port
            assert second.predict(ROW).status == 200


def test_workers_stop_without_their_supervisor(bundle: Path) -> None:
    with serving(f"bundle={bundle}", "server.workers=2") as server:
        server.event("serves", worker=1)
        workers = server.workers()
        address = server.address
        assert len(workers) == 2
        server.send(signal.SIGKILL)
        server.process.wait(5)
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)
        assert not listens(address)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_can_be_stopped(bundle: Path, tmp_path: Path, number: int) -> None:
    """While kernels are compiled."""
    with serving(
        f"bundle={bundle}",
        "server.grace_seconds=5",
        environment={"ENGINE_CACHE_DIR": str(tmp_path)},
        wait=False,
    ) as server:
        until(lambda: any(tmp_path.rglob("*.nbi")) or any(tmp_path.rglob("*")), 20)
        workers = server.workers()
        server.send(number)
        assert server.process.wait(10) == 0
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        assert not any("Traceback" in line for line in server.lines)


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True
