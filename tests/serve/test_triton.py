"""tritonclient, HTTP and gRPC, against a running server: all that its clients do with a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import engine
from engine.pipeline import Pipeline

pytest.importorskip("tritonclient.grpc")
pytest.importorskip("tritonclient.http")

import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from .conftest import homes
from .rpc.wire import bits, expected
from .running import Server, serving

OUTPUTS = ["note", "score", "dear", "band"]
DATATYPES = {
    "size": "FP64",
    "rooms": "INT64",
    "age": "FP32",
    "city": "BYTES",
    "sold": "INT64",
    "note": "BYTES",
}


@pytest.fixture(scope="module")
def server(bundle: Any) -> Iterator[Server]:
    with serving(f"bundle={bundle}", "server.grpc_port=0") as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def module(request: pytest.FixtureRequest) -> Any:
    return {"http": tritonclient.http, "grpc": tritonclient.grpc}[request.param]


@pytest.fixture
def asking(module: Any, server: Server) -> Iterator[Any]:
    address = server.url.removeprefix("http://") if module is tritonclient.http else server.grpc
    more = {"concurrency": 8} if module is tritonclient.http else {}
    found = module.InferenceServerClient(address, **more)
    yield found
    found.close()


def columns(rows: int, seed: int = 1) -> dict[str, np.ndarray[Any, Any]]:
    table = homes(rows, seed).drop_columns(["price", "id"])
    given = {name: table[name] for name in DATATYPES}
    found: dict[str, np.ndarray[Any, Any]] = {
        "size": given["size"].fill_null(float("nan")).to_numpy(),
        "rooms": given["rooms"].to_numpy(),
        "age": given["age"].fill_null(float("nan")).to_numpy().astype(np.float32),
        "sold": given["sold"].cast(pa.int64()).fill_null(-(2**63)).to_numpy(),
    }
    for name in ("city", "note"):
        found[name] = np.array([(text or "").encode() for text in given[name].to_pylist()], object)
    return {name: found[name] for name in DATATYPES}


def answer_of(pipeline: Pipeline, given: dict[str, np.ndarray[Any, Any]]) -> pa.Table:
    table = {name: pa.array(values) for name, values in given.items()}
    for name in ("city", "note"):
        table[name] = table[name].cast(pa.string())
    gone = given["sold"] == -(2**63)
    table["sold"] = pa.array(given["sold"], pa.int64(), mask=gone).cast(pa.timestamp("us"))
    table["id"] = pa.nulls(len(given["rooms"]), pa.string())
    return pipeline.predict_many(pa.table(table))


def inputs(module: Any, given: dict[str, np.ndarray[Any, Any]], binary: bool = True) -> list[Any]:
    made = []
    for name, values in given.items():
        made.append(module.InferInput(name, values.shape, DATATYPES[name]))
        if module is tritonclient.http:
            made[-1].set_data_from_numpy(values, binary_data=binary)
        else:
            made[-1].set_data_from_numpy(values)
    return made


def check(result: Any, wanted: pa.Table) -> None:
    for name in OUTPUTS:
        found = result.as_numpy(name)
        if found.dtype == object:  # JSON has text where binary has bytes
            found = np.array([text.encode() if isinstance(text, str) else text for text in found], object)
        assert bits(found) == expected(wanted[name]), name


@pytest.mark.parametrize("rows", [1, 7, 500])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_infer(asking: Any, module: Any, pipeline: Pipeline, rows: int, packed: str | None) -> None:
    given = columns(rows)
    wanted = answer_of(pipeline, given)
    if module is tritonclient.grpc:
        found = asking.infer("homes", inputs(module, given), compression_algorithm=packed)
        check(found, wanted)
        assert found.get_response().model_version == pipeline.version
        return
    for binary in (True, False):
        if not binary:
            given["size"], given["age"] = (np.nan_to_num(given[name]) for name in ("size", "age"))
            wanted = answer_of(pipeline, given)
        for back in (True, False):
            outputs = [module.InferRequestedOutput(name, binary_data=back) for name in OUTPUTS]
            found = asking.infer(
                "homes",
                inputs(module, given, binary),
                outputs=outputs,
                request_id="a 1",
                request_compression_algorithm=packed,
                response_compression_algorithm=packed,
            )
            check(found, wanted)
            assert found.get_response()["id"] == "a 1"
            assert found.get_response()["model_version"] == pipeline.version


def test_answers_are_packed_on_the_wire(server: Server, pipeline: Pipeline) -> None:
    """What the client unpacks without a word was packed."""
    said = [
        {
            "name": name,
            "datatype": DATATYPES[name],
            "shape": [500],
            "data": [0 if name != "city" else "York"] * 500,
        }
        for name in ("size", "rooms", "age", "city", "sold")
    ]
    said.append({"name": "note", "datatype": "BYTES", "shape": [500], "data": [""] * 500})
    for coding in ("gzip", "deflate"):
        found = server.ask("POST", "/v2/models/homes/infer", {"inputs": said}, {"accept-encoding": coding})
        assert found.headers["content-encoding"] == coding
        assert len(found.body) < len(json.dumps(said)) / 4


def test_a_request_without_compression_of_the_answer(asking: Any, module: Any, pipeline: Pipeline) -> None:
    given = columns(3)
    outputs = [module.InferRequestedOutput("band"), module.InferRequestedOutput("score")]
    found = asking.infer("homes", inputs(module, given), pipeline.version, outputs=outputs)
    wanted = answer_of(pipeline, given)
    for name in ("band", "score"):
        assert bits(found.as_numpy(name)) == expected(wanted[name])
    assert found.as_numpy("dear") is None


def test_what_is_there(asking: Any, module: Any, pipeline: Pipeline) -> None:
    assert asking.is_server_live() and asking.is_server_ready()
    assert asking.is_model_ready("homes") and asking.is_model_ready("homes", pipeline.version)
    server = asking.get_server_metadata()
    model = asking.get_model_metadata("homes", pipeline.version)
    if module is tritonclient.grpc:
        told = [(x.name, x.datatype, list(x.shape)) for x in (*model.inputs, *model.outputs)]
        assert (server.name, server.version) == ("engine", engine.__version__)
        assert (model.name, list(model.versions)) == ("homes", [pipeline.version])
    else:
        told = [(x["name"], x["datatype"], x["shape"]) for x in (*model["inputs"], *model["outputs"])]
        assert (server["name"], server["version"]) == ("engine", engine.__version__)
        assert (model["name"], model["versions"]) == ("homes", [pipeline.version])
    assert told == [
        ("size", "FP64", [-1]),
        ("rooms", "FP64", [-1]),
        ("age", "FP64", [-1]),
        ("city", "BYTES", [-1]),
        ("sold", "INT64", [-1]),
        ("note", "BYTES", [-1]),
        ("note", "BYTES", [-1]),
        ("score", "FP32", [-1]),
        ("dear", "BOOL", [-1]),
        ("band", "BYTES", [-1]),
    ]


def test_many_at_once(asking: Any, module: Any, pipeline: Pipeline) -> None:
    """Each of many answers belongs to its request."""
    requests = [columns(1 + number % 20, seed=number) for number in range(60)]
    if module is tritonclient.http:
        waiting = [asking.async_infer("homes", inputs(module, given)) for given in requests]
        found = [each.get_result() for each in waiting]
    else:
        import queue

        arrived: queue.Queue[tuple[int, Any, Any]] = queue.Queue()
        for number, given in enumerate(requests):
            asking.async_infer(
                "homes",
                inputs(module, given),
                callback=lambda result, error, number=number: arrived.put((number, result, error)),
            )
        back = sorted((arrived.get(timeout=60) for _ in requests), key=lambda entry: entry[0])
        assert [error for _, _, error in back if error] == []
        found = [result for _, result, _ in back]
    for given, result in zip(requests, found, strict=True):
        check(result, answer_of(pipeline, given))


def test_errors_say_what_is_wrong(asking: Any, module: Any, pipeline: Pipeline) -> None:
    given = columns(12)
    without = {name: values for name, values in given.items() if name != "city"}
    wrong = {**given, "rooms": np.full(12, np.nan)}
    rooms = module.InferInput("rooms", [12], "FP64")
    rooms.set_data_from_numpy(wrong["rooms"])
    tries = {
        "there is no model 'home'. Did you mean 'homes'?": ("home", inputs(module, given), ""),
        "has no version 'abc'": ("homes", inputs(module, given), "abc"),
        "input tensors are absent: city": ("homes", inputs(module, without), ""),
        "12 rows are refused, so none is answered: row 0: rooms: the value is missing": (
            "homes",
            [each for each in inputs(module, given) if each.name() != "rooms"] + [rooms],
            "",
        ),
    }
    for said, arguments in tries.items():
        with pytest.raises(InferenceServerException) as caught:
            asking.infer(*arguments)
        assert said in caught.value.message()
    with pytest.raises(InferenceServerException, match="there is no output 'scores'"):
        asking.infer("homes", inputs(module, given), outputs=[module.InferRequestedOutput("scores")])
    for call in (asking.get_model_metadata, asking.infer):
        with pytest.raises(InferenceServerException, match="there is no model 'home'"):
            call("home", *([inputs(module, given)] if call == asking.infer else []))
    assert asking.is_server_ready()
