"""Requests by hand, and what is said of those that are wrong."""

from __future__ import annotations

import functools
import json
import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.answer.live import Live
from engine.runtime.serve.call import Answer, Call, Refusal
from engine.runtime.serve.oip import http

from . import models
from .wire import NAT, Sent, answer, packed, request

LENGTH = b"inference-header-content-length"
GOOD: dict[str, Any] = {
    "a": ("FP64", [1.5, None]),
    "b": ("INT64", [1, 2]),
    "k": ("BYTES", ["UA", None]),
    "t": ("INT64", [0, None]),
    "w": ("BYTES", ["word", ""]),
}


@functools.cache
def live(*keep: str) -> Live:
    return models.live(keep=list(keep), outputs=["sum", "flag", "t", "said"])


def body(change: dict[str, Any] | None = None, **more: Any) -> bytes:
    """A good request in JSON, with inputs changed, or left out where they are None."""
    inputs = {name: {"datatype": kind, "shape": [2], "data": data} for name, (kind, data) in GOOD.items()}
    for name, changed in (change or {}).items():
        inputs[name] = changed and inputs.get(name, {}) | changed
    said = [{"name": name, **item} for name, item in inputs.items() if item is not None]
    return json.dumps({"inputs": said, **more}).encode()


def send(text: bytes, *keep: str, length: bytes | None = None, most_rows: int | None = None) -> Answer:
    headers = [] if length is None else [(LENGTH, length)]
    call = Call("/v2/models/demo/infer", headers, text, live(*keep))
    return http.answer_inference(call, most_rows=most_rows)


def outputs(text: bytes, *keep: str) -> dict[str, list[Any]]:
    got = send(text, *keep)
    return answer(got.body, got.headers)[1]


