"""Columns to ask about, and the same ask in every protocol that a server speaks."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import grpc
import numpy as np
import pyarrow as pa
import tritonclient.grpc as client
from tritonclient.grpc import service_pb2_grpc

from engine.errors import DataError
from engine.pipeline import Pipeline

from .oip import wire as oip
from .rpc import wire as rpc
from .running import SECONDS, Server, ask

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAT = -(2**63)


@dataclass(frozen=True)
class Column:
    """Values of one input: numbers of a tensor's datatype, texts, or µs since 1970; None is missing."""

    kind: str
    datatype: str
    values: list[Any]

    def part(self, start: int, end: int) -> Column:
        return Column(self.kind, self.datatype, self.values[start:end])


Columns: TypeAlias = dict[str, Column]


@dataclass(frozen=True)
class Refused:
    """A row that has no answer."""

    code: str
    column: str | None


Answers: TypeAlias = "list[dict[str, Any] | Refused] | Refused"
"""One for each row; `Refused`: the request as a whole."""


def height(columns: Columns) -> int:
    return len(next(iter(columns.values())).values)


def part(columns: Columns, start: int, end: int) -> Columns:
    return {name: column.part(start, end) for name, column in columns.items()}


def without_missing_texts(columns: Columns) -> Columns:
    """The same with empty texts for missing ones: raw BYTES have no other."""
    return {
        name: Column("text", "BYTES", [value or "" for value in column.values])
        if column.datatype == "BYTES"
        else column
        for name, column in columns.items()
    }


def table(columns: Columns) -> pa.Table:
    """The columns as `predict_many` takes them."""
    return pa.table({name: _array(column) for name, column in columns.items()})


def _array(column: Column) -> pa.Array:
    values = column.values
    if column.kind == "timestamp":
        return pa.array(values, pa.timestamp("us", "UTC"))
    if column.datatype == "BYTES":
        return pa.array(values, pa.string())
    if column.datatype == "FP16":
        return pa.array(values, pa.float64())
    return pa.array(values, pa.from_numpy_dtype(rpc.DTYPES[column.datatype]))


# -- what is to come


def expected(pipeline: Pipeline, columns: Columns) -> Answers:
    """What the pipeline says of a table of these columns, to be compared by `comparable`."""
    try:
        made, rejects = pipeline.predict_many(table(columns), rejects=True)
    except DataError:
        return Refused("data", None)
    refused: dict[int, Refused] = {}
    for reject in rejects.to_pylist():
        refused.setdefault(reject["row"], Refused(reject["code"], reject["column"] or None))
    answered = iter(made.to_pylist())
    floats = floats_of(pipeline)
    return [
        refused[row]
        if row in refused
        else {name: exact(value, name in floats) for name, value in next(answered).items()}
        for row in range(height(columns))
    ]


def floats_of(pipeline: Pipeline) -> frozenset[str]:
    """The outputs that are floats; a number that is kept comes back in the type it was sent in."""
    return frozenset(name for name, dtype in pipeline.outputs.items() if dtype.startswith("float"))


def exact(value: Any, number: bool = False) -> Any:
    """A value that equals only one of the same bits; a missing number is NaN and null alike."""
    if number and value is not None:
        value = float(value)  # 1 for 1.0, and "inf"
    if value is None or value != value:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, bytes):
        return value.decode()
    return value.hex() if isinstance(value, float) else value


def in_raw(answers: Answers, pipeline: Pipeline) -> Answers:
    """The same answers as raw tensors have them: missing text is empty, a missing integer the least."""
    if isinstance(answers, Refused):
        return answers
    missing = {"string": "", "int64": NAT, "timestamp[us, UTC]": NAT}
    of = {name: missing.get(dtype) for name, dtype in pipeline.outputs.items()}
    return [
        answer
        if isinstance(answer, Refused)
        else {name: of.get(name) if value is None else value for name, value in answer.items()}
        for answer in answers
    ]


def as_a_whole(answers: Answers) -> Answers:
    """What is said of a request that is refused with its first refused row."""
    if isinstance(answers, Refused):
        return answers
    return next((answer for answer in answers if isinstance(answer, Refused)), answers)


# -- the protocols


