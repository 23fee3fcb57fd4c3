"""Tables and queries of a real server, as rows to score."""

from __future__ import annotations

import datetime
import math
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.api import build
from engine.config.config import Config
from engine.errors import ConfigError, DataError
from engine.runtime.io import open_source
from engine.runtime.io.postgres.address import Address
from engine.testing import parametrize_sources

from .server import URL, Schema, made, missing

KIT_ROWS = pa.table(
    {
        "id": pa.array(range(300), pa.int64()),
        'it\'s "x"': pa.array([None if i % 7 == 0 else i / 8 for i in range(300)], pa.float64()),
        "word": pa.array([None if i % 5 == 0 else f"w {i % 3}" for i in range(300)]),
        "at": pa.array(
            [datetime.datetime(2020, 1, 1, i % 24) for i in range(300)], pa.timestamp("us", "UTC")
        ),
    }
)
KIT = Schema(f"engine_kit_{os.getpid()}")


@pytest.fixture(scope="module")
def kit_rows() -> Iterator[None]:
    """The rows that the kit reads."""
    if reason := missing(URL):
        pytest.skip(reason)
    with made(KIT):
        KIT.run(
            'CREATE TABLE "kit.rows" AS SELECT i AS id, CASE WHEN i % 7 <> 0 THEN i / 8.0::float8 END'
            ' AS "it\'s ""x""", CASE WHEN i % 5 <> 0 THEN \'w \' || i % 3 END AS word,'
            " timestamptz '2020-01-01 00:00:00+00' + make_interval(hours => (i % 24)::int) AS at"
            " FROM generate_series(0::bigint, 299) AS i"
        )
        yield


@pytest.mark.usefixtures("kit_rows")
@parametrize_sources(
    ["postgres"], given={"postgres": {"url": URL, "table": f'{KIT.name}."kit.rows"', "rows": KIT_ROWS}}
)
def test_the_kit(check: Callable[[], None]) -> None:
    check()


def read(schema: Schema, table: str, columns: list[str] | None = None, batch_rows: int = 1000) -> pa.Table:
    source = open_source(schema.options(table))
    return pa.Table.from_batches(list(source.batches(columns, batch_rows)))


def query(text: str) -> pa.Table:
    source = open_source({"use": "postgres", "url": URL, "query": text})
    batches = list(source.batches(None, 1000))
    return pa.Table.from_batches(batches) if batches else source.schema.empty_table()


def test_types(schema: Schema) -> None:
    uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    naive, instant = datetime.datetime(2020, 1, 2, 3, 4, 5, 6), datetime.datetime(2020, 1, 2, 1, tzinfo=UTC)
    values = {
        "bool": ("boolean", "true", True, pa.bool_()),
        "two": ("int2", "-2", -2, pa.int16()),
        "four": ("int4", "4", 4, pa.int32()),
        "eight": ("int8", "9223372036854775807", 2**63 - 1, pa.int64()),
        "real": ("float4", "'-inf'", -math.inf, pa.float32()),
        "double": ("float8", "0.1", 0.1, pa.float64()),
        "numeric": ("numeric", "123456789.123456789012345", 123456789.123456789012345, pa.float64()),
        "price": ("numeric(12,2)", "1.10", 1.1, pa.float64()),
        "money": ("money", "1.5", 1.5, pa.float64()),
        "text": ("text", "$$ü\"'$$", "ü\"'", pa.string()),
        "varchar": ("varchar(5)", "'abc  '", "abc  ", pa.string()),
        "char": ("char(5)", "'abc'", "abc", pa.string()),
        "date": ("date", "'1969-12-31'", datetime.date(1969, 12, 31), pa.date32()),
        "naive": ("timestamp", f"'{naive}'", naive, pa.timestamp("us")),
        "instant": ("timestamptz", "'2020-01-02 03:00+02'", instant, pa.timestamp("us", "UTC")),
        "time": ("time", "'01:02:03'", datetime.time(1, 2, 3), pa.time64("us")),
        "enum": ("mood", "'so so'", "so so", pa.string()),
        "domain": ("share", "0.5", 0.5, pa.float64()),
        "uuid": ("uuid", f"'{uuid}'", uuid, pa.string()),
        "json": ("json", "'{\"a\":  1}'", '{"a":  1}', pa.string()),
        "jsonb": ("jsonb", "'{\"a\":  1}'", '{"a": 1}', pa.string()),
        "bytes": ("bytea", r"'\x0061'", b"\0a", pa.binary()),
        "oid": ("oid", "4294967295", 2**32 - 1, pa.int64()),
        "inet": ("inet", "'10.0.0.1'", "10.0.0.1/32", pa.string()),
    }
    schema.run(
        "CREATE TYPE mood AS ENUM ('so so')",
        "CREATE DOMAIN share AS float8 CHECK (value <= 1)",
        "CREATE TABLE t ({})".format(", ".join(f'"{name}" {kind}' for name, (kind, *_) in values.items())),
        f"INSERT INTO t VALUES ({', '.join(text for _, text, _, _ in values.values())})",
        "INSERT INTO t DEFAULT VALUES",
    )
    found = read(schema, "t")
    assert found.schema == pa.schema([(name, kind) for name, (*_, kind) in values.items()])
    assert found.to_pylist() == [
        {name: value for name, (_, _, value, _) in values.items()},
        dict.fromkeys(values),
    ]
    assert read(schema, "t", ["uuid", "two"]).column_names == ["uuid", "two"]
    assert open_source(schema.options("t")).rows is None


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.decimals(allow_nan=False, allow_infinity=False, places=20),
            st.floats(allow_nan=False, allow_infinity=False).map(Decimal),
            st.decimals(-(10**18), 10**18, places=3),
        ),
        min_size=1,
        max_size=50,
    )
)
def test_a_numeric_is_the_nearest_float(schema: Schema, numbers: list[Decimal]) -> None:
    # the server keeps 16,383 digits behind the point, and Python's text of a Decimal is exact
    listed = ", ".join(f"({i}, {number:f}::numeric)" for i, number in enumerate(numbers))
    found = query(f"SELECT n FROM (VALUES {listed}) AS t (i, n) ORDER BY i")
    assert found["n"].to_pylist() == [float(number) for number in numbers]


