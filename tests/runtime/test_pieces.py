"""Pieces of files: cut anywhere, they hold every row once, and a part of them is those rows and no others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.errors import DataError
from engine.registry import Registry
from engine.runtime.io import FileSource, open_source
from engine.runtime.io.csv import CsvReader
from engine.runtime.io.jsonl import JsonlReader
from engine.runtime.io.options import bind_source
from engine.runtime.io.piece import InputChanged, Piece
from engine.runtime.io.storage import DISK
from engine.source import PiecedSource, Source, SourcePart

anything = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def table(rows: int, first: int = 0) -> pa.Table:
    numbers = range(first, first + rows)
    return pa.table({"n": numbers, "c": pa.array([f"c{i % 3}" for i in numbers]).dictionary_encode()})


def rows_of(source: Source, columns: Sequence[str] | None = None, size: int = 7) -> list[Any]:
    return [row for batch in source.batches(columns, size) for row in batch.to_pylist()]


def pieced(config: dict[str, Any]) -> PiecedSource:
    source = open_source(config)
    assert isinstance(source, PiecedSource)
    return source


def through_json(pieces: Iterable[Piece]) -> list[Piece]:
    return msgspec.json.decode(msgspec.json.encode(list(pieces)), type=list[Piece])


def write(folder: Path, kind: str) -> Path:
    """Two files of a kind, of several row groups or record batches each."""
    folder.mkdir()
    for number, rows in enumerate((25, 13)):
        content = table(rows, 100 * number)
        file = folder / f"{number}.{kind}"
        if kind == "parquet":
            pq.write_table(content, file, row_group_size=10, write_page_checksum=True)
        elif kind == "arrow":
            with pa.ipc.new_file(file, content.schema) as writer:
                writer.write_table(content, max_chunksize=10)
        elif kind == "csv":
            pacsv.write_csv(content, file)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in content.to_pylist()))
    return folder


@pytest.fixture(params=["parquet", "arrow", "csv", "jsonl"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / "data", request.param)


def test_a_part_is_its_pieces_in_their_order_without_a_look_at_the_rest(folder: Path) -> None:
    source = pieced({"path": str(folder)})
    pieces = through_json(source.pieces())
    whole = rows_of(source)
    assert rows_of(source.part(pieces)) == whole
    backwards = source.part(pieces[::-1])
    assert sorted(rows_of(backwards), key=lambda row: int(row["n"])) == whole
    # a worker has the options and pieces alone, and files that came later are nothing to it
    (folder / "2.csv").write_text("other\n1\n")
    plugin = bind_source({"use": folder.glob("0.*").__next__().suffix[1:], "path": str(folder)})
    assert rows_of(plugin.part(pieces)) == whole
    second = [piece for piece in pieces if Path(piece.file).stem == "1"]
    assert rows_of(plugin.part(second)) == whole[25:]
    assert rows_of(plugin.part([])) == []


def test_row_groups_are_pieces_with_their_place(tmp_path: Path) -> None:
    source = pieced({"path": str(write(tmp_path / "data", "parquet"))})
    pieces = source.pieces()
    assert [(p.of, p.start, p.stop, p.rows, p.first) for p in pieces] == [
        ("groups", 0, 1, 10, 0),
        ("groups", 1, 2, 10, 10),
        ("groups", 2, 3, 5, 20),
        ("groups", 0, 1, 10, 0),
        ("groups", 1, 2, 3, 10),
    ]
    part = source.part(pieces[1:4])
    assert part.rows == 25
    assert [row["n"] for row in rows_of(part)] == [*range(10, 25), *range(100, 110)]
    assert part.locate(0) == (pieces[0].file, 10)
    assert part.locate(14) == (pieces[0].file, 24)
    assert part.locate(15) == (pieces[3].file, 0)
    assert part.place(16) == f"{pieces[3].file}, row 1"


def test_record_batches_are_joined_to_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = pieced({"path": str(write(tmp_path / "data", "arrow"))})
    assert [(p.start, p.stop, p.rows) for p in source.pieces()] == [(0, 3, 25), (0, 2, 13)]
    monkeypatch.setattr("engine.runtime.io.ipc._PIECE_ROWS", 15)
    assert [(p.start, p.stop, p.first) for p in source.pieces()] == [(0, 2, 0), (2, 3, 20), (0, 2, 0)]


def test_an_arrow_stream_is_one_piece(tmp_path: Path) -> None:
    with pa.ipc.new_stream(tmp_path / "a.arrow", table(5).schema) as writer:
        writer.write_table(table(5))
    source = pieced({"path": str(tmp_path / "a.arrow")})
    (piece,) = source.pieces()
    assert piece.of == "file"
    assert len(rows_of(source.part([piece]))) == 5


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "jsonl"])
@anything
@given(cuts=st.lists(st.integers(0, 25), min_size=1, max_size=4).map(sorted))
def test_rows_can_be_left_out_at_both_ends(
    tmp_path_factory: pytest.TempPathFactory, kind: str, cuts: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"cut-{kind}"
    source = pieced({"path": str(folder if folder.exists() else write(folder, kind))})
    (first, *_) = source.pieces()
    whole = replace(first, of="file", start=0, stop=None, rows=25 if first.rows else None)
    bounds = [0, *cuts, 25]
    parts = [source.part([replace(whole, skip=start, take=stop - start)]) for start, stop in pairwise(bounds)]
    assert [row for part in parts for row in rows_of(part)] == rows_of(source)[:25]
    for part, start in zip(parts, bounds, strict=False):
        assert part.locate(0) == (first.file, start)


def lines_of(draw: st.DrawFn, line: st.SearchStrategy[str]) -> bytes:
    """Lines with any breaks, and with or without one at the end, blank ones among them."""
    found = draw(st.lists(line, max_size=12))
    breaks = draw(st.lists(st.sampled_from(["\n", "\r\n", "\n\n"]), min_size=len(found), max_size=len(found)))
    text = "".join(a + b for a, b in zip(found, breaks, strict=True))
    return text.encode() if draw(st.booleans()) else text.rstrip("\r\n").encode()


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    width = draw(st.integers(1, 2))
    cell = st.sampled_from(["", "1", '""', '"a,b"', '"say ""x"""', "é" * 5, "x" * 40])
    line = st.lists(cell, min_size=width, max_size=width).map(",".join)
    mark = draw(st.sampled_from(["", "\ufeff"]))
    header = mark + ",".join('ab"'[:width]) + draw(st.sampled_from(["\n", "\r\n"]))
    return header.encode() + lines_of(draw, line)


