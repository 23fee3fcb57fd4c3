"""Workers: how they start, that all answer and are counted, and that one that dies is started again."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from .running import Answered, Server, ask, serving, until
from .wire import error

ROW = {"id": "x", "size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": "2021-05-01T00:00:00Z"}
TABLE = {
    "inputs": [
        {"name": "size", "shape": [3], "datatype": "FP64", "data": [1.5, 20.0, 3e3]},
        {"name": "rooms", "shape": [3, 1], "datatype": "INT32", "data": [1, 2, 3]},
        {"name": "city", "shape": [3], "datatype": "BYTES", "data": ["Bath", "York", "?"]},
        {"name": "age", "shape": [3], "datatype": "FP32", "data": [1, 2, 3]},
        {"name": "sold", "shape": [3], "datatype": "INT64", "data": [0, 1, 2]},
        {"name": "note", "shape": [3], "datatype": "BYTES", "data": ["a", "b", ""]},
        {"name": "id", "shape": [3], "datatype": "BYTES", "data": ["a", "b", "c"]},
    ]
}
ANSWERED = 'engine_requests_total{route="predict",status="200"}'


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


# -- start


@pytest.mark.slow
def test_it_is_ready_when_everything_is_compiled_and_not_before(bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = {"ENGINE_CACHE_DIR": str(tmp_path / "cache")}
    with serving(f"bundle={bundle}", f"server.port={port}", environment=environment, wait=False) as server:
        connect = lambda: _ask(port, "GET", "/v2/health/live")  # noqa: E731
        assert until(connect).status == 200
        early = [_ask(port, "GET", "/v2/health/ready"), _ask(port, "POST", "/predict", ROW)]
        assert [answer.status for answer in early] == [503, 503]
        assert early[0].json["ready"] is False
        assert error(early[1]) == "not_ready"
        assert int(early[1].headers["retry-after"]) >= 1
        assert not any(event["event"] == "serves" for event in server.events)
        server.event("ready")
        assert server.ask("GET", "/v2/health/ready").status == 200
        compiled = files(tmp_path)
        assert compiled
        asked = [
            server.predict(ROW),
            server.predict([ROW]),
            server.predict([ROW, {}, {"rooms": 2}]),
            server.predict([{**ROW, "city": None}] * 9),
            server.predict([{"rooms": 1, "note": str(i), "city": str(i), "id": [i]} for i in range(2000)]),
            server.ask("POST", "/invocations", [ROW] * 40),
            server.ask("POST", "/v2/models/homes/infer", TABLE),
        ]
        assert [answer.status for answer in asked] == [200] * len(asked), asked[-1].body
        assert files(tmp_path) == compiled
        began = time.monotonic()
        assert server.predict(ROW).status == 200
        assert time.monotonic() - began < 1


def _ask(port: int, method: str, path: str, body: Any = None) -> Any:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return ask(connection, method, path, body)
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def refused(*overrides: str) -> str:
    """What is said of a server that can't start."""
    mark = f"MARK={uuid4()}"
    name, _, value = mark.partition("=")
    done = subprocess.run(
        [sys.executable, "-m", "engine", "serve", *overrides],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, name: value},
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [path for path in Path("/proc").glob("[0-9]*/environ") if _holds(path, mark)] == []
    return done.stderr


def _holds(path: Path, mark: str) -> bool:
    try:
        return mark.encode() in path.read_bytes().split(b"\0")
    except OSError:
        return False