class Asking:
    """Connections to one server."""

    def __init__(self, server: Server, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.name = pipeline.plan.name
        self.times = [name for name, dtype in pipeline.outputs.items() if dtype.startswith("timestamp")]
        self.floats = floats_of(pipeline)
        self.http = http.client.HTTPConnection(*server.address, timeout=SECONDS)
        self.triton = client.InferenceServerClient(server.grpc)
        self.channel = grpc.insecure_channel(server.grpc)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)

    def close(self) -> None:
        self.http.close()
        self.triton.close()
        self.channel.close()

    # rows of JSON

    def rows(self, columns: Columns, *, texts: bool = False) -> list[dict[str, Any]]:
        """The rows as JSON has them; ``texts``: moments as RFC 3339."""
        cells = {
            name: [_cell(column, value, texts) for value in column.values] for name, column in columns.items()
        }
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def one(self, row: dict[str, Any]) -> dict[str, Any] | Refused:
        """A request with one row."""
        found = ask(self.http, "POST", "/predict", row)
        assert found.status in (200, 422, 400), found
        assert ("error" in found.json) == (found.status != 200)
        return self._read(found.json)

    def many(self, rows: Sequence[dict[str, Any]], path: str = "/predict") -> Answers:
        """A request with an array."""
        found = ask(self.http, "POST", path, list(rows))
        if found.status != 200:
            assert found.status == 400
            return Refused(found.json["code"], found.json["column"])
        assert len(found.json) == len(rows)
        return [self._read(answer) for answer in found.json]

    def _read(self, answer: dict[str, Any]) -> dict[str, Any] | Refused:
        if "error" in answer:
            assert set(answer) == {"error", "code", "column"} and answer["error"]
            return Refused(answer["code"], answer["column"])
        return {name: self._value(name, value) for name, value in answer.items()}

    def _value(self, name: str, value: Any) -> Any:
        if name in self.times and type(value) is str:
            value = datetime.fromisoformat(value)
        return exact(value, name in self.floats)

    # the Open Inference Protocol

    def oip(
        self, columns: Columns, *, binary: bool, answer: bool, column: bool = False
    ) -> tuple[Answers, str]:
        """Over HTTP, with raw values or JSON both ways; behind the answers, the message of a refusal."""
        sent = []
        for name, each in columns.items():
            # what is kept goes back in its datatype, of which an integer has nothing for a missing one
            datatype, values = _sent(each, exact=name in self.pipeline.plan.keep)
            sent.append(oip.Sent(name, datatype, values, binary and None not in values, column))
        more: dict[str, Any] = {"parameters": {"binary_data_output": True}} if answer else {}
        body, headers = oip.request(sent, **more)
        plain = {name.decode(): value.decode() for name, value in headers}
        found = ask(self.http, "POST", f"/v2/models/{self.name}/infer", body, plain)
        if found.status != 200:
            assert found.status == 400, found
            return Refused(found.json["code"], found.json["column"]), found.json["error"]
        back = [(name.encode(), value.encode()) for name, value in found.headers.items()]
        said, outputs = oip.answer(found.body, back)
        if answer:
            assert all("data" not in output for output in said["outputs"])
        return self._transposed(outputs, height(columns)), ""

    def json_tensors(self, rows: list[dict[str, Any]]) -> tuple[Answers, str]:
        """Rows of JSON over HTTP, as columns."""
        kinds = {"number": "FP64", "timestamp": "INT64"}
        inputs = [
            {
                "name": item.name,
                "datatype": kinds.get(item.kind, "BYTES"),
                "shape": [len(rows)],
                "data": [row[item.name] for row in rows],
            }
            for item in self.pipeline.plan.inputs
        ]
        found = ask(self.http, "POST", f"/v2/models/{self.name}/infer", {"inputs": inputs})
        if found.status != 200:
            assert found.status == 400, found
            return Refused(found.json["code"], found.json["column"]), found.json["error"]
        return self._transposed(oip.answer(found.body, [])[1], len(rows)), ""

    def raw(self, columns: Columns) -> tuple[Answers, str]:
        """Over gRPC, with raw contents."""
        asked = rpc.raw({name: _sent(each, exact=True) for name, each in columns.items()})
        try:
            return self._tensors(self.triton.infer(self.name, asked), height(columns)), ""
        except client.InferenceServerException as error:
            assert error.status() == "StatusCode.INVALID_ARGUMENT"
            return Refused("", None), error.message()

    def typed(self, columns: Columns) -> tuple[Answers, str]:
        """Over gRPC, with typed contents."""
        asked = {name: _sent(each, exact=True, half=False) for name, each in columns.items()}
        asked = {
            name: (datatype, [v.encode() for v in values] if datatype == "BYTES" else values)
            for name, (datatype, values) in asked.items()
        }
        try:
            found = self.stub.ModelInfer(rpc.typed(self.name, asked))
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            return Refused("", None), error.details()
        return self._tensors(rpc.result(found), height(columns)), ""

    def _tensors(self, result: Any, rows: int) -> Answers:
        names = [output.name for output in result.get_response().outputs]
        return self._transposed({name: result.as_numpy(name).reshape(-1).tolist() for name in names}, rows)

    def _transposed(self, outputs: dict[str, list[Any]], rows: int) -> Answers:
        assert list(outputs) == list(self.pipeline.outputs)
        assert all(len(values) == rows for values in outputs.values())
        return [
            {name: exact(values[row], name in self.floats) for name, values in outputs.items()}
            for row in range(rows)
        ]


def _cell(column: Column, value: Any, texts: bool) -> Any:
    if value is None or value != value:
        return None
    if column.kind == "timestamp" and texts:
        return (EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
    return oip.in_json(value)


def _sent(column: Column, *, exact: bool = False, half: bool = True) -> tuple[str, list[Any]]:
    """The datatype and the values of a tensor; ``exact``: nothing may be missing, so that a gap is NaN."""
    datatype, values = column.datatype, column.values
    if column.kind == "timestamp":
        return "INT64", [NAT if value is None else value for value in values]
    if datatype == "BYTES":
        return "BYTES", values
    if (datatype == "FP16" and not half) or (exact and None in values):
        return "FP64", [float("nan") if value is None else float(value) for value in values]
    return datatype, values
