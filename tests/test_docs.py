"""What README.md and docs/ show runs as it is shown.

The fenced blocks of a document run from top to bottom in one folder, in which a part of the demo's data lies.

=============  =========================================================================================
block          it
=============  =========================================================================================
``sh``         each line is ``engine …`` or ``python -m pytest …``, and ends with 0, or as ``# exit 2``
               behind it says; ``engine serve …`` serves until the block ends, and ``curl`` asks it
``bash``       runs, and ends with 0
``yaml``       is written to the file that its second line names; without one it is a part of a pipeline,
               laid over ``conf/pipeline/mine.yaml``
``python``     is written to the file that its first line names; without one it runs
``text``       is what the line or the program before it printed; ``…`` stands for anything
=============  =========================================================================================

``<!-- not run: reason -->`` above a block leaves it out, ``<!-- not compared: reason -->`` a text.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .serve.running import serving

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
SERVING = "docs/serving.md"
"""Is run by tests/serve/test_serving_doc.py, with a server."""
EVERY = 20
"""Of so many flights one is taken."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document, with the comments right above it."""

    document: str
    line: int
    language: str
    text: str
    comments: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.document}, line {self.line}"

    def marked(self, what: str) -> bool:
        return any(re.fullmatch(rf"<!-- {what}: .+ -->", comment) for comment in self.comments)


def blocks(document: str) -> list[Block]:
    found: list[Block] = []
    lines = (ROOT / document).read_text().splitlines()
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"```(\w*)", lines[at])
        if fence is None:
            assert not lines[at].startswith("```"), f"{document}, line {at + 1}: {lines[at]}"
            at += 1
            continue
        end = lines.index("```", at + 1)
        above = at
        while above and lines[above - 1].startswith("<!-- "):
            above -= 1
        text = "\n".join(lines[at + 1 : end]) + "\n"
        found.append(Block(document, at + 1, fence[1], text, tuple(lines[above:at])))
        at = end + 1
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the demo leaves behind, with a part of the flights."""
    return write_demo(tmp_path_factory.mktemp("docs") / "demo")


def write_demo(folder: Path) -> Path:
    """Make a folder with every twentieth flight."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from engine.demo import read_flights

    folder.mkdir()
    flights = read_flights()
    pq.write_table(flights.take(pa.array(np.arange(0, flights.num_rows, EVERY))), folder / "flights.parquet")
    return folder


