"""Plugins are found in folders, packages and ``ENGINE_PLUGINS``; two of a name and broken ones are told."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import engine.plugins
from engine.cli.main import main
from engine.config.config import Config
from engine.errors import ConfigError
from engine.plan.build import build_plan
from engine.registry import PluginError, Registry

TIMES = """
from engine.stage import ColumnStage, option, stage

@stage("{name}", version=3)
class Times(ColumnStage):
    '''Multiply.'''

    by: float = option({by}, gt=0, help="the factor")

    def express(self, x, learned):
        return x * self.by + {plus}
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test adds to the search path and imports is gone after it."""
    monkeypatch.setattr(engine.plugins, "__path__", list(engine.plugins.__path__))
    monkeypatch.delenv("ENGINE_PLUGINS", raising=False)


def write(folder: Path, name: str, text: str | None = None, *, by: float = 2.0, plus: float = 0.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(TIMES.format(name=name, by=by, plus=plus) if text is None else text)
    return file


def package(folder: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package ``acme-stages 1.2`` that brings one stage."""
    info = folder / "acme_stages-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-stages\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[engine.stages]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(str(folder))


def using(use: str) -> Config:
    return Config(
        {"name": "p", "inputs": {"x": "number"}, "stages": {"one": {"use": use, "columns": "x"}}},
        files={"pipeline": "conf/pipeline/p.yaml"},
    )


def command(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *argv],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


# -- where plugins come from


def test_the_three_places_and_where_they_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "own", "registry_folder")
    write(tmp_path / "stated", "registry_stated")
    write(tmp_path / "site", "registry_acme", TIMES.format(name="registry_packaged", by=1.0, plus=0.0))
    package(tmp_path / "site", "registry_packaged", "registry_acme:Times", monkeypatch)
    monkeypatch.setenv("ENGINE_PLUGINS", str(tmp_path / "stated") + os.pathsep)
    monkeypatch.chdir(tmp_path)
    registry = Registry(["own"])
    assert [
        (found.origin, found.place)
        for name in ("clip", "registry_folder", "registry_stated", "registry_packaged")
        for found in [registry.definition(name)]
    ] == [
        ("built in", "plugins/clip.py"),
        ("folder", "own/registry_folder.py"),
        ("folder", "stated/registry_stated.py"),
        ("acme-stages 1.2", "acme-stages 1.2 (registry_acme:Times)"),
    ]
    assert registry.load("registry_packaged")(by=3.0).by == 3.0
    assert registry.load("registry_stated").version == 3


def test_listing_imports_nothing(tmp_path: Path) -> None:
    write(tmp_path, "registry_exits", "import sys; sys.exit(9)")
    assert "registry_exits" in Registry([tmp_path]).names()


def test_a_folder_given_twice_or_built_in_is_searched_once(tmp_path: Path) -> None:
    write(tmp_path / "own", "registry_once")
    (tmp_path / "link").symlink_to(tmp_path / "own")
    registry = Registry([tmp_path / "own", tmp_path / "link", engine.plugins.BUILT_IN[-1]])
    assert registry.definition("registry_once").file == str(tmp_path / "own" / "registry_once.py")
    assert registry.load("clip").use == "clip"
    assert registry.folders == (str(tmp_path / "own"),)


