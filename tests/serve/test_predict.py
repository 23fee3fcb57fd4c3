"""/predict and its like: rows as JSON, answered as the pipeline answers them, to the bit."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import RowError
from engine.pipeline import Pipeline

from .conftest import homes
from .running import Server, until

ROW = {"id": "x", "size": 80.5, "rooms": 3, "age": 12, "city": "Bath", "sold": "2021-05-01T00:00:00Z"}

NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["inf", "-inf", -0.0, 0, 1e308, 5e-324]),
)  # fmt: skip
TEXTS = st.one_of(st.none(), st.sampled_from(["Bath", "Leeds", "Łódź", "", "nowhere"]), st.text(max_size=5))
TIMES = st.one_of(
    st.none(),
    st.integers(-(10**15), 10**15),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda t: f"{t.isoformat()}Z"),
)
WRONG = st.sampled_from(["12", [1], {"a": 1}, "abc", True, 1e300])
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(NUMBERS, TEXTS, st.just([1, {"deep": [None, "inf"]}])),
        "size": st.one_of(NUMBERS, WRONG),
        "rooms": NUMBERS,
        "age": NUMBERS,
        "city": st.one_of(TEXTS, WRONG),
        "sold": st.one_of(TIMES, WRONG),
        "note": TEXTS,
        "other": NUMBERS,
    },
)


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of JSON as `predict_one` takes it: infinities are numbers there."""
    found = dict(row)
    for name in ("size", "rooms", "age"):
        if found.get(name) in ("inf", "-inf"):
            found[name] = float(found[name])
    if type(found.get("sold")) is float and found["sold"].is_integer():
        found["sold"] = int(found["sold"])
    return found


def expected(pipeline: Pipeline, row: dict[str, Any]) -> dict[str, Any]:
    """What is to be answered, as JSON reads it."""
    try:
        answer = pipeline.predict_one(plain(row))
    except RowError as error:
        return {"error": str(error), "code": error.code, "column": error.column}
    return {name: spelt(value) for name, value in answer.items()}


def spelt(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def bits(value: Any) -> Any:
    """A value that is equal to another only where its bits are."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {name: bits(inner) for name, inner in value.items()}
    return [bits(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(row=ROWS)
def test_a_row_is_answered_as_predict_one_answers_it(server: Server, pipeline: Pipeline, row: Any) -> None:
    found = server.predict(row)
    wanted = expected(pipeline, row)
    assert found.status == (422 if "error" in wanted else 200)
    if "error" in wanted:
        assert (found.json["code"], found.json["column"]) == (wanted["code"], wanted["column"])
    else:
        assert bits(found.json) == bits(wanted)
    assert found.version == pipeline.version


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROWS, max_size=30))
def test_an_array_has_an_answer_or_an_error_in_each_place(
    server: Server, pipeline: Pipeline, rows: list[Any]
) -> None:
    found = server.predict(rows)
    assert found.status == 200
    assert len(found.json) == len(rows)
    for row, answer in zip(rows, found.json, strict=True):
        wanted = expected(pipeline, row)
        if "error" in wanted:
            assert (answer["code"], answer["column"]) == (wanted["code"], wanted["column"])
            assert answer["error"]
        else:
            assert bits(answer) == bits(wanted)


def test_many_rows_have_the_bits_of_a_table(server: Server, pipeline: Pipeline) -> None:
    table = homes(3000, seed=3).drop_columns(["price"])
    rows = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    found = server.predict(rows)
    assert found.status == 200, server.lines[-3:]
    assert bits(found.json) == bits(pipeline.predict_many(table).to_pylist())


def test_invocations_is_the_same(server: Server) -> None:
    assert server.ask("POST", "/invocations", ROW).json == server.predict(ROW).json
    assert server.ask("GET", "/ping").status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_may_be_packed_both_ways(server: Server, coding: str) -> None:
    rows = [ROW] * 200
    squeeze = gzip.compress if coding == "gzip" else zlib.compress
    packed = server.ask(
        "POST",
        "/predict",
        squeeze(json.dumps(rows).encode()),
        {"content-encoding": coding, "accept-encoding": coding},
    )
    assert packed.headers["content-encoding"] == coding
    opened = gzip.decompress(packed.body) if coding == "gzip" else zlib.decompress(packed.body)
    assert json.loads(opened) == server.predict(rows).json


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (b"3", 400, "found a number"),
        (b'"x"', 400, "found a text"),
        (b"[1]", 400, "row 0 is no object"),
        (b"[{}, null]", 400, "row 1 is no object"),
        (b'{"a": NaN}', 400, "NaN"),
        (b"\xff\xfe", 400, "UTF-8"),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b'{"id": ' + b"[" * 5000 + b"]" * 5000 + b', "rooms": 1}', 400, "nested too deeply"),
        (b"1" * 6000, 400, "JSON"),
    ],
)
def test_what_is_no_row_is_said_to_be_none(server: Server, body: bytes, status: int, says: str) -> None:
    found = server.ask("POST", "/predict", body)
    assert found.status == status
    assert found.headers["content-type"] == "application/json"
    assert says in found.json["error"]
    assert set(found.json) == {"error", "code", "column"}


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [ROW]},
        {"dataframe_split": {"columns": ["rooms"], "data": [[1]]}},
        {"inputs": [ROW], "parameters": {}},
    ],
)
def test_other_servers_wrapping_is_no_row(server: Server, body: Any) -> None:
    found = server.ask("POST", "/invocations", body)
    assert found.status == 400
    assert next(iter(body)) in found.json["error"]


def test_half_a_surrogate_is_echoed_where_it_is_kept(server: Server) -> None:
    found = server.ask("POST", "/predict", b'{"id": "\\ud800", "rooms": 2}')
    assert found.status == 200
    assert found.json["id"] == "\ud800"


def test_unknown_paths_and_methods_are_told_what_there_is(server: Server) -> None:
    lost = server.ask("POST", "/predit", ROW)
    assert lost.status == 404
    assert "/predict" in lost.json["error"]
    wrong = server.ask("GET", "/predict")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


def test_the_request_id_is_the_clients_if_it_is_safe(server: Server) -> None:
    assert server.predict(ROW, **{"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    odd = server.predict(ROW, **{"x-request-id": 'a"{}<%31m'}).headers["x-request-id"]
    assert odd == "a31m"
    assert server.predict(ROW).headers["x-request-id"] != server.predict(ROW).headers["x-request-id"]


def test_metrics_count_what_was_asked(server: Server) -> None:
    before = server.metrics()
    server.predict(ROW)
    server.predict([{**ROW, "city": "Atlantis", "size": None}] * 10 + [{"size": 1}])
    server.predict({"rooms": "x"})

    def grown(name: str, **labels: str) -> float:
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        key = f"engine_{name}{{{text}}}" if text else f"engine_{name}"
        return server.metrics().get(key, 0) - before.get(key, 0)

    until(lambda: grown("requests_total", route="predict", status="200") == 2)
    assert grown("requests_total", route="predict", status="422") == 1
    assert grown("rows_total") == 11
    assert grown("rejected_rows_total", code="missing") == 1
    assert grown("rejected_rows_total", code="invalid") == 1
    assert grown("unseen_total", input="city") == 10
    assert grown("missing_total", input="size") == 10
    assert grown("score_count", column="score") == 11
    assert grown("request_seconds_count", route="predict") == 3
    assert server.metrics()["engine_versions_refused_total"] == 0
    assert server.metrics()['engine_refused_requests_total{reason="busy"}'] == 0
