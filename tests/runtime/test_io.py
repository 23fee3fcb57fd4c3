"""Files in and out: bits that survive, messages that name the file, nothing half written."""

from __future__ import annotations

import errno
import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.decode import TableDecoder
from engine.errors import ConfigError, DataError
from engine.runtime.io import open_sink, open_source
from engine.runtime.io.finding import find
from engine.runtime.io.storage import DISK
from engine.schema import Input, Kind


def read(path: Path, columns: list[str] | None = None, rows: int = 1000, **options: Any) -> pa.Table:
    source = open_source({"path": str(path), **options})
    batches = list(source.batches(columns, rows))
    return pa.Table.from_batches(batches) if batches else source.schema.empty_table()


def write(path: Path, table: pa.Table, **options: Any) -> tuple[Path, ...]:
    with open_sink({"path": str(path), **options}).open(table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return writer.files()


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    return str(caught.value).replace(str(path.parent), "DIR")


# -- round trips

texts = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
rows = st.lists(
    st.tuples(
        st.none() | st.floats(width=32, allow_nan=False),
        st.none() | st.floats(allow_nan=False),
        texts,
        st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
        st.none() | st.booleans(),
    ),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.sampled_from([",", ";", "\t"]))
def test_csv_gives_back_the_same_bits(tmp_path: Path, rows: list[Any], delimiter: str) -> None:
    types = [pa.float32(), pa.float64(), pa.string(), pa.timestamp("us", "UTC"), pa.bool_()]
    kinds = [Kind.NUMBER, Kind.NUMBER, Kind.TEXT, Kind.TIMESTAMP, Kind.NUMBER]
    columns = list(zip(*rows, strict=True)) if rows else [[]] * 5
    table = pa.table({n: pa.array(v, t) for n, v, t in zip("abcde", columns, types, strict=True)})
    write(tmp_path / "x.csv", table, mode="replace", delimiter=delimiter)
    back = read(tmp_path / "x.csv", delimiter=delimiter)
    inputs = [Input(name, kind) for name, kind in zip("abcde", kinds, strict=True)]
    found = TableDecoder(inputs, parse_text=True).decode(back)
    expected = TableDecoder(inputs).decode(table)
    assert found.bad == []
    for name in "abde":
        assert found.columns[name].tobytes() == expected.columns[name].tobytes()  # type: ignore[union-attr]
    assert back.column("c").to_pylist() == table.column("c").to_pylist()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, max_size=5))
def test_a_csv_file_of_one_column_loses_no_row(tmp_path: Path, values: list[Any]) -> None:
    write(tmp_path / "x.csv", pa.table({"c": pa.array(values, pa.string())}), mode="replace")
    assert read(tmp_path / "x.csv").column("c").to_pylist() == values


def test_csv_prints_what_the_float32_widens_to(tmp_path: Path) -> None:
    table = pa.table(
        {
            "s": pa.array([0.1], pa.float32()),
            "c": ["", ],
            "t": pa.array([datetime(2013, 1, 1)], pa.timestamp("ms")),
            "d": [date(2013, 1, 1)],
            "m": [Decimal("1.10")],
            "b": [True],
            "k": pa.array(["x"]).dictionary_encode(),
            "z": pa.array([0], pa.timestamp("s", "Asia/Tokyo")),
        }
    )  # fmt: skip
    write(tmp_path / "x.csv", table)
    assert (tmp_path / "x.csv").read_text().splitlines()[1] == (
        '0.10000000149011612,"","2013-01-01T00:00:00.000Z",2013-01-01,1.10,true,"x","1970-01-01T00:00:00Z"'
    )


def test_parquet_comes_back_in_batches_with_the_columns_asked_for(tmp_path: Path) -> None:
    table = pa.table({"a": range(2500), "a.b": range(2500), "c": ["x"] * 2500})
    write(tmp_path / "x.parquet", table)
    source = open_source({"path": str(tmp_path / "x.parquet")})
    batches = list(source.batches(["c", "a"], 1000))
    assert [batch.num_rows for batch in batches] == [1000, 1000, 500]
    assert pa.Table.from_batches(batches).equals(table.select(["c", "a"]))
    assert (source.rows, source.text, source.place(7)) == (2500, False, f"{tmp_path / 'x.parquet'}, row 7")
    assert sum(batch.num_rows for batch in source.batches([], 1000)) == 2500


def test_csv_comes_back_in_batches_with_the_columns_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 2500)
    source = open_source({"path": str(tmp_path / "x.csv")})
    batches = list(source.batches(["b"], 1000))
    assert [batch.num_rows for batch in batches] == [1000, 1000, 500]
    assert batches[0].schema == pa.schema([("b", pa.string())])
    assert (source.rows, source.text) == (None, True)
    assert sum(batch.num_rows for batch in source.batches([], 1000)) == 2500


