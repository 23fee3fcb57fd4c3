"""The protocol's messages, as classes of protobuf, without generated code.

The source is ``open_inference_grpc.proto`` of the Open Inference Protocol. The classes live in a pool of
their own: a client's generated code, which has messages of the same names, can be imported beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Message: TypeAlias = Any
"""A message; its fields are made from the table below, where no type checker sees them."""

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")

MESSAGES: Mapping[str, str] = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live:bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready:bool",
    "ModelReadyRequest": "name:string version:string",
    "ModelReadyResponse": "ready:bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name:string version:string extensions:string*",
    "ModelMetadataRequest": "name:string version:string",
    "ModelMetadataResponse": "name:string versions:string* platform:string"
    " inputs:ModelMetadataResponse.TensorMetadata* outputs:ModelMetadataResponse.TensorMetadata*",
    "ModelMetadataResponse.TensorMetadata": "name:string datatype:string shape:int64*",
    "InferParameter": "bool_param:bool| int64_param:int64| string_param:string| double_param:double|"
    " uint64_param:uint64|",
    "InferTensorContents": "bool_contents:bool* int_contents:int32* int64_contents:int64*"
    " uint_contents:uint32* uint64_contents:uint64* fp32_contents:float* fp64_contents:double*"
    " bytes_contents:bytes*",
    "ModelInferRequest": "model_name:string model_version:string id:string parameters:%"
    " inputs:ModelInferRequest.InferInputTensor*"
    " outputs:ModelInferRequest.InferRequestedOutputTensor* raw_input_contents:bytes*",
    "ModelInferRequest.InferInputTensor": "name:string datatype:string shape:int64* parameters:%"
    " contents:InferTensorContents",
    "ModelInferRequest.InferRequestedOutputTensor": "name:string parameters:%",
    "ModelInferResponse": "model_name:string model_version:string id:string parameters:%"
    " outputs:ModelInferResponse.InferOutputTensor* raw_output_contents:bytes*",
    "ModelInferResponse.InferOutputTensor": "name:string datatype:string shape:int64* parameters:%"
    " contents:InferTensorContents",
}
"""The fields of each message, ``name:type``, numbered from 1 in their order.

``*`` is repeated, ``|`` a choice of the message's one group ``parameter_choice``, ``%`` a map of text to
``InferParameter``.
"""

_CHOICE = "parameter_choice"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = ("bool", "bytes", "double", "float", "int32", "int64", "string", "uint32", "uint64")


def file() -> Any:
    """The protocol's messages as a file of protobuf declares them."""
    made = descriptor_pb2.FileDescriptorProto(
        name="engine/open_inference_grpc.proto", package=PACKAGE, syntax="proto3"
    )
    found: dict[str, Any] = {}
    for path, fields in MESSAGES.items():
        outer, _, name = path.rpartition(".")
        message = found[outer].nested_type.add(name=name) if outer else made.message_type.add(name=name)
        found[path] = message
        for number, field in enumerate(fields.split(), start=1):
            _add(message, path, number, *field.split(":"))
    return made


def _add(message: Any, path: str, number: int, name: str, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind == "%":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        _add(entry, "", 1, "key", "string")
        _add(entry, "", 2, "value", "InferParameter")
        kind = f"{path}.{entry.name}*"
    if kind.endswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name=_CHOICE)
        field.oneof_index = 0
    if kind.endswith("*"):
        field.label = _Field.LABEL_REPEATED
    kind = kind.rstrip("*|")
    if kind in _SCALARS:
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file().SerializeToString())
    names = [path for path in MESSAGES if "." not in path]
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in names
    }


_MADE = _classes()
ServerLiveRequest = _MADE["ServerLiveRequest"]
ServerLiveResponse = _MADE["ServerLiveResponse"]
ServerReadyRequest = _MADE["ServerReadyRequest"]
ServerReadyResponse = _MADE["ServerReadyResponse"]
ModelReadyRequest = _MADE["ModelReadyRequest"]
ModelReadyResponse = _MADE["ModelReadyResponse"]
ServerMetadataRequest = _MADE["ServerMetadataRequest"]
ServerMetadataResponse = _MADE["ServerMetadataResponse"]
ModelMetadataRequest = _MADE["ModelMetadataRequest"]
ModelMetadataResponse = _MADE["ModelMetadataResponse"]
InferParameter = _MADE["InferParameter"]
InferTensorContents = _MADE["InferTensorContents"]
ModelInferRequest = _MADE["ModelInferRequest"]
ModelInferResponse = _MADE["ModelInferResponse"]