@st.composite
def json_files(draw: st.DrawFn) -> bytes:
    line = st.sampled_from(['{"a": 1}', "{}", '{"a": "é\\n"}', '{"a": "' + "x" * 40 + '"}', " "])
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + lines_of(draw, line)


def check_cuts(source: FileSource, wanted: list[Any]) -> None:
    pieces = source.pieces()
    assert rows_of(source) == wanted
    assert [row for piece in pieces for row in rows_of(source.part([piece]))] == wanted
    assert rows_of(source.part(through_json(pieces))) == wanted
    # and so do pieces that were joined
    for size in (2, 3):
        joined = [
            replace(p[0], stop=p[-1].stop)
            for p in (pieces[i : i + size] for i in range(0, len(pieces), size))
        ]
        assert rows_of(source.part(joined)) == wanted


@anything
@given(csv_files(), st.integers(1, 30), st.integers(1, 30))
def test_csv_cut_anywhere(tmp_path: Path, content: bytes, cut: int, block: int) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    wanted = rows_of(open_source({"path": str(file)}))
    format = CsvReader(multiline=False, cut=cut, block=block)
    check_cuts(FileSource(file, [DISK.file(file)], format), wanted)


@anything
@given(json_files().filter(bool), st.integers(1, 30), st.integers(1, 30))
def test_lines_of_json_cut_anywhere(tmp_path: Path, content: bytes, cut: int, block: int) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    wanted = rows_of(open_source({"path": str(file)}))
    check_cuts(FileSource(file, [DISK.file(file)], JsonlReader(cut=cut, block=block)), wanted)


