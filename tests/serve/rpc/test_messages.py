"""The messages are the protocol's: tritonclient's generated code is the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("google.protobuf")
service_pb2 = pytest.importorskip("tritonclient.grpc.service_pb2")

from engine.runtime.serve.rpc import messages  # noqa: E402 - needs what may not be there

NAMES = [name for name in messages.MESSAGES if "." not in name]


def nested(descriptor: Any) -> Iterator[Any]:
    yield descriptor
    for inner in descriptor.nested_types:
        yield from nested(inner)


def said(descriptor: Any) -> dict[str, Any]:
    """All that a message and those inside it declare."""
    return {
        message.full_name: (
            message.GetOptions().map_entry,
            [one.name for one in message.oneofs],
            {
                field.name: (
                    field.number,
                    field.type,
                    field.is_repeated,
                    field.is_packed,
                    field.has_presence,
                    field.json_name,
                    field.message_type and field.message_type.full_name,
                    field.containing_oneof and field.containing_oneof.name,
                )
                for field in message.fields
            },
        )
        for message in nested(descriptor)
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_message_is_as_a_client_has_it(name: str) -> None:
    ours = getattr(messages, name).DESCRIPTOR
    assert said(ours) == said(getattr(service_pb2, name).DESCRIPTOR)


def test_methods_are_as_a_client_has_them() -> None:
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert service.full_name == messages.SERVICE
    for name in messages.METHODS:
        method = service.methods_by_name[name]
        assert method.input_type.full_name == f"inference.{name}Request"
        assert method.output_type.full_name == f"inference.{name}Response"


def test_classes_are_apart_from_those_of_a_client() -> None:
    assert messages.ModelInferRequest is not service_pb2.ModelInferRequest
    assert messages.ModelInferRequest.DESCRIPTOR.file.pool is not service_pb2.DESCRIPTOR.pool


texts = st.text(max_size=5)
contents = st.fixed_dictionaries(
    {},
    optional={
        "bool_contents": st.lists(st.booleans(), max_size=3),
        "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
        "int64_contents": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
        "uint_contents": st.lists(st.integers(0, 2**32 - 1), max_size=3),
        "uint64_contents": st.lists(st.integers(0, 2**64 - 1), max_size=3),
        "fp32_contents": st.lists(st.floats(width=32), max_size=3),
        "fp64_contents": st.lists(st.floats(), max_size=3),
        "bytes_contents": st.lists(st.binary(max_size=3), max_size=3),
    },
)


@given(
    id=texts,
    name=texts,
    tensors=st.lists(contents, max_size=3),
    raw=st.lists(st.binary(max_size=9)),
    key=texts,
)
def test_bytes_of_a_client_are_read_and_written(
    id: str, name: str, tensors: list[Any], raw: list[bytes], key: str
) -> None:
    theirs = service_pb2.ModelInferRequest(id=id, model_name=name, raw_input_contents=raw)
    theirs.parameters[key].int64_param = -5
    for values in tensors:
        theirs.inputs.add(name=name, datatype="INT8", shape=[3, 1], contents=values)
        theirs.outputs.add(name=name).parameters[key].bool_param = True
    read = messages.ModelInferRequest.FromString(theirs.SerializeToString())
    assert (read.id, read.model_name, list(read.raw_input_contents)) == (id, name, raw)
    assert service_pb2.ModelInferRequest.FromString(
        read.SerializeToString(deterministic=True)
    ).SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