@pytest.mark.parametrize("content", ["a,b", "a,b\n", "\ufeffa,b\r\n", "a,b\n\n"])
def test_a_csv_file_without_rows(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.csv").write_text(content, encoding="utf-8")
    assert read(tmp_path / "x.csv").equals(
        pa.table({"a": pa.array([], "string"), "b": pa.array([], "string")})
    )


def test_text_that_is_no_utf8_is_left_to_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b'a,b\n\xff,1\n"",\n')
    table = read(tmp_path / "x.csv")
    assert table.to_pydict() == {"a": [b"\xff", b""], "b": ["1", None]}


# -- folders


def test_a_folder_is_read_by_name_and_underscores_are_skipped(tmp_path: Path) -> None:
    for name, value in (("b", 2), ("a", 1), ("_c", 9), (".d", 9)):
        pq.write_table(pa.table({"x": [value]}), tmp_path / f"{name}.parquet")
    (tmp_path / "README").write_text("")
    source = open_source({"path": str(tmp_path)})
    assert [batch.column("x").to_pylist() for batch in source.batches(["x"], 10)] == [[1], [2]]
    assert source.place(1) == f"{tmp_path / 'b.parquet'}, row 0"


def test_files_of_a_folder_may_differ_in_order_and_within_a_family(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1], "y": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"z": [0], "y": ["b"], "x": [2.5]}), tmp_path / "b.parquet")
    batches = open_source({"path": str(tmp_path)}).batches(["x", "y"], 10)
    assert [batch.to_pylist() for batch in batches] == [[{"x": 1, "y": "a"}], [{"x": 2.5, "y": "b"}]]


def test_a_file_of_another_family_or_without_a_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": ["1"]}), tmp_path / "b.parquet")
    where = f"{tmp_path / 'b.parquet'}: "
    with pytest.raises(DataError) as caught:
        read(tmp_path, ["x"])
    assert str(caught.value) == f"{where}column 'x' is string, in other files of the folder it is int64"
    pq.write_table(pa.table({"X": [1]}), tmp_path / "b.parquet")
    with pytest.raises(DataError) as caught:
        read(tmp_path, ["x"])
    assert str(caught.value).startswith(f"{where}there is no column 'x' (other files of the folder have it).")


def test_a_folder_of_two_formats_or_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert (
        refusal(data)
        == "DIR/data: the folder holds no data files (.parquet, .arrow, .feather, .arrows, .csv, .jsonl, .ndjson)"  # noqa: E501
    )
    (data / "a.csv").write_text("x\n1\n")
    pq.write_table(pa.table({"x": [1]}), data / "a.parquet")
    assert refusal(data) == "DIR/data: the folder holds 1 csv and 1 parquet files; say which with source.use="
    assert read(data, use="csv").to_pylist() == [{"x": "1"}]


# -- files that can't be read


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "flights.parquet").touch()
    assert refusal(tmp_path / "flight.parquet") == (
        "DIR/flight.parquet: no such file or folder. Did you mean 'flights.parquet'?"
    )
    assert refusal(tmp_path / "a" / "b.csv") == "DIR/b.csv: no such file or folder, nor is there a folder DIR"


def test_a_file_that_is_empty_or_of_no_known_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert refusal(tmp_path / "a.csv") == "DIR/a.csv: the file is empty (0 bytes)"
    (tmp_path / "a.xlsx").write_text("x")
    assert (
        refusal(tmp_path / "a.xlsx")
        == "DIR/a.xlsx: no format has the extension '.xlsx'; there are .parquet, .arrow, .feather, .arrows, .csv, .jsonl, .ndjson"  # noqa: E501
    )


def test_a_truncated_or_damaged_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    values = np.random.default_rng(0).random(5000)
    write(path, pa.table({"x": values}))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert refusal(path).startswith("DIR/x.parquet: can't be read as Parquet: ")
    path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    assert "CRC" in refusal(path)