@pytest.mark.parametrize(
    "text", ['a,b\n1,"x\ny"\n2,z\n', 'a,b\n1,"x\n2,y\n', 'a\n1\n"x\ny\n', 'a,b\n1,"x""\ny"\n']
)
@pytest.mark.parametrize("cut", [3, 11, 1000])
def test_a_line_break_in_a_field_is_an_error_where_there_should_be_none(
    tmp_path: Path, text: str, cut: int
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    source = FileSource(file, [DISK.file(file)], CsvReader(multiline=False, cut=cut))
    with pytest.raises(DataError, match="multiline=true"):
        for piece in source.pieces():
            rows_of(source.part([piece]))


def test_a_line_of_a_range_has_a_place(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n" + "1,2\n" * 5 + "\n3\n")
    source = FileSource(file, [DISK.file(file)], CsvReader(multiline=False, cut=12))
    with pytest.raises(DataError, match=r"a.csv, line 8: expected 2 fields, found 1"):
        rows_of(source)
    first, _, third = source.pieces()
    with pytest.raises(DataError, match=r"a.csv, line 2 of those from byte 24: expected 2 fields, found 1"):
        rows_of(source.part([third]))
    part: SourcePart = source.part([first, replace(third, stop=25)])
    rows_of(part)
    assert part.locate(1) == (str(file), 1)
    assert part.place(1) == f"{file}, row 1"
    assert FileSource(file, [DISK.file(file)], CsvReader()).place(0) == f"{file}, row 0"


def test_rows_of_a_later_range_count_from_its_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n' * 10)
    source = FileSource(file, [DISK.file(file)], JsonlReader(cut=27))
    part = source.part(source.pieces()[1:])
    rows_of(part)
    assert part.place(0) == f"{file}, row 0 of the lines from byte 27"
    assert part.place(4) == f"{file}, row 1 of the lines from byte 54"
    assert part.locate(4) == (str(file), 1)


@pytest.mark.parametrize("change", ["longer", "touched", "gone"])
def test_a_file_that_changed_is_refused(folder: Path, change: str) -> None:
    source = pieced({"path": str(folder)})
    pieces = source.pieces()
    file = Path(pieces[0].file)
    part = source.part(pieces)
    batches = part.batches(["n"], 3)
    next(batches)
    if change == "longer":
        file.write_bytes(file.read_bytes() + b"x")
    elif change == "touched":
        os.utime(file, ns=(1, 1))
    else:
        file.unlink()
    how = {
        "longer": r"size [\d,]+ → [\d,]+",
        "touched": "written again, of the same size",
        "gone": "it is gone",
    }
    for read in (lambda: list(batches), lambda: rows_of(part), lambda: source.part(pieces)):
        with pytest.raises(
            InputChanged, match=rf"{file.name}: changed since the run was planned \({how[change]}\)"
        ):
            read()
    with pytest.raises(InputChanged, match="changed since it was opened"):
        rows_of(source)


def test_parts_are_read_by_threads_at_once(folder: Path) -> None:
    source = pieced({"path": str(folder)})
    pieces, whole = source.pieces(), rows_of(source)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda piece: rows_of(source.part([piece]), size=1), pieces * 5))
        again = list(pool.map(lambda _: rows_of(source, size=1), range(4)))
    assert [row for rows in found for row in rows] == whole * 5
    assert again == [whole] * 4


def test_an_empty_or_truncated_file_is_named(folder: Path) -> None:
    source = pieced({"path": str(folder)})
    (file, *_) = source.files()
    content = Path(file).read_bytes()
    if Path(file).suffix != ".csv":  # of which nothing tells the end
        Path(file).write_bytes(content[:-9])
        with pytest.raises(DataError, match=f"{file}"):
            rows_of(pieced({"path": str(folder)}))
    Path(file).write_bytes(b"")
    with pytest.raises(DataError, match=f"{file}: the file is empty"):
        open_source({"path": str(folder)})


def test_a_flipped_byte_of_parquet_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(1000)}), file, write_page_checksum=True, compression="none")
    content = bytearray(file.read_bytes())
    content[300] ^= 1
    file.write_bytes(content)
    source = pieced({"path": str(file)})
    with pytest.raises(DataError, match=r"a.parquet: can't be read as Parquet: .*CRC"):
        rows_of(source.part(source.pieces()))


def test_a_source_of_others_has_no_pieces(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "whole.py").write_text(
        "from engine.source import SourcePlugin, option, source\n"
        "@source('whole')\n"
        "class Whole(SourcePlugin):\n"
        "    '''Rows.'''\n"
        "    path: str = option(help='the file')\n"
        "    def open(self):\n"
        "        from engine.runtime.io.formats import parquet_files\n"
        "        inner = parquet_files(self.path, ['.parquet']).open()\n"
        "        class Plain:\n"
        "            path, schema, text, rows = inner.path, inner.schema, inner.text, inner.rows\n"
        "            files, batches, place = inner.files, inner.batches, inner.place\n"
        "        return Plain()\n"
    )
    pq.write_table(table(3), tmp_path / "a.parquet")
    plugin = bind_source({"use": "whole", "path": str(tmp_path / "a.parquet")}, Registry([tmp_path]))
    assert not isinstance(plugin.open(), PiecedSource)
    with pytest.raises(DataError, match=r"a.parquet: can't be read in pieces"):
        plugin.part([])
