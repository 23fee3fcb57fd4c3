"""engine batch in a Unix pipe, as a process: what comes out is what files give, as soon as it can be."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.api import build
from engine.config.compose import compose
from engine.errors import DataError
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.io.csv import CsvReader
from engine.runtime.io.pipe import Pipe, PipeFile
from engine.runtime.io.pipe_csv import PipedCsvReader
from engine.runtime.io.storage import DISK

CONF = """\
# @package _global_
name: tiny
inputs: {n: number, m: {kind: number, optional: true}}
keep: [id, note]
stages:
  sum: {use: expr, into: sum, value: "n / 7 + where(isnan(m), 0, m)"}
outputs: [sum]
"""
ENGINE = [sys.executable, "-m", "engine.cli.main"]
JSONL = ["source.path=-", "source.use=jsonl"]
CSV = ["source.path=-", "source.use=csv"]
OUT = ["sink.path=-", "sink.use=jsonl"]


def line(number: int, n: str = "7.0") -> bytes:
    return b'{"id": "r%d", "note": "a, \\"b\\"", "n": %b, "m": 1}\n' % (number, n.encode())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf" / "pipeline").mkdir(parents=True)
    (tmp_path / "conf" / "pipeline" / "tiny.yaml").write_text(CONF)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words: str, verb: str = "batch") -> list[str]:
    return [*ENGINE, verb, "--config-dir", "conf", "pipeline=tiny", *words]


def run(given: bytes | None, *words: str, verb: str = "batch") -> tuple[int, bytes, str]:
    ended = subprocess.run(command(*words, verb=verb), input=given, capture_output=True)
    return ended.returncode, ended.stdout, ended.stderr.decode()


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(*words), stdin=PIPE, stdout=PIPE, stderr=PIPE)


def write(path: Path, rows: int) -> None:
    table = pa.table(
        {
            "id": [f"r{i}" for i in range(rows)],
            "note": [None if i % 5 == 0 else 'two\nlines, "quoted"' if i % 3 else "" for i in range(rows)],
            "n": [i / 3 for i in range(rows)],
            "m": [None if i % 2 else i for i in range(rows)],
        }
    )
    with open_sink({"path": str(path)}).open(table.schema) as writer:
        writer.write(table.to_batches()[0])


# -- the same as files


@pytest.mark.parametrize("rows", [300, pytest.param(300_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("use", ["csv", "jsonl"])
def test_a_pipe_gives_what_files_give(folder: Path, use: str, rows: int) -> None:
    source = folder / f"in.{use}"
    write(source, rows)
    pipeline = build(compose(["pipeline=tiny"], folder / "conf"))
    for out in ("csv", "jsonl"):
        run_batch(pipeline, open_source({"path": str(source)}), open_sink({"path": f"out.{out}"}))
        given = source.read_bytes()
        code, found, told = run(given, "source.path=-", f"source.use={use}", "sink.path=-", f"sink.use={out}")
        assert (code, found) == (0, (folder / f"out.{out}").read_bytes()), told
        assert f"{rows:,} rows read, {rows:,} written to standard output, 0 rejected" in told


def test_each_end_can_be_a_file(folder: Path) -> None:
    write(folder / "in.csv", 300)
    code, found, told = run(None, "source.path=in.csv", *OUT)
    assert (code, found.count(b"\n")) == (0, 300), told
    code, printed, told = run((folder / "in.csv").read_bytes(), *CSV, "sink.path=out.jsonl")
    assert (code, printed, (folder / "out.jsonl").read_bytes()) == (0, b"", found), told


def test_each_row_comes_out_before_the_next_goes_in() -> None:
    for source, rows in ((JSONL, [line(i) for i in range(3)]), (CSV, [b"r%d,,7,1\n" % i for i in range(3)])):
        with start(*source, *OUT) as batch:
            assert batch.stdin is not None and batch.stdout is not None
            if source is CSV:
                rows[0] = b"id,note,n,m\n" + rows[0]
            for number, row in enumerate(rows):
                batch.stdin.write(row)
                batch.stdin.flush()
                assert batch.stdout.readline().startswith(b'{"id":"r%d"' % number)
            batch.stdin.close()
            assert batch.stdout.read() == b""
        assert batch.returncode == 0


def test_a_key_that_comes_late_is_read() -> None:
    rows = [b'{"id": "a", "note": null, "n": 7}\n', b'{"id": "b", "note": null, "n": 7, "m": 2}\n']
    with start(*JSONL, *OUT) as batch:
        assert batch.stdin is not None and batch.stdout is not None
        found = []
        for row in rows:
            batch.stdin.write(row)
            batch.stdin.flush()
            found.append(batch.stdout.readline())
        batch.stdin.close()
    assert [row.partition(b'"sum":')[2] for row in found] == [b"1}\n", b"3}\n"]


# -- ends


@pytest.mark.parametrize(
    ("given", "source", "out", "code", "found"),
    [
        (b"", JSONL, "jsonl", 0, b""),
        (b"\n\n", JSONL, "csv", 0, b'"id","note","sum"\n'),
        (b"id,note,n,m\n", CSV, "csv", 0, b'"id","note","sum"\n'),
        (b'id,note,n,m\n"a",,7,1', CSV, "csv", 0, b'"id","note","sum"\n"a",,2\n'),
        (b"", CSV, "csv", 2, b""),
    ],
)
def test_few_bytes(given: bytes, source: Sequence[str], out: str, code: int, found: bytes) -> None:
    ended, printed, told = run(given, *source, "sink.path=-", f"sink.use={out}")
    assert (ended, printed) == (code, found), told
    if code:
        assert told == ("standard input: is empty (0 bytes); expected a line with the names of the columns\n")


def test_a_reader_that_leaves_ends_it_quietly(folder: Path) -> None:
    write(folder / "in.jsonl", 100_000)
    with start("source.path=in.jsonl", *OUT) as batch:
        assert batch.stdout is not None and batch.stderr is not None
        assert batch.stdout.readline().startswith(b'{"id":"r0"')
        batch.stdout.close()
        assert batch.stderr.read() == b""
    assert batch.returncode == 141


@pytest.mark.parametrize(
    ("out", "told"),
    [
        (OUT, "stopped by SIGTERM; rows that were written stay written\n"),
        (["sink.path=out.jsonl"], "stopped by SIGTERM; nothing was written: a pipe is read only once\n"),
    ],
)
def test_sigterm_ends_the_wait_for_rows(folder: Path, out: Sequence[str], told: str) -> None:
    with start(*JSONL, *out) as batch:
        assert batch.stdin is not None and batch.stdout is not None and batch.stderr is not None
        batch.stdin.write(line(0))
        batch.stdin.flush()
        if out is OUT:
            assert batch.stdout.readline()
        else:
            while not list(folder.glob("_engine/*/runs/*")) and not list(folder.glob("_engine/**/*.json")):
                assert batch.poll() is None
        batch.send_signal(signal.SIGTERM)
        assert batch.stderr.read().decode() == told
    assert batch.returncode == 75
    assert not (folder / "out.jsonl").exists()


# -- what is wrong


def test_rows_in_front_of_a_broken_one_stay_written() -> None:
    with start(*JSONL, *OUT) as batch:
        assert batch.stdin is not None and batch.stdout is not None
        batch.stdin.write(line(0))
        batch.stdin.flush()
        first = batch.stdout.readline()
        rest, told = batch.communicate(line(1) + b'{"id": \n')
    assert (batch.returncode, first[:10], rest) == (2, b'{"id":"r0"', b"")
    assert told.decode() == "standard input, line 3: can't be read as JSON: Expecting value at character 8\n"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (b'"x\ny",,1,2\r\n\r\nb,3\n', "line 5: expected 4 fields, found 2\n"),
        (b'"x\ny",,1,2\n"b,,1,2\n', "line 4: a quotation mark is never closed\n"),
    ],
)
def test_a_broken_record_of_csv_is_found_by_its_line(rows: bytes, told: str) -> None:
    assert run(b"id,note,n,m\n" + rows, *CSV, *OUT)[::2] == (2, f"standard input, {told}")


REFUSED = line(0) + line(1, '"x"') + line(2)


def test_refused_rows_go_to_a_file_that_is_named(folder: Path) -> None:
    words = (*JSONL, *OUT, "rejects.max=1", "rejects.path=bad.csv")
    code, found, told = run(REFUSED, *words)
    assert (code, found.count(b"\n")) == (0, 2), told
    assert (folder / "bad.csv").read_text().splitlines()[1].startswith('"standard input",1,"n","invalid"')
    message = "bad.csv: the file exists; remove it, or set rejects.path to another path\n"
    assert run(REFUSED, *words) == (2, b"", message)


def test_a_share_of_refused_rows_is_judged_at_the_end(folder: Path) -> None:
    code, found, told = run(REFUSED, *JSONL, *OUT, "rejects.max=0.1", "rejects.path=bad.csv")
    assert (code, found.count(b"\n")) == (2, 2)
    assert told.startswith(
        "1 of the 3 rows read so far are rejected, more than rejects.max=0.1; 2 rows are written already"
    )
    assert not (folder / "bad.csv").exists()


def test_without_a_file_no_row_may_be_refused() -> None:
    code, found, told = run(REFUSED, *JSONL, *OUT)
    assert (code, found) == (2, b"")
    assert "  standard input, row 1: n: expected a number, found 'x' (str)\n" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*JSONL[:1], *OUT), "source.use: standard input has no ending that tells the format; say which:"),
        (
            (*JSONL, "sink.path=-"),
            "sink.use: standard output has no ending that tells the format; say which:",
        ),
        ((*JSONL, *OUT, "--json"), "--json: standard output takes the rows (sink.path=-)"),
        ((*JSONL, *OUT, "rejects.max=1"), "rejects.path: is needed: standard output takes answers alone"),
        ((*JSONL, *OUT, "sink.mode=replace"), "sink.mode: standard output has none"),
        ((*JSONL, *OUT, "executor.use=ray"), "executor.use: standard input belongs to this process"),
        ((*JSONL, *OUT, "resume=require"), "resume: a run with standard input can't be resumed"),
        (
            (*JSONL[:1], "source.use=parquet", *OUT),
            "source.path=-: parquet can't be read from standard input",
        ),
        ((*JSONL, "sink.path=-", "sink.use=arrow"), "sink.path=-: arrow can't be written to standard output"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(words: Sequence[str], told: str) -> None:
    with start(*words) as batch:  # whose stdin stays open
        assert batch.stderr is not None and batch.stdout is not None
        assert batch.stderr.read().decode().startswith(told)
        assert batch.stdout.read() == b""
    assert batch.returncode == 2


def test_check_reads_nothing() -> None:
    words = command(*JSONL, *OUT, verb="check")
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE) as check:
        assert check.stdout is not None
        found = check.stdout.read().decode()
    assert check.returncode == 0
    assert "source     standard input: its columns are known once it is read\n" in found
    assert "sink       standard output: jsonl, row by row\n" in found
    assert run(b"", *JSONL, *OUT, "rejects.max=1", verb="check")[0] == 2


@pytest.mark.parametrize(
    ("redirected", "told"),
    [
        ("<&-", "standard input is closed: there is nothing to read"),
        (">&- </dev/null", "standard output is closed: rows can't be written"),
    ],
)
def test_a_closed_end_is_told(redirected: str, told: str) -> None:
    words = ["sh", "-c", f'exec "$@" {redirected}', "sh", *command(*JSONL, *OUT)]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr[: len(told)]) == (2, told)


def test_a_terminal_is_no_source() -> None:
    leader, terminal = pty.openpty()
    try:
        ended = subprocess.run(command(*JSONL, *OUT), stdin=terminal, capture_output=True, text=True)
    finally:
        os.close(leader)
        os.close(terminal)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "standard input is a terminal: pipe the rows in (cat rows.jsonl | engine …)"
    )


# -- CSV is cut anywhere


class Chunks:
    """Bytes that come in pieces of some sizes, again for each who reads them."""

    def __init__(self, content: bytes, sizes: Sequence[int]) -> None:
        self._content = content
        self._sizes = sizes

    def stream(self) -> ChunkStream:
        return ChunkStream(self._content, self._sizes)


class ChunkStream:
    def __init__(self, content: bytes, sizes: Sequence[int]) -> None:
        self._content = content
        self._sizes = sizes
        self._number = 0

    def __enter__(self) -> ChunkStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, size: int) -> bytes:
        size = min(size, self._sizes[self._number % len(self._sizes)])
        self._number += 1
        found, self._content = self._content[:size], self._content[size:]
        return found


def rows_of(reader: CsvReader, file: Any) -> list[Any] | str:
    try:
        names = reader.head(file).schema.names
        batches = reader.batches(file, [file.piece()], names, 1000)
        return [tuple(row) for batch in batches for row in zip(*(c.to_pylist() for c in batch), strict=True)]
    except DataError as error:
        return str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    header=st.sampled_from(["a", "a,b", '"a\n""",b', "\ufeffa,b"]),
    body=st.lists(st.sampled_from(["x", "1", '"', '""', ",", "\n", "\r\n", "\r", '"y\n"', "é"]), max_size=14),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_csv_is_read_alike_wherever_it_is_cut(
    tmp_path: Path, header: str, body: Sequence[str], sizes: Sequence[int]
) -> None:
    content = f"{header}\n{''.join(body)}".encode()
    (tmp_path / "x.csv").write_bytes(content)
    expected = rows_of(CsvReader(), DISK.file(tmp_path / "x.csv"))
    pipe = PipeFile("standard input", 0, "", DISK, cast(Pipe, Chunks(content, sizes)))
    found = rows_of(PipedCsvReader(), pipe)
    if isinstance(found, str) and found.endswith("a quotation mark is never closed"):
        return  # a file's is taken for closed where the file ends
    assert isinstance(found, str) == isinstance(expected, str), (found, expected)
    if not isinstance(found, str):
        assert found == expected


