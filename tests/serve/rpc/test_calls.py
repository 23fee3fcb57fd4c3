"""What each call answers, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

import engine
from engine.pipeline import Pipeline

pytest.importorskip("tritonclient.grpc")

import tritonclient.grpc as client
from tritonclient.grpc import service_pb2

from . import wire
from .running import stub

TENSORS: wire.Tensors = {
    "a": ("FP64", [0.5, float("nan"), -1.0]),
    "b": ("INT16", [1, -2, 300]),
    "k": ("BYTES", [b"red", "ünï".encode(), b""]),
    "t": ("INT64", [10**15, -(2**63), 0]),
    "w": ("BYTES", [b"x", b"", b"y\0z"]),
}


@pytest.fixture
def calls(address: str) -> Iterator[Any]:
    with grpc.insecure_channel(address) as channel:
        yield stub(channel)


@pytest.fixture
def asking(address: str) -> Iterator[client.InferenceServerClient]:
    with client.InferenceServerClient(address) as made:
        yield made


def test_health(asking: client.InferenceServerClient, rides: Pipeline) -> None:
    assert asking.is_server_live()
    assert asking.is_server_ready()
    assert asking.is_model_ready("rides")
    assert asking.is_model_ready("rides", rides.version)


def test_metadata(asking: client.InferenceServerClient, rides: Pipeline) -> None:
    server = asking.get_server_metadata()
    assert (server.name, server.version) == ("engine", engine.__version__)
    assert list(server.extensions) == ["binary_tensor_data"]
    for version in ("", rides.version):
        model = asking.get_model_metadata("rides", version)
        assert (model.name, list(model.versions), model.platform) == ("rides", [rides.version], "engine")
        assert [(x.name, x.datatype, list(x.shape)) for x in model.inputs] == [
            ("a", "FP64", [-1]),
            ("b", "FP64", [-1]),
            ("k", "BYTES", [-1]),
            ("t", "INT64", [-1]),
            ("w", "BYTES", [-1]),
        ]
        assert [(x.name, x.datatype, list(x.shape)) for x in model.outputs] == [
            ("t", "INT64", [-1]),
            ("score", "FP32", [-1]),
            ("late", "BOOL", [-1]),
            ("mix", "FP64", [-1]),
            ("risk", "BYTES", [-1]),
            ("place", "INT64", [-1]),
        ]


def test_an_answer_names_the_request_the_model_and_the_version(
    asking: client.InferenceServerClient, rides: Pipeline
) -> None:
    for version, id in (("", ""), (rides.version, "ünï 7")):
        answer = asking.infer("rides", wire.raw(TENSORS), version, request_id=id).get_response()
        assert (answer.model_name, answer.model_version, answer.id) == ("rides", rides.version, id)
        assert len(answer.raw_output_contents) == len(answer.outputs)
        assert [list(output.shape) for output in answer.outputs] == [[3]] * len(answer.outputs)


def test_only_what_is_asked_for_is_given(asking: client.InferenceServerClient) -> None:
    wanted = [client.InferRequestedOutput("mix"), client.InferRequestedOutput("score")]
    found = asking.infer("rides", wire.raw(TENSORS), outputs=wanted)
    whole = asking.infer("rides", wire.raw(TENSORS))
    assert [output.name for output in found.get_response().outputs] == ["mix", "score"]
    for name in ("mix", "score"):
        assert wire.bits(found.as_numpy(name)) == wire.bits(whole.as_numpy(name))
    assert found.as_numpy("late") is None


def test_columns_to_keep_come_back_as_they_were_sent(asking: client.InferenceServerClient) -> None:
    kept = TENSORS | {"ref": ("BYTES", [b"\xff\xfe", b"", b"\0"])}
    found = asking.infer("rides", wire.raw(kept, flat=False))
    assert [output.name for output in found.get_response().outputs][:2] == ["t", "ref"]
    assert found.as_numpy("ref").tolist() == [[b"\xff\xfe"], [b""], [b"\0"]]
    assert found.as_numpy("t").tolist() == [[10**15], [-(2**63)], [0]]
    assert asking.infer("rides", wire.raw(TENSORS)).as_numpy("ref") is None


def test_no_rows(asking: client.InferenceServerClient, calls: Any) -> None:
    none = {name: (datatype, []) for name, (datatype, _) in TENSORS.items()}
    for found in (
        asking.infer("rides", wire.raw(none)),
        wire.result(calls.ModelInfer(wire.typed("rides", none))),
    ):
        assert found.as_numpy("score").shape == (0,)
        assert found.as_numpy("risk").shape == (0,)


def test_parameters_and_tensors_that_nothing_reads_are_ignored(
    asking: client.InferenceServerClient, calls: Any
) -> None:
    more = TENSORS | {"zzz": ("FP32", [1.0, 2.0])}
    options = {"parameters": {"who": "me", "n": 3, "x": 0.5, "on": True}, "sequence_id": 4, "priority": 2}
    found = asking.infer("rides", wire.raw(more), **options)
    plain = asking.infer("rides", wire.raw(TENSORS))
    assert wire.bits(found.as_numpy("score")) == wire.bits(plain.as_numpy("score"))
    request = wire.typed("rides", TENSORS)
    request.inputs.add(name="zzz", datatype="WHAT", shape=[1, 2, 3])
    assert wire.bits(wire.result(calls.ModelInfer(request)).as_numpy("score")) == wire.bits(
        plain.as_numpy("score")
    )


@pytest.mark.parametrize("model", ["ride", "", "ünï", "x" * 5000])
def test_an_unknown_model(asking: client.InferenceServerClient, model: str) -> None:
    for call in (
        lambda: asking.infer(model, wire.raw(TENSORS)),
        lambda: asking.get_model_metadata(model),
        lambda: asking.is_model_ready(model),
    ):
        code, text = wire.refused(call)
        assert code == "NOT_FOUND"
        assert "The model here is 'rides'" in text


def test_an_unknown_version(asking: client.InferenceServerClient, rides: Pipeline) -> None:
    for call in (
        lambda: asking.infer("rides", wire.raw(TENSORS), "000000000000"),
        lambda: asking.get_model_metadata("rides", "000000000000"),
        lambda: asking.is_model_ready("rides", "000000000000"),
    ):
        code, text = wire.refused(call)
        assert code == "NOT_FOUND"
        assert f"The version here is {rides.version!r}" in text


def with_raw(tensors: wire.Tensors) -> Any:
    request = service_pb2.ModelInferRequest(model_name="rides")
    for tensor in wire.raw(tensors):
        request.inputs.add().CopyFrom(tensor._get_tensor())
        request.raw_input_contents.append(tensor._get_content())
    return request


def mixed(request: Any) -> None:
    request.inputs[1].contents.int_contents.extend([1, -2, 300])


def one_raw_less(request: Any) -> None:
    del request.raw_input_contents[-1]


def one_raw_more(request: Any) -> None:
    request.raw_input_contents.append(b"")


def short(request: Any) -> None:
    request.raw_input_contents[0] = request.raw_input_contents[0][:-1]


def long_text(request: Any) -> None:
    request.raw_input_contents[2] = b"\xff\xff\xff\xff" * 5


def huge(request: Any) -> None:
    for tensor in request.inputs:
        tensor.shape[0] = 2**62


def flat_matrix(request: Any) -> None:
    request.inputs[0].shape[:] = [1, 3]


def negative(request: Any) -> None:
    request.inputs[0].shape[:] = [-1]


def no_shape(request: Any) -> None:
    del request.inputs[0].shape[:]


def odd_type(request: Any) -> None:
    request.inputs[0].datatype = "FP8"


def text_for_number(request: Any) -> None:
    request.inputs[0].datatype = "BYTES"
    request.raw_input_contents[0] = request.raw_input_contents[2]


def twice(request: Any) -> None:
    request.inputs.add().CopyFrom(request.inputs[0])
    request.raw_input_contents.append(request.raw_input_contents[0])


def absent(request: Any) -> None:
    del request.inputs[1]
    del request.raw_input_contents[1]


def nothing(request: Any) -> None:
    del request.inputs[:]
    del request.raw_input_contents[:]


def unknown_output(request: Any) -> None:
    request.outputs.add(name="scores")


def shared_memory(request: Any) -> None:
    request.inputs[0].parameters["shared_memory_region"].string_param = "x"


def shared_output(request: Any) -> None:
    request.outputs.add(name="score").parameters["shared_memory_region"].string_param = "x"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (mixed, "b: has contents, and the request has raw_input_contents"),
        (one_raw_less, "raw_input_contents: expected 5, one for each input tensor, found 4"),
        (one_raw_more, "raw_input_contents: expected 5, one for each input tensor, found 6"),
        (short, "a: expected 24 bytes for 3 values of FP64, found 23"),
        (long_text, "k: expected 3 values of BYTES"),
        (huge, "a: expected 36,893,488,147,419,103,232 bytes"),
        (flat_matrix, "a: expected the shape [n] or [n, 1], found [1, 3]"),
        (negative, "a: expected the shape [n] or [n, 1], found [-1]"),
        (no_shape, "a: expected the shape [n] or [n, 1]"),
        (odd_type, "a: expected a datatype out of BOOL"),
        (text_for_number, "a: a number is FP64"),
        (twice, "a: two input tensors have this name"),
        (absent, "input tensors are absent: b"),
        (nothing, "input tensors are absent"),
        (unknown_output, "there is no output 'scores'. Did you mean 'score'?"),
        (shared_memory, "a: shared memory isn't offered"),
        (shared_output, "score: shared memory isn't offered"),
    ],
)
def test_a_raw_request_is_refused(calls: Any, change: Any, said: str) -> None:
    request = with_raw(TENSORS)
    calls.ModelInfer(request)
    change(request)
    code, text = wire.refused(calls.ModelInfer, request)
    assert (code, said in text) == ("INVALID_ARGUMENT", True), text


def few(request: Any) -> None:
    del request.inputs[1].contents.int_contents[0]


def other_field(request: Any) -> None:
    request.inputs[1].contents.ClearField("int_contents")
    request.inputs[1].contents.fp32_contents.extend([1.0, 2.0, 3.0])


def both_fields(request: Any) -> None:
    request.inputs[1].contents.fp64_contents.append(1.0)


def too_large(request: Any) -> None:
    request.inputs[1].contents.int_contents[0] = 2**15


def too_large_unsigned(request: Any) -> None:
    request.inputs[1].datatype = "UINT8"
    request.inputs[1].contents.ClearField("int_contents")
    request.inputs[1].contents.uint_contents.extend([1, 2, 256])


def half(request: Any) -> None:
    request.inputs[1].datatype = "FP16"


def no_type(request: Any) -> None:
    request.inputs[1].datatype = ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (few, "b: expected 3 values in int_contents for the shape [3], found 2"),
        (other_field, "b: the values of INT16 are in int_contents, found fp32_contents"),
        (both_fields, "b: the values of INT16 are in int_contents, found fp64_contents"),
        (too_large, "b: a value in int_contents is too large for INT16"),
        (too_large_unsigned, "b: a value in uint_contents is too large for UINT8"),
        (half, "b: FP16 has no field in contents"),
        (no_type, "b: expected a datatype out of BOOL"),
        (negative, "a: expected the shape [n] or [n, 1], found [-1]"),
        (huge, "a: expected 4,611,686,018,427,387,904 values in fp64_contents"),
    ],
)
def test_a_typed_request_is_refused(calls: Any, change: Any, said: str) -> None:
    request = wire.typed("rides", TENSORS)
    calls.ModelInfer(request)
    change(request)
    code, text = wire.refused(calls.ModelInfer, request)
    assert (code, said in text) == ("INVALID_ARGUMENT", True), text


def test_rows_of_different_lengths(asking: client.InferenceServerClient) -> None:
    code, text = wire.refused(asking.infer, "rides", wire.raw(TENSORS | {"b": ("FP32", [1.0, 2.0])}))
    assert code == "INVALID_ARGUMENT"
    assert "b: has 2 rows where a has 3" in text


def test_a_text_that_is_no_utf8_is_refused_with_its_row(asking: client.InferenceServerClient) -> None:
    code, text = wire.refused(
        asking.infer, "rides", wire.raw(TENSORS | {"k": ("BYTES", [b"red", b"\xff", b""])})
    )
    assert code == "INVALID_ARGUMENT"
    assert "row 1: k" in text


def test_what_is_no_message_is_refused(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        for name in ("ModelReady", "ModelMetadata", "ModelInfer"):
            call = channel.unary_unary(f"/inference.GRPCInferenceService/{name}")
            code, text = wire.refused(call, b"\xff\xff\xff")
            assert (code, text) == ("INVALID_ARGUMENT", f"the request is no inference.{name}Request")


def test_calls_beyond_the_standard_are_unknown(asking: client.InferenceServerClient) -> None:
    assert wire.refused(asking.get_model_repository_index)[0] == "UNIMPLEMENTED"


def test_a_long_refusal_reaches_the_client(asking: client.InferenceServerClient) -> None:
    rows = 400
    names = {"ü" * 900: ("BYTES", [b"x"] * rows)}
    tensors = {name: (datatype, [values[0]] * rows) for name, (datatype, values) in TENSORS.items()}
    tensors["k"] = ("BYTES", [b"\xff" * 2000] * rows)
    code, text = wire.refused(asking.infer, "rides", wire.raw(tensors | names))
    assert code == "INVALID_ARGUMENT"
    assert "400 rows are refused" in text
    del tensors["a"]
    many = {f"{i}{'ü' * 900}": ("FP32", np.zeros(rows)) for i in range(20)}
    code, text = wire.refused(asking.infer, "rides", wire.raw(tensors | many))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("input tensors are absent: a")
