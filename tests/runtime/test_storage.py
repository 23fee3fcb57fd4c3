"""Sources of files in a store and of compressed text: the same rows, read as they are on this machine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import ConfigError, DataError
from engine.runtime.io import FileSource, open_source
from engine.runtime.io.jsonl import JsonlReader
from engine.runtime.io.options import bind_source
from engine.runtime.io.piece import InputChanged
from engine.runtime.io.storage import address_of, storage_of
from engine.source import PiecedSource
from tests.runtime.s3 import KEYS, S3Server

TABLE = pa.table({"n": range(300), "c": [f"c{i % 7}" for i in range(300)]})


def rows_of(source: Any) -> list[Any]:
    return [row for batch in source.batches(None, 50) for row in batch.to_pylist()]


@pytest.fixture
def lake(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], str]]:
    """Puts an object into a bucket, and gives its URL."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    bucket = s3.bucket()

    def put(key: str, content: bytes) -> str:
        return s3.put(bucket, key, content)

    yield put


def content(kind: str) -> bytes:
    out = pa.BufferOutputStream()
    if kind == "parquet":
        pq.write_table(TABLE, out, row_group_size=100, write_page_checksum=True)
    elif kind == "arrow":
        with pa.ipc.new_file(out, TABLE.schema) as writer:
            writer.write_table(TABLE, max_chunksize=100)
    elif kind == "csv":
        return b"n,c\n" + b"".join(b"%d,%b\n" % (row["n"], row["c"].encode()) for row in TABLE.to_pylist())
    else:
        return b"".join(json.dumps(row).encode() + b"\n" for row in TABLE.to_pylist())
    return bytes(out.getvalue())


def expected(kind: str) -> list[Any]:
    return (
        [{"n": str(r["n"]), "c": r["c"]} for r in TABLE.to_pylist()] if kind == "csv" else TABLE.to_pylist()
    )


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "jsonl"])
def test_a_folder_of_a_bucket_is_read_as_one_of_this_machine(
    lake: Callable[[str, bytes], str], kind: str
) -> None:
    lake(f"in/a.{kind}", content(kind))
    second = lake(f"in/b.{kind}", content(kind))
    lake("in/_engine/1.csv", b"x\n1\n")
    lake(f"in/deeper/c.{kind}", content(kind))
    folder = second.rpartition("/")[0]
    source = open_source({"path": folder})
    assert isinstance(source, PiecedSource)
    assert source.files() == (f"{folder}/a.{kind}", f"{folder}/b.{kind}")
    assert rows_of(source) == expected(kind) * 2
    assert source.place(301) == f"{second}, row 1"
    pieces = source.pieces()
    assert {piece.file for piece in pieces} == set(source.files())
    plugin = bind_source({"use": kind, "path": folder})
    part = plugin.part([piece for piece in pieces if piece.file == second])
    assert rows_of(part) == expected(kind)
    assert part.locate(299) == (second, 299)
    assert rows_of(open_source({"path": second})) == expected(kind)


def test_an_object_that_changed_is_refused(lake: Callable[[str, bytes], str]) -> None:
    url = lake("a.csv", b"a\n1\n")
    source = open_source({"path": url})
    assert isinstance(source, PiecedSource)
    pieces = source.pieces()
    lake("a.csv", b"a\n1\n2\n")
    with pytest.raises(InputChanged, match=rf"{url}: changed since the run was planned \(size 4 → 6\)"):
        source.part(pieces)


def test_a_range_of_lines_is_read_from_a_bucket(lake: Callable[[str, bytes], str]) -> None:
    url = lake("a.jsonl", content("jsonl"))
    source = FileSource(url, [storage_of(url).file(url)], JsonlReader(cut=1000))
    pieces = source.pieces()
    assert len(pieces) > 5
    assert [row for piece in pieces for row in rows_of(source.part([piece]))] == expected("jsonl")