class Reader:
    """Somebody who does what a document says."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def read(self, block: Block) -> None:
        if block.marked("not run") or block.marked("not compared"):
            return
        do = getattr(self, f"do_{block.language}", None)
        assert do is not None, f"{block.place}: nobody runs a block of {block.language or 'no language'}"
        do(block)

    def do_sh(self, block: Block) -> None:
        from engine.cli.main import main

        for line in block.text.splitlines():
            name, *argv = shlex.split(line, comments=True)
            if (name, *argv[:1]) == ("engine", "serve"):
                self.do_serving(block, argv[1:])
                return
            refused = re.search(r"  # exit (\d+)$", line)
            self.capture.readouterr()
            if name == "python":
                assert argv[:2] == ["-m", "pytest"], f"{block.place}: {line}"
                code = subprocess.run(
                    [sys.executable, *argv], env=os.environ | {"PYTHONPATH": str(ROOT)}
                ).returncode
            else:
                assert name == "engine", f"{block.place}: {line}"
                code = main(argv)
            printed = "".join(self.capture.readouterr())
            assert code == (int(refused[1]) if refused else 0), f"{block.place}: {line}\n{printed}"
            self.printed = printed

    def do_bash(self, block: Block) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block.place}\n{done.stderr}"
        self.printed = done.stdout

    def do_serving(self, block: Block, overrides: list[str]) -> None:
        first, *rest = block.text.splitlines()
        assert first.startswith("engine serve "), f"{block.place}: {first}"
        with serving(*overrides) as server:
            for line in rest:
                if line.startswith("#"):
                    continue
                assert line.startswith("curl -s localhost:8080/"), f"{block.place}: {line}"
                host, port = server.address
                command = ["curl", "-Sf", *shlex.split(line.replace("localhost:8080", f"{host}:{port}"))[1:]]
                answered = subprocess.run(command, capture_output=True, text=True)
                assert answered.returncode == 0, f"{block.place}: {line}\n{answered.stderr}{server.lines}"
                self.printed = answered.stdout

    def do_pycon(self, block: Block) -> None:
        """An example of a plugin, which tests/test_doctests.py runs."""
        assert block.document == "docs/stages.md", block.place

    def do_yaml(self, block: Block) -> None:
        if written(block):
            return
        import engine
        from engine.plan.build import build_plan

        part = Path("conf/pipeline/part.yaml")
        part.write_text(f"# @package _global_\ndefaults: [mine, _self_]\nname: part\n{block.text}")
        build_plan(engine.compose(["pipeline=part"], "conf"))
        part.unlink()

    def do_python(self, block: Block) -> None:
        if written(block):
            return
        self.capture.readouterr()
        exec(compile(block.text, block.place, "exec"), self.names)
        self.printed = self.capture.readouterr().out

    def do_text(self, block: Block) -> None:
        wanted = re.escape(block.text.rstrip()).replace("…", ".*")
        found = self.printed.rstrip()
        assert re.fullmatch(wanted, found, re.DOTALL), f"{block.place}: it printed\n{found}"


def written(block: Block) -> bool:
    """Whether the block names the file that it is, which then is there."""
    top = block.text.splitlines()[:2]
    name = next((found[1] for line in top if (found := re.fullmatch(r"# (\S+\.(?:yaml|py))", line))), None)
    if name is not None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(block.text)
        # what is typed next is a process of its own, which reads a plugin as it is now
        sys.modules.pop(".".join(("engine", "plugins", *Path(name).with_suffix("").parts[1:])), None)
    return name is not None


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name != SERVING])
def test_it_runs_as_shown(
    document: str,
    demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import engine.plugins

    monkeypatch.setattr(engine.plugins, "__path__", list(engine.plugins.__path__))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo, "demo")
    reader = Reader(capfd)
    for block in blocks(document):
        reader.read(block)


def test_only_the_two_commands_are_left_out() -> None:
    left_out = [block for name in DOCUMENTS for block in blocks(name) if block.marked("not run")]
    assert [block.comments[-1] for block in left_out if block.document == "README.md"] == [
        "<!-- demo -->",
        "<!-- test -->",
    ]
    for block in left_out:
        assert block.language == "sh"
        # a server, a store or a cluster: tests of their own run such commands
        elsewhere = any(word in block.text for word in ("postgresql://", "s3://", "executor=ray"))
        assert elsewhere or block.text.startswith(("python3 -m venv", "make ", "docker ")), block.place


def test_the_two_commands_install_what_they_need() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name, last in (
        ("demo", ".venv/bin/engine demo"),
        ("test", ".venv/bin/python -m pytest -n auto --dist worksteal"),
    ):
        (block,) = (b for b in blocks("README.md") if b.comments[-1:] == (f"<!-- {name} -->",))
        (extra,) = re.findall(r"'\.\[(\w+)\]'", block.text)
        assert extra == name and extra in extras
        assert block.text.rstrip().endswith(f" && {last}")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = re.sub(r"```.*?\n```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file), target


def _anchors(file: Path) -> set[str]:
    """What a heading is linked by, as GitHub makes it."""
    titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_built_in_stage_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "pipelines.md").read_text()
    shown = set(re.findall(r"^\| \[`(\w+)`\]\(\.\./plugins/\1\.py\)", text, re.MULTILINE))
    assert shown == {path.stem for path in (ROOT / "plugins").glob("*.py")}


def test_every_function_of_expressions_is_in_the_reference() -> None:
    from engine.expr.syntax import FUNCTIONS

    text = (ROOT / "docs" / "pipelines.md").read_text()
    missing = [name for name, signature in FUNCTIONS.items() if f"`{signature}`" not in text]
    assert missing == []


_HEADS = {
    "stage": "\n## The checks",
    "source": "\n### Sources",
    "sink": "\n### Sinks",
    "scorer": "\n### Scorers",
}


def test_every_operator_and_check_is_in_the_reference_of_plugins() -> None:
    from engine.expr import graph
    from engine.expr.calendar import PARTS
    from engine.testing import KITS

    text = (ROOT / "docs" / "plugins.md").read_text()
    functions = sorted({*graph.__all__} - {"Expr", "Table", "as_number", "single"})
    missing = [f"{name}(" for name in functions if f"`{name}(" not in text]
    missing += [name for name in PARTS if f"`{name}`" not in text]
    for kit in KITS.values():
        section = text.split(_HEADS[kit.kind])[1]
        missing += [f"{kit.kind}: {name}" for name in kit.checks if f"`{name}`" not in section]
    assert missing == []
