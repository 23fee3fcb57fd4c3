"""`engine new key` hands a key out once, and the server's file knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.runtime.serve.keys import read_keys


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*argv: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["new", "key", *argv]) == 0
    out, err = capsys.readouterr()
    return out, err


def test_the_key_alone_is_on_stdout_and_the_file_knows_it(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = make("mobile", capsys=capsys)
    key = out.removesuffix("\n")
    assert key.startswith("ek_")
    assert key.split() == [key]
    assert key not in Path("keys.txt").read_text()
    assert key not in err
    assert "engine serve bundle=PATH server.keys=keys.txt" in err
    assert 'curl -H "X-API-Key: KEY"' in err
    assert read_keys(Path("keys.txt")).name_of(key.encode()) == "mobile"
    assert Path("keys.txt").stat().st_mode & 0o777 == 0o600


def test_more_keys_go_below(capsys: pytest.CaptureFixture[str]) -> None:
    keys = {name: make(name, "file=in.txt", capsys=capsys)[0].strip() for name in ("a", "b")}
    with Path("in.txt").open("a") as file:
        file.write("# by hand, without an end of line")
    keys["c"] = make("c", "file=in.txt", capsys=capsys)[0].strip()
    read = read_keys(Path("in.txt"))
    assert {name: read.name_of(key.encode()) for name, key in keys.items()} == {"a": "a", "b": "b", "c": "c"}
    assert all(key.created is not None for key in read.keys)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = make("mobile", "--json", capsys=capsys)
    said = json.loads(out)
    assert (said.pop("name"), said.pop("file")) == ("mobile", "keys.txt")
    assert read_keys(Path("keys.txt")).name_of(said.pop("key").encode()) == "mobile"
    assert said == {}


def test_a_file_for_its_owner_alone_whatever_the_umask(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.umask(0)
    try:
        make("mobile", capsys=capsys)
    finally:
        os.umask(before)
    assert Path("keys.txt").stat().st_mode & 0o777 == 0o600


def test_a_key_is_taken_back_by_deleting_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    old = make("mobile", capsys=capsys)[0].strip()
    make("web", capsys=capsys)
    kept = [line for line in Path("keys.txt").read_text().splitlines() if not line.startswith("mobile ")]
    Path("keys.txt").write_text("\n".join(kept))
    new = make("mobile", capsys=capsys)[0].strip()
    keys = read_keys(Path("keys.txt"))
    assert (keys.name_of(old.encode()), keys.name_of(new.encode())) == (None, "mobile")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["ky", "x"], "not 'ky'. Did you mean 'key'?"),
        (["key"], "engine new key takes one name (none given): engine new key NAME"),
        (["key", "a", "b"], "takes one name (a, b given)"),
        (["key", "taken"], "keys.txt holds a key of 'taken' already; give another name, or delete its line"),
        (["key", "my app"], "'my app' can't name a key: expected letters, digits, '.', '_' and '-'"),
        (["key", "../x"], "'../x' can't name a key"),
        (["key", "ek_x"], "a name can't begin with 'ek_', as keys do"),
        (["key", "-x"], "there is no flag '-x'"),
        (
            ["key", "x", "fil=a.txt"],
            "engine new key doesn't take 'fil'. Did you mean 'file'? It takes file=…",
        ),
        (["key", "x", "kind=row"], "engine new key doesn't take 'kind'."),
        (["key", "x", "file="], "file: is empty"),
        (["key", "x", "file=absent/keys.txt"], "absent/keys.txt: the key can't be added: No such file"),
        (["key", "x", "file=folder"], "folder: the key can't be added: Is a directory"),
        (["key", "x", "file=pipe"], "pipe is no regular file"),
        (["key", "x", "file=loose.txt"], "loose.txt: others than its owner can write to it (mode 666)"),
        (["key", "x", "file=other.txt"], "other.txt is no file of keys as it stands:\n  line 1: "),
        (["key", "x", "--config-dir", "conf"], "engine new key doesn't take --config-dir"),
    ],
)
def test_mistakes(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    make("taken", capsys=capsys)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("loose.txt").touch()
    Path("loose.txt").chmod(0o666)
    Path("other.txt").write_text("dear diary\n")
    before = {path: path.read_bytes() for path in Path().glob("*.txt")}
    assert main(["new", *argv]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert {path: path.read_bytes() for path in Path().glob("*.txt")} == before


def test_a_name_goes_to_one_of_those_who_ask_at_once() -> None:
    command = [sys.executable, "-m", "engine", "new", "key"]
    asked = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in ("same", "same", "same", "other")
    ]
    given = [process.communicate(timeout=120)[0].strip() for process in asked]
    codes = sorted(process.returncode for process in asked)
    assert codes == [0, 0, 2, 2]
    keys = read_keys(Path("keys.txt"))
    assert sorted(filter(None, (keys.name_of(key) for key in given))) == ["other", "same"]


def test_a_disk_that_is_full_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A limit on the size of files stands for it."""
    code = (
        "import resource, signal, sys\n"
        "from engine.cli.main import main\n"
        "assert main(['new', 'key', 'first']) == 0\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "sys.exit(main(['new', 'key', 'second']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the key couldn't be stored, so there is none" in done.stderr
    assert len(done.stdout.split()) == 1
    assert [key.name for key in read_keys(tmp_path / "keys.txt").keys] == ["first"]