def test_what_a_store_refuses_is_said_in_a_line(
    lake: Callable[[str, bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = lake("in/flights.csv", b"a\n1\n")
    bucket = url.removesuffix("/in/flights.csv")
    lake("in/none.csv", b"")
    for path, message in (
        (
            f"{bucket}/in/flihgts.csv",
            f"{bucket}/in/flihgts.csv: no such file or folder. Did you mean 'flights.csv'?",
        ),
        (
            "s3://nowhere-to-be-found/a.csv",
            "no such file or folder; there is no bucket 'nowhere-to-be-found'",
        ),
        (f"{bucket}/in/none.csv", "the file is empty (0 bytes)"),
        ("s3:///a.csv", "the URL names no bucket; write s3://bucket/folder"),
        (
            "s4://a/b.csv",
            "files of s4:// can't be read; there are s3, gs, az, abfs, abfss, file. Did you mean 's3'?",
        ),
        ("file://host/a.csv", "names another machine, 'host'; write file:///PATH"),
    ):
        with pytest.raises(DataError) as caught:
            open_source({"path": path})
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"the store can't be reached; check source.storage.endpoint"):
        open_source({"path": url, "storage": {"endpoint": "http://127.0.0.1:9"}})


def test_how_a_store_is_reached_can_be_said(
    lake: Callable[[str, bytes], str], s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = lake("a.csv", b"a\n1\n")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    storage = {"endpoint": s3.endpoint, "region": "us-east-1", "anonymous": True}
    assert rows_of(open_source({"path": url, "storage": storage})) == [{"a": "1"}]
    for wrong, message in (
        (
            {"endpont": "x"},
            "source.storage: has no key 'endpont'. Did you mean 'endpoint'? There are endpoint, region",
        ),
        ({"anonymous": "yes"}, "source.storage: anonymous must be true or false, not 'yes'"),
        ({"endpoint": "localhost:9"}, "write it with its protocol, as in http://localhost:9"),
    ):
        for use in ("auto", "csv"):
            with pytest.raises(ConfigError) as caught:
                open_source({"use": use, "path": url, "storage": wrong})
            assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_compressed_text_is_one_piece(tmp_path: Path, kind: str, ending: str) -> None:
    raw = content(kind)
    half = raw.index(b"\n", len(raw) // 2) + 1
    if ending == "gz":  # as `cat a.gz b.gz` gives it
        packed = gzip.compress(raw[:half]) + gzip.compress(raw[half:])
    else:
        packed = pa.compress(raw, "zstd", asbytes=True)
    file = tmp_path / f"rows.{kind}.{ending}"
    file.write_bytes(packed)
    source = open_source({"path": str(tmp_path)})
    assert isinstance(source, PiecedSource)
    assert rows_of(source) == expected(kind)
    (piece,) = source.pieces()
    assert piece.of == "file"
    assert rows_of(source.part([piece])) == expected(kind)
    whole = open_source({"path": str(file), **({"multiline": False} if kind == "csv" else {})})
    assert rows_of(whole) == expected(kind)
    file.write_bytes(packed[:-12])
    with pytest.raises(DataError, match=f"rows.{kind}.{ending}: can't be read"):
        rows_of(open_source({"path": str(file)}))
    file.write_bytes(b"n,c\n1,2\n" * 5)
    with pytest.raises(DataError, match=f"rows.{kind}.{ending}: can't be read"):
        rows_of(open_source({"path": str(file)}))


def test_compressed_text_is_read_from_a_bucket(lake: Callable[[str, bytes], str]) -> None:
    url = lake("a.csv.gz", gzip.compress(content("csv")))
    assert rows_of(open_source({"path": url})) == expected("csv")


def test_an_address_is_a_path_or_a_url(tmp_path: Path) -> None:
    assert address_of("data/a.csv") == Path("data/a.csv")
    assert address_of("s3://lake/a b.csv") == "s3://lake/a b.csv"
    (tmp_path / "a b.csv").write_text("a\n1\n")
    url = (tmp_path / "a b.csv").as_uri()
    assert rows_of(open_source({"path": url})) == [{"a": "1"}]
