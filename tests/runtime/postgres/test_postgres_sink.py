"""Tables of a real server that are written in one go: what they hold, and when it is there."""

from __future__ import annotations

import datetime
import hashlib
import math
import os
import re
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.errors import ConfigError, DataError
from engine.runtime.io import open_sink, open_source
from engine.sink import Mode, Sink, SinkPlugin, Writer, option, sink
from engine.testing.kit import PluginCheck
from engine.testing.sinks.contract import sink_checks

from .server import URL, Schema, made, missing

ROWS = pa.table(
    {"id": pa.array([1, 2, 3], pa.int64()), "score": pa.array([0.5, None, -math.inf], pa.float32())}
)
KIT = Schema(f"engine_kit_sink_{os.getpid()}")
OF_ROWS = ("reads_back", "unusual_values", "columns", "empty", "batches", "coded", "threads", "batch")
"""The checks of the kit that look at rows, and not at files."""


def section(path: Path) -> dict[str, Any]:
    return KIT.options("t" + hashlib.sha256(str(path).encode()).hexdigest()[:20])


class AsFile:
    """The sink as the kit knows sinks: behind a path, where something is once it is written."""

    extension, is_folder, takes_coded = "", False, True

    def __init__(self, path: Path, mode: Mode) -> None:
        self.path, self.mode = path, mode
        self.sink = open_sink({**section(path), "mode": mode})
        self.check_columns, self.check = self.sink.check_columns, self.sink.check

    def open(self, schema: pa.Schema) -> Writer:
        return Touching(self.sink.open(schema), self.path)


class Touching:
    def __init__(self, writer: Writer, path: Path) -> None:
        self.writer, self.path = writer, path
        self.write = writer.write

    def __enter__(self) -> Touching:
        self.writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.__exit__(kind, error, trace)
        self.path.touch()

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@sink("as_file")
class AsFilePlugin(SinkPlugin):
    """A table behind a path."""

    path: str = option(help="the path")
    mode: Mode = option("error", help="what happens to what is there")

    def open(self) -> Sink:
        return AsFile(Path(self.path), self.mode)


def read_back(path: Path) -> pa.Table:
    source = open_source(section(path))
    return pa.Table.from_batches(source.batches(None, 1000), source.schema)


@pytest.fixture(scope="module")
def kit() -> Iterator[None]:
    if reason := missing(URL):
        pytest.skip(reason)
    with made(KIT):
        yield


@pytest.mark.usefixtures("kit")
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=check.name)
        for check in sink_checks(AsFilePlugin, read=read_back)
        if check.name in OF_ROWS
    ],
)
def test_the_kit(check: PluginCheck) -> None:
    check()


def write(options: dict[str, Any], rows: pa.Table) -> None:
    with open_sink(options).open(rows.schema) as writer:
        for batch in rows.to_batches():
            writer.write(batch)


def test_types(schema: Schema) -> None:
    time = datetime.datetime(2020, 1, 2, 3, 4, 5, 6)
    columns = {
        "bool": ([True, None], pa.bool_(), "boolean", "true"),
        "byte": ([255, None], pa.uint8(), "smallint", "255"),
        "unsigned": ([2**64 - 1, None], pa.uint64(), "numeric", str(2**64 - 1)),
        "half": ([np.float16(0.5), None], pa.float16(), "real", "0.5"),
        "single": ([0.1, None], pa.float32(), "real", "0.1"),
        "double": ([math.nan, None], pa.float64(), "double precision", "NaN"),
        "decimal": ([Decimal("-1.10"), None], pa.decimal128(9, 2), "numeric", "-1.1"),
        "text": (['a"\n\\', None], pa.string_view(), "text", 'a"\n\\'),
        "binary": ([b"\0a", None], pa.large_binary(), "bytea", r"\x0061"),
        "date": ([datetime.date(1969, 1, 1), None], pa.date64(), "date", "1969-01-01"),
        "time": ([datetime.time(1, 2), None], pa.time32("s"), "time without time zone", "01:02:00"),
        "naive": ([time, None], pa.timestamp("ms"), "timestamp without time zone", "2020-01-02 03:04:05"),
        "instant": ([time.replace(tzinfo=UTC), None], pa.timestamp("us", "Asia/Tokyo"),
                    "timestamp with time zone", "2020-01-02 03:04:05.000006+00"),
        "early": ([-1, None], pa.timestamp("ns", "UTC"), "timestamp with time zone",
                  "1969-12-31 23:59:59.999999+00"),
        "null": ([None, None], pa.null(), "text", None),
        'odd "%s" $1\n': ([7, None], pa.int64(), "bigint", "7"),
    }  # fmt: skip
    arrays = [pa.array(values, kind) for values, kind, _, _ in columns.values()]
    arrays[list(columns).index("naive")] = pa.array([time, None], pa.timestamp("us")).cast(
        pa.timestamp("ms"), safe=False
    )
    write(schema.options('"o""dd.t able"'), pa.table(arrays, names=list(columns)))
    kinds = schema.rows(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        f"""WHERE attrelid = '{schema.name}."o""dd.t able"'::regclass AND attnum > 0 ORDER BY attnum"""
    )
    assert kinds == [(name, kind) for name, (_, _, kind, _) in columns.items()]
    listed = ", ".join('"{}"::text'.format(name.replace('"', '""')) for name in columns)
    found = schema.table(f'SELECT {listed} FROM {schema.name}."o""dd.t able"')
    assert [column.to_pylist() for column in found.columns] == [
        [text, None] for _, _, _, text in columns.values()
    ]


