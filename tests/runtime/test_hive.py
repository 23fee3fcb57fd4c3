"""Folders named key=value, and patterns: which files are read, and which columns their folders tell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from engine.runtime.io import open_source
from engine.runtime.io.options import bind_source
from engine.source import PiecedSource
from tests.runtime.s3 import KEYS, S3Server


def put(file: Path, n: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        pq.write_table(pa.table({"n": [n, n + 1]}), file)
    elif file.suffix == ".csv":
        file.write_text(f"n\n{n}\n{n + 1}\n")
    else:
        file.write_text(f'{{"n": {n}}}\n{{"n": {n + 1}}}\n')


def rows_of(source: Any, columns: list[str] | None = None, coded: tuple[str, ...] = ()) -> list[Any]:
    return [row for batch in source.batches(columns, 50, coded) for row in batch.to_pylist()]


def test_keys_of_folders_are_columns(tmp_path: Path) -> None:
    put(tmp_path / "year=2013/city=S%C3%A3o Paulo%2FSP/a.parquet", 1)
    put(tmp_path / "year=2013/city=12/a.parquet", 3)
    put(tmp_path / "year=__HIVE_DEFAULT_PARTITION__/city=__HIVE_DEFAULT_PARTITION__/b.parquet", 5)
    put(tmp_path / "_engine/year=1/city=x/c.parquet")
    put(tmp_path / "year=2013/_temporary/c.parquet")
    put(tmp_path / "plain/c.parquet")
    source = open_source({"path": str(tmp_path)})
    assert source.schema.names == ["n", "year", "city"]
    assert source.schema.types == [pa.int64(), pa.int64(), pa.string()]
    assert source.rows == 6
    found = rows_of(source)
    assert found == [
        {"n": 3, "year": 2013, "city": "12"},
        {"n": 4, "year": 2013, "city": "12"},
        {"n": 1, "year": 2013, "city": "São Paulo/SP"},
        {"n": 2, "year": 2013, "city": "São Paulo/SP"},
        {"n": 5, "year": None, "city": None},
        {"n": 6, "year": None, "city": None},
    ]
    assert rows_of(source, ["city", "n"], ("city",)) == [{"city": r["city"], "n": r["n"]} for r in found]
    assert rows_of(source, ["year"]) == [{"year": row["year"]} for row in found]
    coded = next(iter(source.batches(["city"], 10, ["city"])))
    assert pa.types.is_dictionary(coded.schema.field(0).type)
    assert sum(batch.num_rows for batch in source.batches([], 10)) == 6
    assert isinstance(source, PiecedSource)
    part = bind_source({"use": "parquet", "path": str(tmp_path)}).part(source.pieces())
    assert rows_of(part) == found
    assert part.schema == source.schema


@pytest.mark.parametrize(("kind", "month"), [("csv", "01"), ("jsonl", 1), ("parquet", 1)])
def test_a_source_of_text_gives_keys_as_text(tmp_path: Path, kind: str, month: object) -> None:
    put(tmp_path / f"month=01/a.{kind}")
    put(tmp_path / f"month=12/a.{kind}")
    source = open_source({"path": str(tmp_path)})
    assert rows_of(source, ["month"])[0] == {"month": month}
    assert [field.type for field in source.schema if field.name == "month"] == [
        pa.string() if kind == "csv" else pa.int64()
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a=1/x.csv", "x.csv"], "the folders disagree in their keys: a=1/x.csv has a, x.csv has none"),
        (["a=1/x.csv", "b=1/x.csv"], "the folders disagree in their keys: a=1/x.csv has a, b=1/x.csv has b"),
        (["a=1/a=2/x.csv"], "the key 'a' is twice in a=1/a=2"),
        (
            ["n=1/x.csv"],
            "'n' is a column of the file and a key of its folder; rename the folders, or read each",
        ),
        (
            ["a=1/x.csv", "a=2/x.jsonl"],
            "the folder holds 1 csv and 1 jsonl files; say which with source.use=",
        ),
        (["a=1/x.txt"], "the folder holds no data files (.parquet"),
    ],
)
def test_folders_that_do_not_go_together(tmp_path: Path, files: list[str], message: str) -> None:
    for file in files:
        put(tmp_path / file)
    with pytest.raises(DataError) as caught:
        open_source({"path": str(tmp_path)})
    assert message in str(caught.value)


@pytest.fixture
def months(tmp_path: Path) -> Path:
    for name in (
        "2013-01.parquet",
        "2013-02.parquet",
        "2014-01.parquet",
        "deep/er/2013-03.parquet",
        "notes.txt",
    ):
        put(tmp_path / "data" / name)
    put(tmp_path / "data" / "_old" / "2013-04.parquet")
    put(tmp_path / "data" / "_2013-05.parquet")
    put(tmp_path / "data" / "year=1" / "2013-06.parquet")
    return tmp_path


PATTERNS = [
    ("data/2013-*.parquet", ["2013-01", "2013-02"]),
    ("data/201[34]-01.parquet", ["2013-01", "2014-01"]),
    ("data/201?-0*", ["2013-01", "2013-02", "2014-01"]),
    ("data/_*.parquet", ["_2013-05"]),
    ("data/deep/**/*.parquet", ["2013-03"]),
    ("data/**/er/*", ["2013-03"]),
    ("*/2014-*", ["2014-01"]),
    ("data/year=*/*.parquet", ["2013-06"]),
    ("data/deep/**", ["2013-03"]),
]


@pytest.mark.parametrize(("pattern", "names"), PATTERNS)
def test_a_pattern_stands_for_files(
    months: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, names: list[str]
) -> None:
    for path in (pattern, str(months / pattern)):
        monkeypatch.chdir(months)
        source = open_source({"path": path})
        assert [Path(file).stem for file in source.files()] == names
    assert source.schema.names == (["n", "year"] if "year=" in pattern else ["n"])


@pytest.mark.parametrize(("pattern", "names"), PATTERNS)
def test_a_pattern_stands_for_objects(
    months: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, pattern: str, names: list[str]
) -> None:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    bucket = s3.bucket()
    for folder, _, files in os.walk(months):
        for file in files:
            path = Path(folder, file)
            s3.put(bucket, str(path.relative_to(months)), path.read_bytes())
    source = open_source({"path": f"s3://{bucket}/{pattern}"})
    assert [Path(str(file)).stem for file in source.files()] == names
    assert len(rows_of(source)) == 2 * len(names)
    if pattern == "data/year=*/*.parquet":
        assert rows_of(source, ["year"]) == [{"year": 1}] * 2
        assert rows_of(open_source({"path": f"s3://{bucket}/data/year=1"})) == [{"n": 1}, {"n": 2}]


def test_what_has_the_name_is_meant_first(tmp_path: Path) -> None:
    put(tmp_path / "a[1].csv", 10)
    put(tmp_path / "a1.csv", 20)
    assert rows_of(open_source({"path": str(tmp_path / "a[1].csv")}))[0] == {"n": "10"}
    put(tmp_path / "b*" / "x.csv", 30)
    assert rows_of(open_source({"path": str(tmp_path / "b*")}))[0] == {"n": "30"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("data/2015-*.parquet", "no data file matches (.parquet, "),
        ("data/2015-*.parquet", "data holds "),
        ("data/*.txt", "of notes.txt, which match, none is one"),
        ("dta/*.parquet", "there is no folder "),
        ("data/deep/*.parquet", "deep holds no files; ** looks into its folders"),
    ],
)
def test_a_pattern_that_matches_nothing(months: Path, pattern: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        open_source({"path": str(months / pattern)})
    assert message in str(caught.value)