def test_standard_input_is_read_once() -> None:
    code = (
        "from engine.runtime.io import open_source\n"
        "from engine.errors import DataError\n"
        "source = open_source({'path': '-', 'use': 'jsonl'})\n"
        "print(source.files(), source.rows, source.schema.names, source.place(3))\n"
        "print(sum(batch.num_rows for batch in source.batches(None, 2)))\n"
        "try: list(source.batches(None, 2))\n"
        "except DataError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], input=line(0) * 3, capture_output=True, check=True
    ).stdout.decode()
    assert ended == (
        "() None ['id', 'note', 'n', 'm'] standard input, row 3\n3\n"
        "standard input: can be read only once; write the rows to a file, and read that: source.path=FILE\n"
    )


def test_a_file_may_be_called_so(folder: Path) -> None:
    (folder / "-").write_bytes(line(0))
    assert open_source({"path": "./-", "use": "jsonl"}).path == Path("-")


def test_what_a_plugin_prints_does_not_go_among_the_rows() -> None:
    code = (
        "import pyarrow as pa\n"
        "from engine.runtime.io import open_sink\n"
        "rows = pa.record_batch({'a': [1]})\n"
        "print('before')\n"
        "with open_sink({'path': '-', 'use': 'csv'}).open(rows.schema) as writer:\n"
        "    print('meanwhile')\n"
        "    writer.write(rows)\n"
        "    writer.write(rows)\n"
        "print('after')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b'before\n"a"\n1\n1\nafter\n', b"meanwhile\n")


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command(*JSONL, *OUT), input=line(0), stdout=full, stderr=PIPE)
    message = b"standard output: can't be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (2, message)


def test_an_interrupt_ends_the_wait_for_rows() -> None:
    with start(*JSONL, *OUT) as batch:
        assert batch.stdin is not None and batch.stdout is not None and batch.stderr is not None
        batch.stdin.write(line(0))
        batch.stdin.flush()
        assert batch.stdout.readline()
        batch.send_signal(signal.SIGINT)
        assert batch.stderr.read() == b"interrupted\n"
    assert batch.returncode == 130