def test_error_refuses_a_table_that_is_there(schema: Schema) -> None:
    write(schema.options("t"), ROWS)
    with pytest.raises(DataError, match=r"t: the table exists; to add rows to it: sink\.mode=append"):
        open_sink(schema.options("t")).check()
    late = open_sink(schema.options("u"))
    with pytest.raises(DataError, match="the table exists"), late.open(ROWS.schema) as writer:
        writer.write(ROWS.to_batches()[0])
        schema.run("CREATE TABLE u AS SELECT 1 AS theirs")
    assert schema.rows("SELECT * FROM u") == [(1,)]
    assert schema.tables() == ["t", "u"]


def test_append_and_replace_keep_the_table(schema: Schema) -> None:
    schema.run(
        "CREATE TABLE t (score double precision, id numeric PRIMARY KEY, more text DEFAULT 'x')",
        "CREATE VIEW v AS SELECT count(*) FROM t",
        "GRANT SELECT ON t TO PUBLIC",
        "INSERT INTO t VALUES (9, 9)",
    )
    write(schema.options("t", mode="append"), ROWS)
    assert schema.rows("SELECT id::int, score, more FROM t ORDER BY 1") == [
        (1, 0.5, "x"),
        (2, None, "x"),
        (3, -math.inf, "x"),
        (9, 9.0, "x"),
    ]
    write(schema.options("t", mode="replace"), ROWS.slice(0, 1))
    assert schema.rows("SELECT id::int, score FROM t") == [(1, 0.5)]
    assert schema.rows("SELECT * FROM v") == [(1,)]
    assert schema.rows("SELECT has_table_privilege('pg_monitor', 't', 'SELECT')") == [(True,)]
    with pytest.raises(DataError, match="duplicate key value violates unique constraint") as caught:
        write(schema.options("t", mode="append"), ROWS)
    assert "\n" not in str(caught.value)
    assert schema.rows("SELECT count(*) FROM t") == [(1,)]
    assert schema.tables() == ["t"]


def test_replace_where_nothing_is_makes_the_table(schema: Schema) -> None:
    write(schema.options("t", mode="replace"), ROWS)
    assert schema.rows("SELECT id, score FROM t ORDER BY 1") == [(1, 0.5), (2, None), (3, -math.inf)]


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_table_that_does_not_fit_is_told_before_anything_is_read(schema: Schema, mode: str) -> None:
    schema.run(
        "CREATE TABLE t (id int, needed text NOT NULL, score float8 GENERATED ALWAYS AS (1) STORED)",
        "CREATE VIEW v AS SELECT 1",
    )
    with pytest.raises(DataError) as caught:
        open_sink(schema.options("t", mode=mode)).check_columns(ROWS.schema)
    assert str(caught.value).partition("the table ")[2] == (
        "doesn't take these rows: its column 'id' is integer, and bigint or numeric is needed, its column "
        "'score' is filled by the server alone, its column 'needed' may not be null, and nothing is written "
        "to it; change it, or write to another table"
    )
    with pytest.raises(DataError, match="v is no table"):
        open_sink(schema.options("v", mode=mode)).check()


