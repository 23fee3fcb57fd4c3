"""New versions while it serves: taken without a gap, refused where they are bad."""

from __future__ import annotations

import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.bundle import set_current
from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.scaffold.key import issue

from .conftest import fit_homes
from .running import SECONDS, Server, ask, serving, until
from .test_predict import ROW, bits, expected

ROUNDS = range(2, 13)


@pytest.fixture(scope="module")
def versions() -> list[Pipeline]:
    return [fit_homes(rounds) for rounds in ROUNDS]


@pytest.fixture
def bundle(versions: list[Pipeline], tmp_path: Path) -> Path:
    folder = tmp_path / "homes"
    for pipeline in reversed(versions):
        pipeline.save(folder)
    return folder


class Load:
    """Clients that ask all the time, and hold every answer to the version that it names."""

    def __init__(self, server: Server, wanted: dict[str, Any], clients: int = 4) -> None:
        self.seen: Counter[str] = Counter()
        self.wrong: list[Any] = []
        self._server, self._wanted = server, wanted
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = self._server.connect()
        while not self._stop.is_set():
            try:
                found = ask(connection, "POST", "/predict", ROW)
                right = found.status == 200 and bits(found.json) == self._wanted[found.version]
                fault = None if right else (found.status, found.headers, found.body)
                version = found.version
            except Exception as error:
                fault, version = error, ""
            with self._lock:
                self.seen[version] += 1
                if fault is not None:
                    self.wrong.append(fault)
                    return
        connection.close()


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ten_versions_under_load(bundle: Path, versions: list[Pipeline], workers: int) -> None:
    wanted = {pipeline.version: bits(expected(pipeline, ROW)) for pipeline in versions}
    assert len({str(answer) for answer in wanted.values()}) > 5
    with serving(f"bundle={bundle}", "server.poll_seconds=0.05", f"server.workers={workers}") as server:
        for worker in range(workers):
            server.event("serves", worker=worker)
        with Load(server, wanted) as load:
            for pipeline in versions[1:]:
                set_current(bundle, pipeline.version)
                for worker in range(workers):
                    server.event("serves", worker=worker, version=pipeline.version)
            until(lambda: load.seen[versions[-1].version] > 100)
        assert load.wrong == []
        assert sum(load.seen.values()) > 2000
        assert set(load.seen) == set(wanted)
        # from here on nobody answers with another
        assert {server.predict(ROW).version for _ in range(20)} == {versions[-1].version}
        assert until(lambda: server.metrics().get("engine_swaps_total") == 10 * workers)
        # the old ones are let go
        assert server.metrics()[f'engine_version{{version="{versions[-1].version}"}}'] == workers


def test_a_bad_version_is_refused_and_the_old_one_goes_on(bundle: Path, versions: list[Pipeline]) -> None:
    first, second, third = (pipeline.version for pipeline in versions[:3])
    model = bundle / "versions" / second / "model-model.ubj"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    wanted = {first: bits(expected(versions[0], ROW)), third: bits(expected(versions[2], ROW))}
    with serving(f"bundle={bundle}", "server.poll_seconds=0.05") as server, Load(server, wanted, 2) as load:
        (bundle / "current").write_text(f"{second}\n")
        event = server.event("a version is refused; the one in use goes on")
        assert event["level"] == "error"
        assert "model-model.ubj" in event["why"]
        (bundle / "current").write_text("nonsense\n")
        server.event("a version is refused; the one in use goes on", after=len(server.events))
        (bundle / "current").unlink()
        server.event("a version is refused; the one in use goes on", after=len(server.events))
        assert server.predict(ROW).version == first
        assert server.metrics()["engine_versions_refused_total"] == 3
        set_current(bundle, third)
        server.event("serves", version=third)
        until(lambda: load.seen[third] > 10)
        assert load.wrong == []