def test_a_csv_row_with_too_many_or_too_few_fields(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3\n")
    assert refusal(tmp_path / "x.csv") == "DIR/x.csv, line 3: expected 2 fields, found 1"
    (tmp_path / "x.csv").write_text("a,b\n1,2,3\n")
    assert refusal(tmp_path / "x.csv") == "DIR/x.csv, line 2: expected 2 fields, found 3"


def test_a_csv_header_that_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xffa,b\n1,2\n")
    assert refusal(tmp_path / "x.csv") == (
        "DIR/x.csv, line 1: the names of the columns are no UTF-8; convert the file to UTF-8"
    )


# -- sinks


def test_a_folder_gets_parts(tmp_path: Path) -> None:
    sink = open_sink({"path": str(tmp_path / "out" / "scores"), "format": "csv"})
    sink.part_rows = 2
    batch = pa.record_batch({"x": [1, 2]})
    with sink.open(batch.schema) as writer:
        for _ in range(3):
            writer.write(batch)
    assert [file.name for file in writer.files()] == [f"part-0000{i}.csv" for i in range(3)]
    assert read(tmp_path / "out" / "scores").num_rows == 6
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["scores"]


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x"])
def test_an_exception_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    batch = pa.record_batch({"x": [1, 2]})
    with pytest.raises(KeyError), open_sink({"path": str(tmp_path / name)}).open(batch.schema) as writer:
        writer.write(batch)
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x"])
def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path, name: str) -> None:
    old, new = pa.table({"x": [1]}), pa.table({"x": [2, 3]})
    write(tmp_path / name, old)
    with pytest.raises(DataError, match=r"to replace (it|them): sink\.mode=replace"):
        write(tmp_path / name, new)
    assert read(tmp_path / name).num_rows == 1
    write(tmp_path / name, new, mode="replace")
    assert read(tmp_path / name).num_rows == 2
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_a_folder_with_other_things_in_it_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DataError) as caught:
        write(tmp_path, pa.table({"x": [1]}), mode="replace")
    assert (
        str(caught.value) == f"{tmp_path}: the folder holds more than a batch's parts, and is neither written"
        " to nor replaced: thesis.tex"
    )


