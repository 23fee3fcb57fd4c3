"""docs/serving.md: what it shows is done with a server that runs, its tables are what the code has."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.serve.exposition import GAUGES, HISTOGRAMS, TOTALS
from tests.test_docs import ROOT, SERVING, Block, Reader, blocks, write_demo, written

from .running import SECONDS, Server, serving

_START = re.compile(r"engine (serve .+?) & server=\$!")
_AGAIN = ("curl ",)
"""Commands whose answer may be another in a moment, when the server has heard of what was done before."""


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("serving_page", ROOT / "docs" / "generate" / "serving.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Shell:
    """A shell that is typed into."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def type(self, line: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        assert self._bash.stdin and self._bash.stdout
        self._bash.stdin.write(f'{line}\ncode=$?; echo; echo "=== $code"\n')
        self._bash.stdin.flush()
        printed = ""
        for text in self._bash.stdout:
            if text.startswith("=== "):
                return int(text.split()[1]), printed.rstrip("\n")
            printed += text
        raise AssertionError(f"the shell ended: {line}\n{printed}")

    def end(self) -> None:
        assert self._bash.stdin and self._bash.stdout
        self._bash.stdin.close()
        self._bash.wait(SECONDS)
        self._bash.stdout.close()


class Operator(Reader):
    """Somebody who does what docs/serving.md says, on ports that are free."""

    def __init__(self, capture: pytest.CaptureFixture[str], shell: Shell, stack: ExitStack) -> None:
        super().__init__(capture)
        self.shell = shell
        self.stack = stack
        self.server: Server | None = None
        self.ports = {"8080": str(free_port()), "9000": str(free_port())}
        self.line = ""

    def here(self, text: str) -> str:
        """A text with this test's ports."""
        for shown, port in self.ports.items():
            text = text.replace(shown, port)
        return text

    def shown(self, text: str) -> str:
        """A text with the document's ports."""
        for shown, port in self.ports.items():
            text = text.replace(port, shown)
        return text

    def do_sh(self, block: Block) -> None:
        for line in block.text.splitlines():
            self.line = line
            if start := _START.fullmatch(line):
                self.start(start[1])
            elif line == 'kill "$server"':
                self.stop()
            else:
                code, printed = self.shell.type(self.here(line))
                refused = re.search(r"  # exit (\d+)$", line)
                assert code == (int(refused[1]) if refused else 0), f"{block.place}: {line}\n{printed}"
                self.printed = self.shown(printed)

    def start(self, typed: str) -> None:
        assert self.server is None, "another is running"
        words = subprocess.run(
            ["bash", "-c", f"printf '%s\\0' {typed}"], capture_output=True, text=True, check=True
        ).stdout.split("\0")[1:-1]
        ports = (f"server.port={self.ports['8080']}", f"server.grpc_port={self.ports['9000']}")
        self.server = server = self.stack.enter_context(serving(*words, *ports))
        self.shell.type(f"server={server.process.pid}")
        self.printed = self.shown("\n".join(server.lines))

    def stop(self) -> None:
        assert self.server is not None
        assert self.server.stop() == 0, self.server.lines
        self.server = None

    def do_yaml(self, block: Block) -> None:
        assert written(block), f"{block.place}: what file is this?"

    def do_python(self, block: Block) -> None:
        text = self.here(block.text)
        self.line = ""
        super().do_python(Block(block.document, block.line, block.language, text, block.comments))

    def do_text(self, block: Block) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                super().do_text(block)
                return
            except AssertionError:
                if not self.line.startswith(_AGAIN) or time.monotonic() > deadline:
                    raise
            self.printed = self.shown(self.shell.type(self.here(self.line))[1])

    def do_promql(self, block: Block) -> None:
        for query in block.text.splitlines():
            check_query(query)


def check_query(query: str) -> None:
    """Whether the metrics that a query names are there, with those labels."""
    known = {f"engine_{name}_total": labels for name, (_, labels) in TOTALS.items()}
    known |= {f"engine_{name}": labels for name, (_, labels) in GAUGES.items()}
    for name, (_, labels) in HISTOGRAMS.items():
        known |= {f"engine_{name}_bucket": (*labels, "le")}
        known |= {f"engine_{name}_{part}": labels for part in ("sum", "count")}
    found = re.findall(r"(engine_\w+)(?:\{([^}]*)\})?", query)
    assert found, query
    for name, selector in found:
        assert name in known, query
        assert set(re.findall(r"(\w+)=~?\"", selector)) <= set(known[name]), query
    used = {label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")}
    assert all(used <= set(known[name]) for name, _ in found if used and "scalar" not in query), query
    assert query.count("(") == query.count(")")


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Operator]:
    pytest.importorskip("tritonclient.http")
    pytest.importorskip("tritonclient.grpc")
    for command in ("bash", "curl", "openssl"):
        if shutil.which(command) is None:
            pytest.skip(f"there is no {command}")
    monkeypatch.chdir(tmp_path)
    write_demo(tmp_path / "demo")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "engine").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engine "$@"\n')
    (commands / "engine").chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shell = Shell()
    try:
        with ExitStack() as stack:
            yield Operator(capfd, shell, stack)
    finally:
        shell.end()


def test_it_runs_as_shown(operator: Operator) -> None:
    for block in blocks(SERVING):
        operator.read(block)
    assert operator.server is None, "the document leaves a server behind"


def test_its_tables_are_current() -> None:
    page = _generator()
    text = page.TARGET.read_text(encoding="utf-8")
    assert page.filled(text) == text, "run: python docs/generate/serving.py"
    for table in page.tables().values():
        assert not re.search(r"\| \|$", table, re.MULTILINE), "something says nothing of itself"


def test_every_metric_that_it_names_is_there() -> None:
    text = (ROOT / SERVING).read_text(encoding="utf-8")
    prose = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    queries = re.findall(r"`([^`\n]*engine_\w+[^`\n]*)`", prose)
    assert len(queries) > 4
    for query in queries:
        check_query(query)


def test_every_status_that_is_answered_is_in_it() -> None:
    """Whatever the server's code answers with is told."""
    text = (ROOT / SERVING).read_text(encoding="utf-8")
    told = {int(found) for found in re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE)}
    folder = ROOT / "engine" / "runtime" / "serve"
    sources = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    answered = {int(found) for found in re.findall(r"(?:Refusal\(|refuse\(|= )\s*(\d{3}), ", sources)}
    assert answered - {307} <= told