def test_answers_that_differ_from_the_golden_rows_are_refused(
    bundle: Path, versions: list[Pipeline], tmp_path: Path
) -> None:
    """A version whose files are whole, whose golden rows are another's."""
    import hashlib
    import json

    first, second = (pipeline.version for pipeline in versions[:2])
    folder = bundle / "versions" / second
    shutil.copy(bundle / "versions" / first / "golden.arrow", folder / "golden.arrow")
    manifest = json.loads((folder / "manifest.json").read_text())
    data = (folder / "golden.arrow").read_bytes()
    manifest["files"]["golden.arrow"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with serving(f"bundle={bundle}", "server.poll_seconds=0.05") as server:
        set_current(bundle, second)
        event = server.event("a version is refused; the one in use goes on")
        assert "golden row" in event["why"]
        assert server.predict(ROW).version == first


def test_sighup_looks_at_once(bundle: Path, versions: list[Pipeline]) -> None:
    with serving(f"bundle={bundle}", "server.poll_seconds=3600") as server:
        set_current(bundle, versions[4].version)
        server.send(signal.SIGHUP)
        server.event("serves", version=versions[4].version)
        assert bits(server.predict(ROW).json) == bits(expected(versions[4], ROW))


def test_what_was_overridden_stays_so(bundle: Path, versions: list[Pipeline]) -> None:
    with serving(f"bundle={bundle}", "server.poll_seconds=0.05", "stages.dear.at=-1") as server:
        before = server.predict(ROW)
        assert before.json["dear"] is True
        assert before.version not in {pipeline.version for pipeline in versions}
        set_current(bundle, versions[3].version)
        server.event("serves", after=2)
        after = server.predict(ROW)
        assert (after.json["dear"], after.version != before.version) == (True, True)


def test_the_folder_of_a_version_never_changes(bundle: Path, versions: list[Pipeline]) -> None:
    folder = bundle / "versions" / versions[0].version
    with serving(f"bundle={folder}", "server.poll_seconds=0.05") as server:
        set_current(bundle, versions[1].version)
        server.send(signal.SIGHUP)
        assert server.predict(ROW).version == versions[0].version
        assert server.stop() == 0


WAITS = """
import threading
from pathlib import Path
from time import sleep
from engine.schema import Kind
from engine.stage import RowStage, option, stage

@stage("waits")
class Waits(RowStage):
    \"\"\"Holds up the workers that load it, and nobody else, while there is a file.\"\"\"

    worker: str = option("", help="a file")
    trial: str = option("", help="another")

    def check(self, columns):
        loads = threading.current_thread().name == "load"
        held = self.worker if loads else self.trial
        if loads and held == "exit":
            raise SystemExit(3)
        while held and Path(held).exists():
            sleep(0.01)
        return ()

    def declare(self, columns):
        return Kind.NUMBER

    def express(self, columns, learned):
        return columns["x"] + 1
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "waits.py").write_text(WAITS)
    return folder


@pytest.fixture
def waiting(tmp_path: Path, plugins: Path) -> Callable[..., str]:
    """Saves a version with such a stage."""

    def save(at: int, **held: str) -> str:
        config = {"name": "waits", "inputs": {"x": "number"}, "plugins": [str(plugins)]}
        stages = {
            "waits": {"use": "waits", "columns": ["x"], "into": "y", **held},
            "over": {"use": "threshold", "columns": ["y"], "at": at, "into": "over"},
        }
        pipeline = engine.build(Config({**config, "stages": stages}))
        pipeline.save(tmp_path / "waits")
        return pipeline.version

    return save


def test_a_version_that_loads_slowly_does_not_replace_a_newer_one(
    waiting: Callable[..., str], plugins: Path, tmp_path: Path
) -> None:
    hold, bundle = tmp_path / "hold", tmp_path / "waits"
    newest, slow, first = waiting(3), waiting(2, worker=str(hold)), waiting(1)
    set_current(bundle, first)
    hold.touch()
    with serving(f"bundle={bundle}", f"plugins=[{plugins}]", "server.poll_seconds=0.05") as server:
        assert server.predict({"x": 1}).version == first
        set_current(bundle, slow)
        until(lambda: len(server.workers()) == 2)
        until(lambda: len(server.workers()) == 1)  # it was tried, and is loaded
        set_current(bundle, newest)
        server.event("serves", version=newest)
        hold.unlink()
        set_current(bundle, first)
        server.event("serves", after=3, version=first)
        assert {event.get("version") for event in server.events} == {first, newest, None} - {None}
        assert server.predict({"x": 1}).version == first


def test_keys_are_read_while_a_version_is_tried(
    waiting: Callable[..., str], plugins: Path, tmp_path: Path
) -> None:
    hold, bundle = tmp_path / "hold", tmp_path / "waits"
    slow, first = waiting(2, trial=str(hold)), waiting(1)
    set_current(bundle, first)
    issued = [issue(name, tmp_path / "keys.txt", date(2026, 1, 1)) for name in ("a", "b")]
    keys = issued[0].file
    with serving(
        f"bundle={bundle}", f"plugins=[{plugins}]", "server.poll_seconds=0.05", f"server.keys={keys}"
    ) as server:
        hold.touch()
        set_current(bundle, slow)
        until(lambda: len(server.workers()) == 2)
        kept = [line for line in keys.read_text().splitlines() if not line.startswith("a ")]
        keys.write_text("\n".join(kept))
        server.send(signal.SIGHUP)
        until(lambda: server.predict({"x": 1}, **{"x-api-key": issued[0].key}).status == 401, 5)
        assert server.predict({"x": 1}, **{"x-api-key": issued[1].key}).status == 200
        assert server.stop() == 0


def test_a_plugin_that_exits_while_it_is_loaded_is_told_of(
    waiting: Callable[..., str], plugins: Path, tmp_path: Path
) -> None:
    waiting(1, worker="exit")
    with serving(f"bundle={tmp_path / 'waits'}", f"plugins=[{plugins}]", wait=False) as server:
        assert server.process.wait(SECONDS) == 1
        until(lambda: any("SystemExit" in line for line in server.lines))