def test_numerics_that_are_no_decimals(schema: Schema) -> None:
    found = query("SELECT 'NaN'::numeric a, 'Infinity'::numeric b, '-Infinity'::numeric c, 1e400::numeric d")
    a, b, c, d = (column[0].as_py() for column in found.columns)
    assert math.isnan(a) and (b, c, d) == (math.inf, -math.inf, math.inf)


@pytest.mark.parametrize("value", ["'infinity'::date", "'-infinity'::timestamp", "'infinity'::timestamptz",
                                   "'294276-12-31'::timestamp"])  # fmt: skip
def test_infinite_times_are_told(schema: Schema, value: str) -> None:
    with pytest.raises(DataError, match="the column 'until' holds 'infinity'"):
        query(f"SELECT {value} AS until")
    source = open_source({"use": "postgres", "url": URL, "query": f"SELECT {value} AS until, 1 AS x"})
    assert [batch.to_pylist() for batch in source.batches(["x"], 10)] == [[{"x": 1}]]


def test_a_query() -> None:
    if reason := missing(URL):
        pytest.skip(reason)
    series = "WITH t AS (SELECT i FROM generate_series(1, 5) AS i)"
    found = query(f"{series} SELECT i, 'a' AS \"b c\" FROM t ORDER BY i DESC; ")
    assert found.to_pydict() == {"i": [5, 4, 3, 2, 1], "b c": ["a"] * 5}
    assert query("SELECT 1 AS x -- the last word").to_pydict() == {"x": [1]}
    assert query("SELECT 1 AS x WHERE false").to_pydict() == {"x": []}


def test_what_a_pipeline_cannot_use_is_refused_only_when_read(schema: Schema) -> None:
    schema.run(
        "CREATE TABLE t (x float8, gap interval, many int[])", "INSERT INTO t VALUES (1, '1 day', '{1}')"
    )
    source = open_source(schema.options("t"))
    pipeline = build(Config({"name": "t", "inputs": {"x": "number"}, "outputs": ["x"], "stages": {}}))
    pipeline.check_schema(source.schema, str(source.path))
    for name in ("gap", "many"):
        other = build(Config({"name": "t", "inputs": {name: "number"}, "outputs": [name], "stages": {}}))
        with pytest.raises(DataError, match=f"{name}: expected a number"):
            other.check_schema(source.schema, str(source.path))


def test_a_reading_sees_one_state(schema: Schema) -> None:
    schema.run("CREATE TABLE t AS SELECT i, repeat('x', 100) AS pad FROM generate_series(1, 400000) AS i")
    batches = iter(open_source(schema.options("t")).batches(["i"], 1000))
    first = next(batches)
    schema.run("UPDATE t SET i = -i", "DELETE FROM t WHERE i < -10")
    rest = [value for batch in batches for value in batch["i"].to_pylist()]
    assert first["i"].to_pylist() + rest == list(range(1, 400_001))