@pytest.mark.slow
def test_what_prevents_a_start_is_said_once(bundle: Path, tmp_path: Path) -> None:
    free = "server.port=0", "server.grpc_port=null"
    broken = tmp_path / "broken"
    version = (bundle / "current").read_text().strip()
    for path in (bundle / "versions" / version).iterdir():
        copy = broken / "versions" / version / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes()[: -100 if path.suffix == ".ubj" else None])
    (broken / "current").write_text(version)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cases = {
            ("bundle=nowhere", *free): "nowhere",
            (f"bundle={broken}", *free): "model-model.ubj",
            (f"bundle={bundle}", "server.grpc_port=null", f"server.port={port}"): f"server.port={port + 1}",
            (f"bundle={bundle}", "server.port=0", f"server.grpc_port={port}"): f"server.grpc_port={port + 1}",
            (f"bundle={bundle}", *free, "server.max_bodi=3"): "max_body",
            (f"bundle={bundle}", *free, "server.workers=0"): "server.workers",
            (f"bundle={bundle}", *free, "server=7"): "there is no server '7'",
            (f"bundle={bundle}", *free, "server.host=no.such.host.invalid"): "server.host",
            (f"bundle={bundle}", *free, "server.host=0.0.0.0"): "server.keys",
        }
        with ThreadPoolExecutor(3) as pool:
            for said, wanted in zip(
                pool.map(lambda case: refused(*case), cases), cases.values(), strict=True
            ):
                assert wanted in said
                assert len(said.strip().splitlines()) <= 6, said


# -- while it runs


def test_all_workers_answer_and_are_counted(bundle: Path) -> None:
    with serving(f"bundle={bundle}", "server.workers=2") as server:
        server.event("serves", worker=1)
        assert len(server.workers()) == 2
        asked: Counter[str] = Counter()

        def both() -> bool:
            """Ask on several connections, all of them open, until each worker has taken some."""
            connections = [server.connect() for _ in range(8)]
            for connection in connections:
                # the ids of requests begin with the worker's number
                found = ask(connection, "POST", "/predict", ROW).headers["x-request-id"]
                asked[found.partition("-")[0]] += 1
            for connection in connections:
                connection.close()
            return set(asked) == {"0", "1"}

        until(both)
        until(lambda: server.metrics().get(ANSWERED) == asked.total())
        found = server.metrics()
        assert found["engine_rows_total"] == asked.total()
        assert [found[f'engine_ready{{worker="{place}"}}'] for place in (0, 1)] == [1, 1]
        assert found.get("engine_worker_restarts_total", 0) == 0


class Clients:
    """Ask the same again and again, each on a connection that it keeps."""

    def __init__(self, server: Server, count: int) -> None:
        self.answered, self.lost = Counter[int](), Counter[int]()
        self.wrong: list[Answered] = []
        self._server, self._stop = server, threading.Event()
        self._expected = server.predict(ROW).json
        self._threads = [threading.Thread(target=self._run, args=[place]) for place in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, place: int) -> None:
        connection = self._server.connect()
        while not self._stop.is_set():
            try:
                found = ask(connection, "POST", "/predict", ROW)
            except (OSError, HTTPException):
                connection.close()
                self.lost[place] += 1
                continue
            self.answered[place] += 1
            if found.status != 200 or found.json != self._expected:
                self.wrong.append(found)
        connection.close()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_started_again(bundle: Path) -> None:
    with serving(f"bundle={bundle}", "server.workers=2") as server:
        server.event("serves", worker=1)
        began = time.monotonic()
        with Clients(server, 8) as clients:
            until(lambda: server.metrics().get(ANSWERED, 0) > 300)
            heard, before = len(server.events), clients.answered.total()
            victim = server.workers()[-1]
            os.kill(victim, signal.SIGKILL)
            died = server.event("a worker died and is started again", after=heard, exit=-9)
            gauge = f'engine_ready{{worker="{died["worker"]}"}}'
            scraped = [server.metrics()]
            assert gauge not in scraped[0]

            def back() -> bool:
                """The metrics are there all the while."""
                scraped.append(server.metrics())
                return scraped[-1].get(gauge) == 1

            until(back)
        second = clients.answered.total() / (time.monotonic() - began)
        assert clients.wrong == []
        assert clients.answered.total() > before  # the other went on
        assert max(clients.lost.values(), default=0) <= 1  # the connections of the one that was killed
        assert all(later[ANSWERED] >= earlier[ANSWERED] for earlier, later in pairwise(scraped))
        assert scraped[-1]["engine_worker_restarts_total"] == 1
        # what the one that was killed had not published is lost: less than a second's worth, on average
        until(lambda: server.metrics()[ANSWERED] >= clients.answered.total() - 3 * second)
        assert len(server.workers()) == 2
        assert victim not in server.workers()
        assert server.stop() == 0