def refused(text: bytes, *keep: str, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        send(text, *keep, **more)
    said = caught.value.answer()
    assert said.kind == b"application/json"
    assert json.loads(said.body)["error"] == caught.value.message
    assert json.loads(said.body).keys() == {"error", "code", "column"}
    return caught.value


WANT = {"sum": [2.5, None], "flag": [True, False], "t": [0, None], "said": ["high", "low"]}


def test_an_answer() -> None:
    got = send(body())
    assert (got.status, got.kind) == (200, b"application/json")
    said, found = answer(got.body, got.headers)
    assert said.keys() == {"model_name", "model_version", "outputs"}
    assert (said["model_name"], said["model_version"]) == ("demo", live().version)
    assert found == WANT
    assert [output["datatype"] for output in said["outputs"]] == ["FP64", "BOOL", "INT64", "BYTES"]


def test_an_id_comes_back() -> None:
    for said in ("", "x 1", "é"):
        assert answer(send(body(id=said)).body, [])[0]["id"] == said
    assert "id" not in answer(send(body(id=None)).body, [])[0]


def test_what_is_not_known_is_tolerated() -> None:
    more: dict[str, Any] = {"parameters": {"sequence_id": 3, "x": {}}, "model": "?", "outputs": []}
    assert outputs(body({"a": {"parameters": None, "more": [1]}}, **more)) == WANT
    extra = {"datatype": "BF16", "shape": [2, 3, -4], "data": {"deep": [[[1]]]}}
    assert outputs(body({"other": extra, "more": {}})) == WANT


def test_another_tensor_in_binary_is_passed_over() -> None:
    sent = [Sent(name, kind, values, False) for name, (kind, values) in GOOD.items()]
    sent.insert(2, Sent("other", "BYTES", ["x", "yy", "zzz"], True))
    sent.append(Sent("id", "UINT16", [7, 8], True))
    text, headers = request(sent)
    got = send(text, "id", length=dict(headers)[LENGTH])
    assert answer(got.body, got.headers)[1] == {"id": [7, 8], **WANT}


def test_data_for_each_row() -> None:
    assert (
        outputs(body({"a": {"shape": [2, 1], "data": [[1.5], [None]]}, "k": {"data": [["UA"], [None]]}}))
        == WANT
    )


def test_numbers_that_only_python_reads() -> None:
    for number, value in (("1e999", "inf"), ("-1e999", "-inf"), (str(10**40), 1e40), (str(2**63), 2.0**63)):
        text = body({"b": {"data": [0, 0]}}).replace(b"[1.5, null]", f"[{number}, null]".encode())
        assert outputs(text)["sum"] == [value, None]
    assert outputs(body({"a": {"data": ["inf", "-inf"]}}))["sum"] == ["inf", "-inf"]


def test_timestamps() -> None:
    assert outputs(body({"t": {"data": ["1970-01-01T00:00:01Z", 1e6]}}))["t"] == [10**6, 10**6]
    assert outputs(body({"t": {"datatype": "INT8", "data": [-1, NAT]}}))["t"] == [-1, None]
    for rows in (1, 20):
        sent = [Sent(name, kind, values[:1] * rows, False) for name, (kind, values) in GOOD.items()]
        sent[3] = Sent("t", "UINT64", [2**64 - 1] * rows, True)
        text, headers = request(sent)
        found = refused(text, length=headers[0][1])
        assert "row 0: t: expected a timestamp, found a time outside the years 1 to 9999" in found.message


def test_an_optional_input() -> None:
    optional = models.live(inputs={**models.INPUTS, "k": {"kind": "category", "optional": True}})
    got = http.answer_inference(Call("/v2/models/demo/infer", [], body({"k": None}), optional))
    assert answer(got.body, got.headers)[1]["sum"] == [2.5, None]


def test_wanted_outputs() -> None:
    asked = [{"name": "said"}, {"name": "id", "parameters": {"binary_data": False}}]
    change = {"id": {"datatype": "INT8", "shape": [2, 1], "data": [1, None]}}
    found = outputs(body(change, outputs=asked), "id")
    assert list(found.items()) == [("said", ["high", "low"]), ("id", [1, None])]
    mixed = [{"name": "flag", "parameters": {"binary_data": True}}, {"name": "said"}]
    got = send(body(outputs=mixed))
    said, found = answer(got.body, got.headers)
    assert found == {"flag": [True, False], "said": ["high", "low"]}
    assert got.kind == b"application/octet-stream"
    assert ["data" in output for output in said["outputs"]] == [False, True]


@pytest.mark.parametrize(
    ("change", "values"),
    [
        (("FP32", [0.1, None]), [struct.unpack("f", struct.pack("f", 0.1))[0], None]),
        (("FP16", ["inf", 1e9]), [float("inf")] * 2),
        (("INT8", [1, None]), [1, -128]),
        (("BYTES", [None, "é"]), [b"", "é".encode()]),
        (("BOOL", [True, False]), [True, False]),
    ],
)
def test_json_kept_in_binary(change: Any, values: list[Any]) -> None:
    text = body({"id": {"datatype": change[0], "shape": [2], "data": change[1]}},
                parameters={"binary_data_output": True}, outputs=[{"name": "id"}])  # fmt: skip
    (found,) = outputs(text, "id").values()
    assert [None if value != value else value for value in found] == values


@pytest.mark.parametrize(
    "change", [("INT8", [1, 300]), ("INT8", [1.5, 0]), ("BYTES", [1, 2]), ("FP32", ["x", 1]),
               ("INT8", ["1", "2"]), ("BOOL", [True, 2.5]), ("UINT8", [None, 1])]
)  # fmt: skip
def test_json_that_has_no_binary(change: Any) -> None:
    said = {"id": {"datatype": change[0], "shape": [2], "data": change[1]}}
    assert outputs(body(said), "id")["id"] == change[1]
    found = refused(body(said, parameters={"binary_data_output": True}), "id")
    assert found.column == "id"
    assert "binary_data: false" in found.message


def test_bytes_that_are_no_text() -> None:
    for rows in (2, 60):
        sent = [Sent(name, kind, values[:1] * rows, False) for name, (kind, values) in GOOD.items()]
        raw = [b"\xff", b"UA"] * (rows // 2)
        kept = [*sent, Sent("id", "BYTES", raw, True)]
        text, headers = request(kept, parameters={"binary_data_output": True}, outputs=[{"name": "id"}])
        got = send(text, "id", length=headers[0][1])
        assert answer(got.body, got.headers)[1] == {"id": raw}
        text, headers = request(kept)
        assert "binary_data: true" in refused(text, "id", length=headers[0][1]).message
        text, headers = request([*sent[:2], Sent("k", "BYTES", raw, True), *sent[3:]])
        strict = models.live(inputs={**models.INPUTS, "k": {"kind": "category", "missing": "reject"}})
        with pytest.raises(Refusal, match="row 0: k: expected text, found bytes that are no UTF-8") as caught:
            http.answer_inference(Call("/v2/models/demo/infer", headers, text, strict))
        assert (caught.value.code, caught.value.column) == ("invalid", "k")


SHAPE = "expected the shape [n] or [n, 1], found"
WRONG: dict[str, tuple[dict[str, Any] | None, dict[str, Any], str]] = {
    "absent": ({"a": None, "k": None}, {}, "input tensors are absent: a, k. Found: b, t, w."),
    "datatype of text": ({"k": {"datatype": "INT64"}}, {}, "k: a category is BYTES, found INT64"),
    "datatype of a number": ({"a": {"datatype": "BYTES"}}, {}, "a: a number is FP64 (or BOOL, "),
    "datatype of a time": ({"t": {"datatype": "FP64"}}, {}, "t: a timestamp is µs since 1970 in INT64 (or "),
    "no datatype": ({"t": {"datatype": "int64"}}, {}, "found 'int64'"),
    "two dimensions": ({"a": {"shape": [1, 2]}}, {}, SHAPE + " [1, 2]"),
    "no dimension": ({"a": {"shape": []}}, {}, SHAPE + " []"),
    "no shape": ({"a": {"shape": None}}, {}, SHAPE + " []"),
    "negative": ({"a": {"shape": [-2]}}, {}, SHAPE + " [-2]"),
    "many dimensions": ({"a": {"shape": [1] * 1000}}, {}, SHAPE + " [1, 1, 1, 1, 1, 1, …]"),
    "huge": ({"a": {"shape": [10**15]}}, {}, "a.data: expected 1,000,000,000,000,000 values, found 2"),
    "beyond int64": ({"a": {"shape": [10**4000]}}, {}, SHAPE + " [10000000000000000000]"),
    "fewer values": ({"a": {"shape": [3]}}, {}, "a.data: expected 3 values, found 2"),
    "no values": ({"a": {"data": None}}, {}, "a.data: expected a list, found null"),
    "other rows": ({"a": {"shape": [1], "data": [1]}}, {}, "b: has 2 rows where a has 1"),
    "lists": ({"a": {"data": [[1, 2], [3, 4]]}}, {}, "found a list of 2 for row 0"),
    "lists and values": ({"a": {"data": [[1], 2]}}, {}, "found a number for row 1"),
    "objects": ({"a": {"data": [1, {"x": 1}]}}, {}, "found a number for row 0"),
    "deep lists": ({"a": {"data": [[[1]], [[2]]]}}, {}, "found a list of 1 for row 0"),
    "an output": (None, {"outputs": [{"name": "sun"}]}, "there is no output 'sun'. Did you mean 'sum'?"),
    "an output twice": (None, {"outputs": [{"name": "sum"}] * 2}, "'sum' is asked for twice"),
    "kept, not sent": (None, {"outputs": [{"name": "id"}]}, "'id' is a column to keep"),
    "an input's name": ({"": {"name": 5}}, {}, "Expected `str`, got `int` - at `$.inputs[5].name`"),
    "binary without a header": ({"a": {"parameters": {"binary_data_size": 4}}}, {}, "no Inference-Header-"),
    "an id": (None, {"id": 5}, "at `$.id`"),
    "a row": ({"a": {"data": [1, "x"]}}, {}, "1 row is refused, so none is answered: row 1: a: expected "),
    "a truth": ({"t": {"data": [True, "x"]}}, {}, "2 rows are refused, so none is answered: row 0: t: "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong(case: str) -> None:
    change, more, says = WRONG[case]
    found = refused(body(change, **more), "id")
    assert (found.status, says in found.message) == (400, True), found.message


def test_two_of_a_name() -> None:
    said = json.loads(body())
    said["inputs"].append(said["inputs"][0])
    assert refused(json.dumps(said).encode()).message == "a: two input tensors have this name"


def test_neither_or_both() -> None:
    said = json.loads(body())
    del said["inputs"][0]["data"]
    assert "found neither" in refused(json.dumps(said).encode()).message
    text = body({"a": {"parameters": {"binary_data_size": 0}}})
    assert "found both" in refused(text, length=str(len(text)).encode()).message


def test_too_many_rows() -> None:
    assert outputs(body()) == WANT
    assert send(body(), most_rows=2).status == 200
    found = refused(body(), most_rows=1)
    assert (found.status, found.code) == (413, "too_large")
    assert found.message == "2 rows; at most 1 are answered at once (server.max_rows)"


def test_what_was_asked_and_answered_is_noted() -> None:
    for rows in (2, 20):
        said = {name: {"shape": [rows], "data": data * (rows // 2)} for name, (_, data) in GOOD.items()}
        said["id"] = {"datatype": "INT8", "shape": [rows], "data": [7, None] * (rows // 2)}
        call = Call("/v2/models/demo/infer", [], body(said), live("id"))
        http.answer_inference(call)
        assert call.times is not None and min(call.times) >= 0
        if call.rows is not None:
            asked, answers = map(list, zip(*call.rows, strict=True))
        else:
            assert call.table is not None
            batch, made, bad = call.table
            assert bad == []
            asked, answers = batch.to_pylist(), made.to_pylist()
        assert [row["id"] for row in asked] == [row["id"] for row in answers] == [7, None] * (rows // 2)
        assert [row["w"] for row in asked] == ["word", ""] * (rows // 2)
        assert [row["said"] for row in answers] == ["high", "low"] * (rows // 2)


def test_refused_rows_are_counted() -> None:
    many = {name: {"shape": [2000], "data": data * 1000} for name, (_, data) in GOOD.items()}
    many["a"]["data"] = [1, "x"] * 1000
    found = refused(body(many))
    assert found.message.startswith(
        "1,000 rows are refused, so none is answered: row 1: a: expected a number, "
    )
    assert found.message.endswith("and 995 more")
    assert (found.code, found.column) == ("invalid", "a")


def test_no_rows_and_no_inputs() -> None:
    assert "absent: a, b, k, t, w" in refused(b'{"inputs": []}').message
    empty = {name: {"shape": [0], "data": []} for name in GOOD}
    assert outputs(body(empty)) == {name: [] for name in WANT}
    free = models.live(
        inputs={"a": {"kind": "number", "optional": True}}, stages={"flag": {"use": "expr", "value": "a > 1"}}
    )
    with pytest.raises(Refusal, match="no input tensor"):
        http.answer_inference(Call("/v2/models/demo/infer", [], b'{"inputs": []}', free))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "can't be read as JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs": [' + b"[" * 100_000, "nested too deeply"),
        (b'{"inputs": [{"name": "a", "data": ' + b"[" * 9999 + b"]" * 9999 + b"}]}", "nested too deeply"),
        (b'{"x": ' + b'{"x":' * 100_000, "nested too deeply"),
        (b'{"inputs": [{"name": "a", "data": [NaN]}]}', "NaN is no JSON"),
        (b'{"inputs": [{"name": "\xff"}]}', "no UTF-8"),
        (b'{"inputs": [{"name": "\\ud800"}]}', "half of a surrogate pair"),
        (b'{"inputs": [], "id": "\\ud800"}', "half of a surrogate pair"),
        (b'{"inputs": [{"name": "a", "datatype": "\\ud800"}]}', "half of a surrogate pair"),
        (body({"k": {"data": ["\ud800", "x"]}}), "k.data: a text holds half of a surrogate pair"),
        (b'{"inputs": [{"name": "a", "shape": [1], "data": [' + b"9" * 5000 + b"]}]}", "4300 digits"),
    ],
)  # fmt: skip
def test_hostile_json(text: bytes, says: str) -> None:
    found = refused(text)
    read = not any(word in says for word in ("JSON", "deeply", "UTF-8", "digits"))
    assert found.code == ("invalid" if read else "json")
    assert (found.status, says in found.message) == (400, True), found.message


@pytest.mark.parametrize(
    "length", [b"", b"-1", b"x", b"1e3", b"9" * 5000, b"999999", "٣".encode(), b"1", b"\xff"]
)
def test_wrong_header_lengths(length: bytes) -> None:
    assert refused(body(), length=length).status == 400


@pytest.mark.parametrize("size", [-1, 10**30, 7, 17, 0, True, 1.5, "8", [8]])
def test_wrong_binary_sizes(size: Any) -> None:
    said = json.loads(body())
    del said["inputs"][0]["data"]
    said["inputs"][0]["parameters"] = {"binary_data_size": size}
    text = json.dumps(said).encode()
    assert refused(text + packed("FP64", [1.0, 2.0]), length=str(len(text)).encode()).status == 400


def test_bytes_left_over() -> None:
    text = body()
    found = refused(text + b"xx", length=str(len(text)).encode())
    assert "expected 0 bytes behind the JSON" in found.message


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), binary=st.booleans())
def test_damaged_bodies_are_answered_or_refused(seed: int, binary: bool) -> None:
    rng = random.Random(seed)
    usable = {
        name: [v for v in values if v is not None] * rng.choice([1, 1, 50])
        for name, (_, values) in GOOD.items()
    }
    rows = min(map(len, usable.values()))
    sent = [Sent(n, GOOD[n][0], v[:rows], binary and rng.random() < 0.7) for n, v in usable.items()]
    more = {"parameters": {"binary_data_output": rng.random() < 0.5}}
    text, headers = request([*sent, Sent("id", "BYTES", ["x"] * rows, binary)], **more)
    damaged = bytearray(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(damaged))
        end = at + rng.choice([0, 1, 1, 4])
        damaged[at:end] = rng.choice(
            [b"", b"\0", b"\xff", b"[", b"9", b"-", b'"', rng.randbytes(4), b"null", b"1e999"]
        )
    length = dict(headers).get(LENGTH)
    try:
        got = send(bytes(damaged), "id", length=length)
    except Refusal as error:
        assert error.status == 400
        assert json.loads(error.answer().body)["error"]
    else:
        answer(got.body, got.headers)


def call(path: str) -> Call:
    return Call(path, [], b"", live("id", "a"))


def test_metadata() -> None:
    said = json.loads(http.server_metadata(call("/v2")).body)
    assert said == {"name": "engine", "version": engine.__version__, "extensions": ["binary_tensor_data"]}
    version = live("id", "a").version
    for path in ("/v2/models/demo", f"/v2/models/demo/versions/{version}"):
        said = json.loads(http.model_metadata(call(path)).body)
        assert (said["name"], said["versions"], said["platform"]) == ("demo", [version], "engine")
        shape = {"shape": [-1]}
        kinds = {"a": "FP64", "b": "FP64", "k": "BYTES", "t": "INT64", "w": "BYTES"}
        assert said["inputs"] == [{"name": name, "datatype": kind, **shape} for name, kind in kinds.items()]
        kinds = {"a": "FP64", "sum": "FP64", "flag": "BOOL", "t": "INT64", "said": "BYTES"}
        assert said["outputs"] == [{"name": name, "datatype": kind, **shape} for name, kind in kinds.items()]


def test_health() -> None:
    assert json.loads(http.live_body()) == {"live": True}
    assert json.loads(http.ready_body(False)) == {"ready": False}
    said = json.loads(http.model_ready_body(live(), "/v2/models/demo/ready", True))
    assert said == {"name": "demo", "ready": True}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v2/models/dem", "there is no model 'dem'. Did you mean 'demo'? The model here is 'demo'"),
        ("/v2/models/x/versions/1/infer", "there is no model 'x'. The model here is 'demo'"),
        ("/v2/models/demo/versions/1", "model 'demo' has no version '1'. The version here is "),
        ("/v2/models/demo/versions", "there is nothing at"),
        ("/v2/models/demo/", "there is nothing at"),
        ("/v2/models/", "there is nothing at"),
        ("/v2/models//infer", "there is nothing at"),
        ("/v2/models/demo/infer/more", "there is nothing at"),
        ("/v2", "there is nothing at"),
    ],
)
def test_not_found(path: str, says: str) -> None:
    for handler in (http.model_metadata, http.answer_inference):
        with pytest.raises(Refusal) as caught:
            handler(call(path))
        assert (caught.value.status, caught.value.code) == (404, "not_found")
        assert says in caught.value.message
    with pytest.raises(Refusal):
        http.model_ready_body(live(), path, True)
