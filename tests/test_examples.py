"""What lies in examples/ runs as its READMEs say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", ".*", "bundles", "*.egg-info", "build", "dist")


def copied(name: str, folder: Path) -> Path:
    """The example without what runs leave behind, as somebody who copies it begins."""
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=LEFT_BEHIND))


def blocks(readme: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", readme.read_text(), re.DOTALL | re.MULTILINE)


def lines(folder: Path, program: str) -> list[str]:
    """What the README says to type that begins with this program."""
    typed = [line for block in blocks(folder / "README.md", "sh") for line in block.splitlines()]
    assert {line.split()[0] for line in typed} <= {"engine", "python", "pip"}
    return [line for line in typed if line.split()[0] == program]


def run(
    folder: Path, line: str, python: str | Path = sys.executable, path: tuple[Path, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Type a line in a folder: by this Python, which finds what lies in these folders."""
    program, *argv = shlex.split(line)
    words = argv if program == "python" else ["-m", program, *argv]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, path)), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(
        [str(python), *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def succeed(folder: Path, line: str, python: str | Path = sys.executable, path: tuple[Path, ...] = ()) -> str:
    done = run(folder, line, python, path)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def installed(tmp_path: Path) -> tuple[Path, tuple[Path, ...]]:
    """The package, and where Python finds it and its entry points: as an editable install leaves it."""
    folder = copied("package", tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        )
    )
    return folder, (ROOT, folder, tmp_path / "site")


def test_the_list_names_each() -> None:
    text = (EXAMPLES / "README.md").read_text()
    assert sorted(re.findall(r"\]\((\w+)/README\.md\)", text)) == NAMES


@pytest.mark.parametrize("readme", ["README.md", *(f"{name}/README.md" for name in NAMES)])
def test_links_lead_somewhere(readme: str) -> None:
    file = EXAMPLES / readme
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        assert (file.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("folder", ["graded.csv"]),
        ("source", ["reviewed.csv", "again.csv"]),
        ("scorer", ["by_numpy.csv", "by_default.csv"]),
    ],
)
def test_it_runs_and_writes_what_it_says(name: str, written: list[str], tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    for line in lines(folder, "engine"):
        succeed(folder, line, path=(ROOT,))
    (wanted,) = blocks(folder / "README.md", "text")
    assert [(folder / file).read_text() for file in written] == [wanted] * len(written)


def test_the_sink_writes_what_it_says(tmp_path: Path) -> None:
    folder = copied("sink", tmp_path)
    (batch,) = lines(folder, "engine")
    succeed(folder, batch, path=(ROOT,))
    with closing(sqlite3.connect(folder / "alarms.sqlite")) as connection:
        rows = connection.execute("select * from alarms").fetchall()
    printed = ["|".join("" if cell is None else str(cell) for cell in row) for row in rows]
    (wanted,) = blocks(folder / "README.md", "text")
    assert printed == wanted.splitlines()
    again = run(folder, f"{batch} sink.table=others", path=(ROOT,))
    assert again.returncode == 2
    assert "alarms.sqlite: the file exists; to replace it: sink.mode=replace" in again.stderr


@pytest.mark.parametrize("name", ["source", "sink", "scorer"])
def test_it_keeps_its_contract(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    (line,) = lines(folder, "python")
    found = succeed(folder, line, path=(ROOT,))
    assert re.search(r"^\d+ passed", found, re.MULTILINE) and "skipped" not in found


def test_an_edge_belongs_to_the_band_above(tmp_path: Path) -> None:
    folder = copied("folder", tmp_path)
    batch = "engine batch --config-dir conf pipeline=tickets source.path=data/tickets.csv sink.path=out.csv"
    succeed(folder, f"{batch} 'stages.band.edges=[3, 42.5]'", path=(ROOT,))
    rows = (folder / "out.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["1", "1", "2", "2", "nan"]
    refused = run(folder, f"{batch} 'stages.band.edges=[60, 15]'", path=(ROOT,))
    assert refused.returncode == 2
    assert "edges must ascend: 60, 15" in refused.stderr


def test_the_stage_in_the_folder_keeps_its_contract() -> None:
    code = (
        "from engine.registry import Registry; from engine.testing import check_stage;"
        "check_stage('band_number', registry=Registry(['stages']))"
    )
    succeed(EXAMPLES / "folder", f"python -c {shlex.quote(code)}", path=(ROOT,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "data/orders.nested: no such file"),
        ('{"amount": 1', "orders.nested: can't be read as lines of JSON"),
        ('{"amount": 1, "items": 1, "customer": {}, "placed": "2025-03-01T10:15:00Z"}', "customer_age"),
        ('{"customer": {"age": 1}, "customer_age": 2}', "2 columns are named 'customer_age'"),
    ],
)
def test_lines_that_the_source_refuses(text: str | None, message: str, tmp_path: Path) -> None:
    folder = copied("source", tmp_path)
    file = folder / "data" / "orders.nested"
    file.unlink()
    if text is not None:
        file.write_text(f"{text}\n")
    refused = run(folder, lines(folder, "engine")[1], path=(ROOT,))
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_package_passes_its_own_tests(installed: tuple[Path, tuple[Path, ...]]) -> None:
    folder, path = installed
    (line,) = lines(folder, "python")
    assert re.search(r"^\d+ passed", succeed(folder, line, path=path), re.MULTILINE)


def test_the_package_is_found_by_its_entry_points(installed: tuple[Path, tuple[Path, ...]]) -> None:
    folder, path = installed
    use_the_package(folder, path=path)


@pytest.mark.slow
def test_the_package_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """Its wheel and the engine's, from pip to scores, by the commands of its README."""
    folder = copied("package", tmp_path)
    succeed(tmp_path, "python -m venv venv")
    python = tmp_path / "venv" / "bin" / "python"
    succeed(folder, f"pip install -q {shlex.quote(str(ROOT))}", python)
    (install,) = lines(folder, "pip")
    (test,) = lines(folder, "python")
    succeed(folder, install, python)
    assert re.search(r"^\d+ passed", succeed(folder, test, python), re.MULTILINE)
    # the wheel, and not the folder that lies here
    shutil.rmtree(folder / "example_stages")
    use_the_package(folder, python)


def use_the_package(folder: Path, python: str | Path = sys.executable, path: tuple[Path, ...] = ()) -> None:
    """Type what its README says, and look at what came of it."""
    stages, *others = lines(folder, "engine")
    version = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    assert f"from example-stages {version}" in succeed(folder, stages, python, path)
    for line in others:
        succeed(folder, line, python, path)
    head, *rows = (folder / "scores.csv").read_text().splitlines()
    assert head == '"trip","score","expensive"'
    fares = [
        float(row.rpartition(",")[2]) for row in (folder / "data/trips.csv").read_text().splitlines()[1:]
    ]
    agree = [row.endswith("true") == (fare >= 15) for row, fare in zip(rows, fares, strict=True)]
    assert sum(agree) / len(agree) > 0.9