def test_a_reading_that_is_left_holds_nothing(schema: Schema) -> None:
    schema.run("CREATE TABLE t AS SELECT i FROM generate_series(1, 3000000) AS i")
    batches = iter(open_source(schema.options("t")).batches(None, 10))
    next(batches)
    del batches
    schema.run("SET lock_timeout = '5s'", "DROP TABLE t")


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    if reason := missing(URL):
        pytest.skip(reason)
    code = f"""
import resource
from engine.runtime.io import open_source
from engine.runtime.io.postgres.address import Address
rows = "SELECT i, repeat('x', 200) AS pad FROM generate_series(1, 3000000) AS i"
source = open_source({{"use": "postgres", "url": {URL!r}, "query": rows}})
batches = source.batches(None, 65536)
next(batches)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(batch.num_rows for batch in batches), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rows, grown = map(int, found.stdout.split())
    assert rows == 3_000_000 - 65_536
    assert grown < 150_000  # kilobytes; the rows are 600 MB


def test_where_something_is_wrong(schema: Schema) -> None:
    schema.run("CREATE TABLE flights (x int, y int)")
    me = "postgresql://me:secret"
    asked = {
        "SELECT z FROM (VALUES (1)) AS t (x)": 'column "z" does not exist',
        "SELECT 1; SELECT 2": 'syntax error at or near ";"',
        f"DELETE FROM {schema.name}.flights RETURNING x": "syntax error",
    }
    near = f"does not exist. Did you mean '{schema.name}.flights'?"
    cases = [
        *(({"use": "postgres", "url": URL, "query": text}, said) for text, said in asked.items()),
        (schema.options("flihgts"), near),
        (schema.options("t", url=f"{me}@127.0.0.1:1/test"), "no connection: connection to server"),
        (schema.options("t", url=f"{URL}?nonsense=secret"), "isn't what a connection of PostgreSQL takes"),
        (schema.options("t", url=f"{me}@nowhere.invalid/x"), "could not translate host name"),
        (schema.options("t", url=re.sub(r"//.*@", "//nobody:secret@", URL)), 'role "nobody" does not exist'),
    ]
    for section, said in cases:
        with pytest.raises(DataError) as caught:
            open_source(section)
        text = str(caught.value)
        assert said in text and "\n" not in text and "secret" not in text and "SQLSTATE" not in text
    source = open_source(schema.options("flights"))
    with pytest.raises(DataError, match="there is no column 'z'"):
        source.batches(["z"], 10)
    twice = open_source({"use": "postgres", "url": URL, "query": "SELECT 1 AS x, 2 AS x, 3 AS y"})
    assert [batch.to_pylist() for batch in twice.batches(["y"], 10)] == [[{"y": 3}]]
    with pytest.raises(DataError, match="2 columns are named 'x'"):
        twice.batches(None, 10)


def test_a_fault_behind_the_first_rows_is_told() -> None:
    if reason := missing(URL):
        pytest.skip(reason)
    text = "SELECT 1 / (i - 90000) AS x FROM generate_series(1, 100000) AS i"
    with pytest.raises(DataError, match=r"query: division by zero$"):
        query(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "mysql://me:secret@host/db", "table": "t"}, "source.url: expected postgresql://"),
        ({"url": "postgresql://me:sec@ret@host/db", "table": "t"}, "write '@' as %40"),
        ({"url": "postgresql://me:secret/x@host/db", "table": "t"}, "write '@' as %40"),
        ({"url": "postgresql://me:secret%zz@host/db", "table": "t"}, "must stand in front of two hex digits"),
        ({"url": "postgresql://me:secret@host/db"}, "source: either 'table' or 'query' is needed"),
        ({"url": "postgresql://me:secret@host/db", "table": "t", "query": "SELECT 1"}, "and not both"),
        ({"url": "postgresql://me:secret@host/db", "table": "a.b.c"}, "source.table: expected a table"),
        ({"url": "postgresql://me:secret@host/db", "table": "t" * 64}, "longer than the 63 bytes"),
    ],
)
def test_mistakes_in_options(options: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source({"use": "postgres", **options})
    assert said in str(caught.value)
    assert "secret" not in str(caught.value) and "ret@" not in str(caught.value)


def test_a_server_that_never_answers_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:secret@127.0.0.1:{silent.getsockname()[1]}/test?connect_timeout=2"
        started = time.monotonic()
        with pytest.raises(DataError, match=r"no connection: .*timeout") as caught:
            open_source({"use": "postgres", "url": url, "table": "t"})
        assert time.monotonic() - started < 10 and "secret" not in str(caught.value)


def test_limits_are_added_to_an_address_that_has_none() -> None:
    assert "connect_timeout=10&" in Address("postgresql://h/d").complete
    assert Address("postgresql://h/d?connect_timeout=3").complete.count("connect_timeout") == 1