def test_columns_that_a_table_cannot_hold() -> None:
    sink = open_sink({"use": "postgres", "url": URL, "table": "t"})
    for name, kind, said in (
        ("x", pa.list_(pa.int64()), "can't hold x"),
        ("x", pa.duration("s"), "can't hold x"),
        ("é" * 32, pa.int64(), "is longer than the 63 bytes"),
        ("ctid", pa.int64(), "'ctid' is a name that PostgreSQL keeps for itself"),
        ("", pa.int64(), "can't be a name"),
    ):
        with pytest.raises(DataError, match=said):
            sink.check_columns(pa.schema([(name, kind)]))


def test_readers_see_the_old_or_the_new(schema: Schema) -> None:
    write(schema.options("t"), ROWS)
    with open_sink(schema.options("t", mode="replace")).open(ROWS.schema) as writer:
        for _ in range(5):
            writer.write(ROWS.to_batches()[0])
            assert schema.rows("SELECT count(*) FROM t") == [(3,)]
            assert schema.tables() == ["t"]
    assert schema.rows("SELECT count(*) FROM t") == [(15,)]


@pytest.mark.parametrize("error", [ValueError("out of luck"), KeyboardInterrupt()])
def test_an_exception_leaves_nothing(schema: Schema, error: BaseException) -> None:
    with pytest.raises(type(error)), open_sink(schema.options("t")).open(ROWS.schema) as writer:
        writer.write(ROWS.to_batches()[0])
        raise error
    assert schema.tables() == []


def test_a_lost_connection_is_told(schema: Schema) -> None:
    with (
        pytest.raises(DataError) as caught,
        open_sink(schema.options("t")).open(ROWS.schema) as writer,
    ):
        writer.write(ROWS.to_batches()[0])
        ended = schema.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE pid <> pg_backend_pid() AND query LIKE 'COPY%{schema.name}%'"
        )
        assert ended == [(True,)]
        writer.write(ROWS.to_batches()[0])
    assert re.search(r"t: .*(connection|terminat)", str(caught.value)) and "\n" not in str(caught.value)
    assert schema.tables() == []


def test_text_that_no_server_holds_is_told(schema: Schema) -> None:
    with pytest.raises(DataError, match='invalid byte sequence for encoding "UTF8": 0x00') as caught:
        write(schema.options("t"), pa.table({"text": ["a\0b"]}))
    assert "\n" not in str(caught.value)


def test_rights_are_needed(schema: Schema) -> None:
    schema.run(
        "CREATE TABLE t (id bigint, score real)",
        f"DO $$ BEGIN CREATE ROLE {schema.name} LOGIN; END $$",
        f"GRANT USAGE ON SCHEMA {schema.name} TO {schema.name}",
    )
    url = re.sub(r"//.*@", f"//{schema.name}:secret@", URL)
    try:
        with pytest.raises(DataError, match="no right to make tables in the schema"):
            open_sink(schema.options("u", url=url)).check()
        with pytest.raises(DataError, match="permission denied for table t; ask who owns it"):
            open_source(schema.options("t", url=url))
        schema.run(f"GRANT CREATE ON SCHEMA {schema.name} TO {schema.name}")
        with pytest.raises(DataError, match="no right to INSERT in the table") as caught:
            open_sink(schema.options("t", url=url, mode="append")).check()
        assert "secret" not in str(caught.value)
        schema.run(f"GRANT INSERT ON t TO {schema.name}")
        write(schema.options("t", url=url, mode="append"), ROWS)
        assert schema.rows("SELECT count(*) FROM t") == [(3,)]
    finally:
        schema.run(f"DROP OWNED BY {schema.name}", f"DROP ROLE {schema.name}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "host=db password=secret", "table": "t"}, "sink.url: expected postgresql://"),
        ({"url": "postgresql://me:secret@db/x", "table": "a..b"}, "sink.table: expected a table"),
        ({"url": "postgresql://me:secret@db/x", "table": "t", "mode": "upsert"}, "sink.mode"),
    ],
)
def test_mistakes_in_options(options: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_sink({"use": "postgres", **options})
    assert said in str(caught.value) and "secret" not in str(caught.value)


def test_no_password_is_shown() -> None:
    url = "postgresql://me:secret@db.example:5433/shop?sslmode=require&password=secret"
    opened = open_sink({"use": "postgres", "url": url, "table": "risk.scores"})
    assert opened.path == "postgresql://db.example:5433/shop risk.scores"
    assert "secret" not in repr(opened) + str(vars(opened))
