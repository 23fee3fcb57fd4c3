"""What `engine new` writes runs as it is written."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine.plugins
from engine.cli.main import main
from engine.scaffold.stage import KINDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _plugins_of_one_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test writes is no plugin of the next one."""
    monkeypatch.setattr(engine.plugins, "__path__", list(engine.plugins.__path__))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.startswith("engine.plugins."):
            del sys.modules[name]


_TYPED = """
import shlex, sys
from engine.cli.main import main

for line in sys.argv[1:]:
    if main(shlex.split(line)[1:]) != 0:
        sys.exit(line)
"""


def type_in(folder: Path, *lines: str) -> str:
    """Run what `engine new` says to type: in one process, which starts once."""
    programs = {line.split()[0] for line in lines}
    assert programs in ({"engine"}, {"python"}), lines
    argv = ["-c", _TYPED, *lines] if programs == {"engine"} else shlex.split(lines[0])[1:]
    ran = subprocess.run([sys.executable, *argv], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{lines}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def begin(*argv: str, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    assert main(["new", *argv, "--json"]) == 0
    found: dict[str, list[str]] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, list[str]]]]:
    """A folder in which a stage of each kind was begun, by kind what was said, and all their tests passed."""
    folder = tmp_path_factory.mktemp("begun")
    said: dict[str, dict[str, list[str]]] = {}
    for kind in KINDS:
        printed = io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
            assert main(["new", "stage", f"own_{kind}", f"kind={kind}", "--json"]) == 0
        said[kind] = json.loads(printed.getvalue())
    tests = [found["commands"][0].removeprefix("python -m pytest ") for found in said.values()]
    passed = type_in(folder, f"python -m pytest -rp {' '.join(tests)}")
    for test in tests:
        assert f"PASSED {test}::" in passed
    return folder, said


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_of_each_kind(
    kind: str,
    begun: tuple[Path, dict[str, dict[str, list[str]]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, said = begun
    monkeypatch.chdir(folder)
    name = f"own_{kind}"
    files, (test, use) = said[kind]["files"], said[kind]["commands"]
    assert [Path(file).suffix for file in files] == [".py", ".py", ".yaml", ".csv"]
    assert all((folder / file).is_file() for file in files)
    assert test == f"python -m pytest tests/test_{name}.py"
    assert main(shlex.split(use)[1:]) == 0
    given = ["--config-dir", "conf", f"pipeline={name}"]
    if kind == "score":
        given = [f"bundle=bundles/{name}", "plugins=[plugins]"]
        assert main(["batch", *given, f"source.path=data/{name}.csv", "sink.path=out.csv"]) == 0
    capsys.readouterr()
    assert main(["explain", *given]) == 0
    assert main(["stages", name, "plugins=[plugins]"]) == 0
    assert name in capsys.readouterr().out


def test_a_kind_that_this_engine_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(engine.stage, "RowStage")
    assert main(["new", "stage", "mine", "kind=row"]) == 2
    assert "this engine has no RowStage yet; other kinds: column, schema" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run, test = begin("project", "houses", capsys=capsys)["commands"]
    project = tmp_path / "houses"
    readme = (project / "README.md").read_text()
    lines = [line for line in readme.splitlines() if line.startswith("engine ")]
    assert len(lines) == 4
    assert run == f"cd houses && {lines[0]}"
    type_in(project, *lines)
    assert "passed" in type_in(project, test)


def test_a_stage_goes_into_the_project_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    begin("project", "houses", capsys=capsys)
    monkeypatch.chdir(tmp_path / "houses" / "tests")
    found = begin("stage", "halved", "kind=column", capsys=capsys)
    assert found["folder"] == str(tmp_path / "houses")
    assert (tmp_path / "houses" / "plugins" / "halved.py").is_file()
    begin("stage", "third", "kind=column", "dir=more/stages", capsys=capsys)
    assert (tmp_path / "houses" / "more" / "stages" / "third.py").is_file()
    assert "plugins: [more/stages]" in (tmp_path / "houses" / "conf" / "pipeline" / "third.yaml").read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "engine new takes 'stage NAME', 'project NAME' or 'key NAME', and nothing is given"),
        (["stag", "x"], "not 'stag'. Did you mean 'stage'?"),
        (["stage", "kind=row"], "takes one name (none given)"),
        (["stage", "x", "y", "kind=row"], "takes one name (x, y given)"),
        (["stage", "x"], "kind: is needed: kind=column|row|"),
        (["stage", "x", "kind=colum"], "no kind of stage 'colum'. Did you mean 'column'?"),
        (["stage", "x", "kind="], "kind: is empty"),
        (["stage", "x", "knd=row"], "engine new stage doesn't take 'knd'. Did you mean 'kind'?"),
        (["stage", "clip", "kind=row"], "there is a stage 'clip' already (built in); give another name"),
        (["stage", "My-Stage", "kind=row"], "a letter first. Such as 'my_stage'"),
        (["stage", "class", "kind=row"], "'class' is a word of Python's own"),
        (["stage", "../x", "kind=row"], "'../x' can't name one: a stage is named in small letters"),
        (["stage", "x", "kind=row", "dir=../out"], "must be a folder below"),
        (["project", "x", "kind=row"], "engine new project doesn't take 'kind'. It takes a name alone"),
        (["project", "9lives"], "a project is named in small letters"),
        (["project", "clip"], "'clip' is a stage's name"),
        (["project", "taken"], "there already, and nothing is overwritten"),
    ],
)
def test_mistakes(
    argv: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    assert main(["new", *argv]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_mine.py").write_text("mine")
    assert main(["new", "stage", "mine", "kind=row"]) == 2
    assert "there already, and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["test_mine.py"]
    begin("stage", "other", "kind=row", capsys=capsys)
    assert main(["new", "stage", "other", "kind=row"]) == 2
    assert "there is a stage 'other' already (in plugins/)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_project_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """The wheel holds the templates, and a project's two commands work where only it and pytest are."""
    python = tmp_path / "venv" / "bin" / "python"
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for argv in (
        [sys.executable, "-m", "venv", str(tmp_path / "venv")],
        [str(python), "-m", "pip", "install", "-q", str(ROOT), "pytest"],
        [str(python), "-m", "engine", "new", "project", "houses"],
    ):
        subprocess.run(argv, cwd=tmp_path, check=True, env=quiet)
    for command in (
        "-m engine fit --config-dir conf pipeline=houses source.path=data/sample.csv",
        "-m pytest",
    ):
        subprocess.run([str(python), *command.split()], cwd=tmp_path / "houses", check=True, env=quiet)