@pytest.mark.slow
def test_a_worker_that_keeps_dying_is_started_less_and_less_often(bundle: Path) -> None:
    with serving(f"bundle={bundle}", "server.workers=2") as server:
        heard = len(server.events)
        server.event("serves", worker=1)
        _, dies = server.workers()
        others = set(server.workers()) - {dies}
        for seconds in (0.1, 0.2, 0.4, 0.8):
            os.kill(dies, signal.SIGKILL)
            server.event("a worker died and is started again", after=heard, seconds=seconds)
            (dies,) = until(lambda: [pid for pid in server.workers() if pid not in others])
        place = server.event("a worker died and is started again")["worker"]
        until(lambda: server.metrics().get(f'engine_ready{{worker="{place}"}}') == 1)
        assert server.predict(ROW).status == 200
        assert server.stop() == 0


def test_a_stop_is_in_good_order_while_a_worker_is_dead(bundle: Path) -> None:
    with serving(f"bundle={bundle}", "server.workers=2") as server:
        server.event("serves", worker=1)
        os.kill(server.workers()[-1], signal.SIGKILL)
        server.event("a worker died and is started again")
        assert server.stop() == 0
        assert [event for event in server.events if "draining" in event["event"]]


def test_a_worker_that_cannot_be_started_is_started_later(bundle: Path, tmp_path: Path) -> None:
    """And what else the server does goes on meanwhile."""
    python = tmp_path / "python"
    python.symlink_to(Path(sys.executable).resolve())
    packages = os.pathsep.join(path for path in sys.path if path)
    with serving(
        f"bundle={bundle}", "server.workers=2", environment={"PYTHONPATH": packages}, python=str(python)
    ) as server:
        server.event("serves", worker=1)
        python.rename(tmp_path / "away")
        os.kill(server.workers()[-1], signal.SIGKILL)
        place = server.event("a worker can't be started")["worker"]
        server.send(signal.SIGHUP)
        heard = len(server.events)
        (tmp_path / "away").rename(python)
        server.event("serves", after=heard, worker=place)
        assert server.stop() == 0


def test_proc_is_not_needed(bundle: Path, tmp_path: Path) -> None:
    hide = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"']
    if shutil.which("unshare") is None or subprocess.run([*hide, "true"], check=False).returncode:
        pytest.skip("no namespaces here")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.join([*hide, sys.executable])} "$@"\n')
    python.chmod(0o755)
    with serving(f"bundle={bundle}", python=str(python)) as server:
        assert server.predict(ROW).status == 200
        found = server.metrics()
        assert found[ANSWERED] == 1
        assert not any(name.startswith("engine_resident_bytes") for name in found)
        assert server.stop() == 0


def test_memory_without_a_file_is_not_needed(bundle: Path, tmp_path: Path) -> None:
    """A sandbox may refuse it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\ndef refused(*_):\n    raise PermissionError\nos.memfd_create = refused\n"
    )
    packages = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with serving(f"bundle={bundle}", environment={"PYTHONPATH": packages}) as server:
        assert server.predict(ROW).status == 200
        assert server.metrics()[ANSWERED] == 1


def test_what_waits_outlives_the_only_worker(bundle: Path) -> None:
    """Who connects while there is none is answered by the next."""
    with serving(f"bundle={bundle}") as server:
        address = server.address
        os.kill(server.workers()[0], signal.SIGKILL)
        server.event("a worker died and is started again")
        with socket.create_connection(address, 30) as end:
            body = json.dumps(ROW).encode()
            end.sendall(b"POST /predict HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            assert end.recv(100).startswith(b"HTTP/1.1 200")