def test_a_faster_run_is_not_overwritten(tmp_path: Path) -> None:
    path, batch = tmp_path / "x.csv", pa.record_batch({"x": [1]})
    with pytest.raises(DataError, match="File exists"), open_sink({"path": str(path)}).open(batch.schema):
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert [item.name for item in tmp_path.iterdir()] == ["x.csv"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    batch = pa.record_batch({"x": np.random.default_rng(0).random(100_000)})
    try:
        for name in ("x.parquet", "x.csv"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
            with (
                pytest.raises(DataError, match="can't be written"),
                open_sink({"path": str(tmp_path / name)}).open(batch.schema) as writer,
            ):
                writer.write(batch)
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


def test_csv_refuses_columns_it_cannot_hold_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        write(tmp_path / "x.csv", pa.table({"x": [[1]], "y": [1]}))
    assert str(caught.value) == (
        "a CSV file can't hold x (list<item: int64>); write Parquet, or leave them out of 'keep'"
    )
    assert list(tmp_path.iterdir()) == []


# -- options


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"use": "csv", "path": "x.csv", "delimter": ";"},
            "source.delimter: 'csv' has no option 'delimter'. Did you mean 'delimiter'?"
            "\n  options: path: str (required), delimiter: str = ',', multiline: bool = true,"
            " storage: dict[str, str | bool] = {}"
            "\n  set by: the call        source built in: plugins/sources/csv.py",
        ),
        ({"use": "cvs", "path": "x"}, "source.use: there is no source 'cvs'. Did you mean 'csv'?"
         "\n  there are: auto, arrow, csv, jsonl, parquet, postgres"),
        ({"path": None}, "source.path: a path is needed: a file (.parquet or .arrow or .feather or .arrows or .csv or .jsonl or .ndjson) or a folder"),  # noqa: E501
        (
            {"use": "csv", "path": "x", "delimiter": ";;"},
            "source.delimiter: expected one character, found ';;'",
        ),
        *(
            (
                {"use": "csv", "path": "x", "delimiter": mark},
                f"source.delimiter: {mark!r} can't part fields: quotes and line breaks have a meaning of "
                "their own in CSV",
            )
            for mark in ('"', "\r", "\n", "\0")
        ),
        ({"use": ["a"], "path": "x"}, "source.use: expected one of auto, arrow, csv, jsonl, parquet, postgres, found ['a']"),  # noqa: E501
        ([1], "source: must be a mapping such as {path: rows.parquet}, not [1]"),
    ],
)  # fmt: skip
def test_mistakes_in_a_source(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(config)
    assert str(caught.value) == message


def test_mistakes_in_a_sink() -> None:
    with pytest.raises(ConfigError) as caught:
        open_sink({"path": "x.csv", "mode": "replce"})
    assert str(caught.value) == (
        "sink.mode: 'mode' of 'csv' must be one of 'error', 'append', 'replace', not 'replce'."
        " Did you mean 'replace'?\n"
        "  options: path: str (required), mode: 'error' | 'append' | 'replace' = 'error',"
        " compression: 'gz' | 'zst' | None = null, delimiter: str = ',',"
        " storage: dict[str, str | bool] = {}\n"
        "  set by: the call        sink built in: plugins/sinks/csv.py"
    )
    with pytest.raises(DataError, match=r"no format has the extension '\.xlsx'"):
        open_sink({"path": "x.xlsx"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"path": "x", "use": ["a"]},
            "sink.use: expected one of auto, arrow, csv, jsonl, parquet, postgres, found ['a']",
        ),
        (
            {"path": "x", "format": ["a"]},
            "sink.format: expected one of arrow, csv, jsonl, parquet, postgres, found ['a']",
        ),
        *(
            (
                {"path": path},
                f"sink.path: {path!r} is a folder that a batch can't make or replace\n"
                "  add a name: scores.parquet for one file, scores for a folder of parts",
            )
            for path in ("/", ".", "..", "a/..")
        ),
        ({"path": ".csv"}, "sink.path: a file's name is due in front of its ending, found '.csv'"),
        (
            {"path": "x.csv", "format": "parquet"},
            "sink.format: x.csv is one file, of the format that its ending tells, csv; found 'parquet'\n"
            "  leave it out, or write a path without an ending: a folder",
        ),
        (
            {"path": "x", "use": "csv", "format": "parquet"},
            "sink.format: sink.use=csv tells the format; found 'parquet': leave one out",
        ),
        (
            {"path": "x.csv", "compression": "gz"},
            "sink.compression: one file's ending tells it: sink.path=x.csv.gz; leave the option out",
        ),
    ],
)
def test_sinks_that_could_be_nothing(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_sink(config)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["part-1.csv", "part-00000.txt", "_SUCCESS", "part-00000.csv.bak", "dir"])
def test_what_is_no_part_is_never_replaced(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    write(out, pa.table({"x": [1]}), format="csv")
    (out / name).touch() if name != "dir" else (out / "part-00001.csv").mkdir()
    with pytest.raises(DataError, match="more than a batch's parts, and is neither written to nor replaced"):
        write(out, pa.table({"x": [2]}), format="csv", mode="replace")
    assert read(out / "part-00000.csv").to_pylist() == [{"x": "1"}]


def test_looking_at_a_sink_makes_nothing(tmp_path: Path) -> None:
    open_sink({"path": str(tmp_path / "a" / "b" / "x.csv")}).check()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as caught:
        open_sink({"path": str(tmp_path / "file" / "b" / "x.csv")}).check()
    assert str(caught.value) == (
        f"{tmp_path}/file/b/x.csv: can't be written: {tmp_path}/file is a file, not a folder"
    )


def test_a_failed_run_takes_its_folders_back(tmp_path: Path) -> None:
    schema = pa.schema([("x", pa.int64())])
    sink = open_sink({"path": str(tmp_path / "a" / "b" / "x.csv")})
    with pytest.raises(RuntimeError), sink.open(schema):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("theirs", [False, True])
def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: bool) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path, batch = tmp_path / "x.csv", pa.record_batch({"x": [1]})
    if theirs:
        with pytest.raises(DataError, match="File exists"), open_sink({"path": str(path)}).open(batch.schema):
            path.write_text("theirs")
        assert path.read_text() == "theirs"
    else:
        write(path, pa.table({"x": [1]}))
        assert read(path).to_pylist() == [{"x": "1"}]
    assert [item.name for item in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/proc/self/mem", "pipe"])
def test_a_source_that_is_no_regular_file(tmp_path: Path, path: str) -> None:
    if path == "pipe":
        path = str(tmp_path / "pipe")
        os.mkfifo(path)
    with pytest.raises(DataError) as caught:
        open_source({"path": path, "use": "csv"})
    assert str(caught.value) == (
        f"{path}: this is no regular file; write the rows to a file first, and read that"
    )


def test_a_single_file_may_have_any_name_if_its_format_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a\n1\n")
    found = find(tmp_path / "x.txt", DISK, {".csv": "csv"}, "csv")
    assert (found.format, *map(str, found.files)) == ("csv", str(tmp_path / "x.txt"))


@pytest.mark.parametrize("ending", [".csv.gz", ".jsonl.zst"])
def test_a_compressed_file_that_is_written_in_one_go(tmp_path: Path, ending: str) -> None:
    rows = pa.table({"x": [1, 2]})
    write(tmp_path / f"out{ending}", rows)
    source = open_source({"path": str(tmp_path / f"out{ending}")})
    assert sum(batch.num_rows for batch in source.batches(["x"], 10)) == 2