@pytest.mark.parametrize("key", ["plugins", "ENGINE_PLUGINS"])
def test_what_is_no_folder(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nowhere"
    if key == "ENGINE_PLUGINS":
        monkeypatch.setenv(key, str(folder))
    with pytest.raises(PluginError, match=f"^{key}: {folder} is no folder$"):
        Registry([folder] if key == "plugins" else [])


def test_a_plugin_that_was_just_written_is_found(tmp_path: Path) -> None:
    assert "registry_late" not in Registry([tmp_path]).names()
    write(tmp_path, "registry_late")
    assert Registry([tmp_path]).load("registry_late").use == "registry_late"


# -- two of one name


def test_two_of_a_name_stop_only_who_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = write(tmp_path / "plugins", "clip")
    package(tmp_path / "site", "clip", "registry_acme:Clip", monkeypatch)
    registry = Registry([tmp_path / "plugins"])
    assert build_plan(using("log1p"), registry).stage("one").defined == "stage built in: plugins/log1p.py"
    with pytest.raises(ConfigError) as caught:
        build_plan(using("clip"), registry)
    assert str(caught.value) == (
        f"stages.one.use: three stages are called 'clip': plugins/clip.py (built in) and {own} and "
        "acme-stages 1.2 (registry_acme:Clip); rename or remove one\n"
        "  set by: conf/pipeline/p.yaml"
    )


def test_two_of_a_name_in_folders_and_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = write(tmp_path / "a", "registry_two"), write(tmp_path / "b", "registry_two")
    with pytest.raises(PluginError, match=f"two stages are called 'registry_two': {one} and {other}; rename"):
        Registry([tmp_path / "a", tmp_path / "b"]).load("registry_two")
    package(tmp_path / "site", "registry_two", "registry_acme:Two", monkeypatch)
    with pytest.raises(
        PluginError, match=rf"two .*: {one} and acme-stages 1\.2 \(registry_acme:Two\); rename"
    ):
        Registry([tmp_path / "a"]).load("registry_two")


def test_one_process_has_one_plugin_of_a_name(tmp_path: Path) -> None:
    used, other = write(tmp_path / "a", "registry_same"), write(tmp_path / "b", "registry_same")
    Registry([tmp_path / "a"]).load("registry_same")
    with pytest.raises(
        PluginError, match=f"of {other} can't be used in this process: it uses that of {used}"
    ):
        Registry([tmp_path / "b"]).load("registry_same")


# -- broken ones


@pytest.mark.parametrize(
    ("text", "line", "error"),
    [
        ("import json\nraise RuntimeError('no\\nglass')\n", 2, "RuntimeError: no glass"),
        ("x = 1\ny = (\n", 2, "SyntaxError: '(' was never closed"),
        ("import registry_lacks_this\n", 1, "ModuleNotFoundError: No module named 'registry_lacks_this'"),
        ("import sys\n\nsys.exit(3)\n", 3, "SystemExit: 3"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError: Expecting property name"),
    ],
)
def test_a_broken_plugin_names_the_line(text: str, line: int, error: str, tmp_path: Path) -> None:
    file = write(tmp_path, "registry_broken", text)
    with pytest.raises(PluginError) as caught:
        Registry([tmp_path]).load("registry_broken")
    told = str(caught.value)
    assert told.startswith(
        f"the stage 'registry_broken' can't be imported: {file}, line {line}: {error}"
    ) and ("\n" not in told)


def test_a_package_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path / "site", "registry_gone", "registry_gone.stages:Gone", monkeypatch)
    with pytest.raises(PluginError, match=r"ModuleNotFoundError: No module named 'registry_gone'$"):
        Registry().load("registry_gone")


def test_a_file_that_defines_another_stage(tmp_path: Path) -> None:
    write(tmp_path, "registry_steps", TIMES.format(name="step", by=1, plus=0))
    with pytest.raises(PluginError) as caught:
        Registry([tmp_path]).load("registry_steps")
    assert str(caught.value).endswith(
        "registry_steps.py defines no stage called 'registry_steps' (it defines 'step'): decorate its class "
        "with @stage('registry_steps')"
    )


def test_the_command_line_lives_with_a_broken_plugin(tmp_path: Path) -> None:
    file = write(tmp_path / "own", "shatter", "import json\nraise RuntimeError('no glass here')\n")
    write(tmp_path / "own", "clip")
    listed = command("stages", f"plugins=[{tmp_path / 'own'}]")
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = {line.split()[0]: line for line in listed.stdout.splitlines() if line}
    assert f"{file}, line 2: RuntimeError: no glass here" in lines["shatter"]
    assert "two stages are called 'clip'" in lines["clip"]
    given = json.loads(command("stages", "--json", f"plugins=[{tmp_path / 'own'}]").stdout)
    found = {item["name"]: item for item in given}
    assert found["shatter"]["error"].endswith("RuntimeError: no glass here")
    assert (found["log1p"]["from"], found["shatter"]["from"]) == ("built in", "folder")

    (tmp_path / "conf" / "pipeline").mkdir(parents=True)
    (tmp_path / "conf" / "pipeline" / "p.yaml").write_text(
        "# @package _global_\ninputs: {x: number}\nstages: {one: {use: log1p, columns: x}}\n"
    )
    check = ("check", "--config-dir", str(tmp_path / "conf"), "pipeline=p", f"plugins=[{tmp_path / 'own'}]")
    assert command(*check).returncode == 0
    stopped = command(*check, "stages.one.use=shatter")
    assert stopped.returncode == 2
    assert stopped.stderr == (
        f"stages.one.use: the stage 'shatter' can't be imported: {file}, line 2: "
        "RuntimeError: no glass here\n"
        "  set by: command line\n"
    )


# -- in full


def test_a_stage_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "registry_full")
    assert main(["stages", "registry_full", f"plugins=[{tmp_path}]"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"registry_full: ColumnStage, version 3, from {file} (folder)",
        "",
        "  Multiply.",
        "",
        "columns",
        "  names, globs (temp_*) or kinds (numbers), required; of kind number",
        "",
        "options",
        "  by  float = 2.0  > 0  refit  the factor",
    ]


# -- worker processes


def answer(folder: str | None = None) -> Any:
    """What the stage ``registry_worker`` makes of 10, by the compiled kernel; for a worker process."""
    from engine.api import build

    pipeline = build(using("registry_worker"))
    return pipeline.predict_one({"x": 10.0})["x"], pipeline.plan.stage("one").stage


def test_workers_see_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "own folder", "registry_worker", by=3.0)
    registry = Registry([tmp_path / "own folder"])
    for name, value in registry.environment().items():
        monkeypatch.setenv(name, value)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        # the stage itself comes back pickled: its class has the same import name on both sides
        number, stage = pool.apply(answer)
    assert number == 30.0
    assert type(stage) is registry.load("registry_worker")


def test_a_folder_that_workers_could_not_be_told_of(tmp_path: Path) -> None:
    write(tmp_path / f"a{os.pathsep}b", "registry_colon")
    registry = Registry([tmp_path / f"a{os.pathsep}b"])
    with pytest.raises(PluginError, match="in its name, so that worker processes can't be told of it"):
        registry.environment()


@pytest.mark.parametrize("change", ["a number", "the arithmetic", "as fast as a .pyc can't tell"])
def test_a_changed_plugin_never_runs_an_old_kernel(change: str, tmp_path: Path) -> None:
    file = write(tmp_path / "own", "registry_worker", by=3.0)
    program = "from tests.test_registry import answer; print(answer()[0])"

    def run() -> str:
        environment = {
            **os.environ,
            "ENGINE_CACHE_DIR": str(tmp_path / "cache"),
            **Registry([tmp_path / "own"]).environment(),
        }
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            cwd=Path(__file__).parents[1],
        )
        return done.stdout.strip()

    assert run() == "30.0"
    stamp = file.stat()
    if change == "the arithmetic":
        write(tmp_path / "own", "registry_worker", TIMES.format(name="registry_worker", by=3.0, plus="x"))
        assert run() == "40.0"
    else:
        write(tmp_path / "own", "registry_worker", by=4.0)
        if change != "a number":
            os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert run() == "40.0"
