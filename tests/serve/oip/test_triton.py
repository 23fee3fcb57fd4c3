"""Requests as tritonclient writes them, and answers as it reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.answer.live import Live
from engine.runtime.serve.call import Call
from engine.runtime.serve.oip.http import answer_inference

from . import models

http = pytest.importorskip("tritonclient.http")

ROWS = 60
DTYPES = {"f2": "FP16", "f4": "FP32", "f8": "FP64", "i1": "INT8", "i2": "INT16", "i4": "INT32", "i8": "INT64",
          "u1": "UINT8", "u2": "UINT16", "u4": "UINT32", "u8": "UINT64", "?": "BOOL"}  # fmt: skip


@pytest.fixture(scope="module")
def live() -> Live:
    return models.live(keep=["id"], outputs=["sum", "flag", "said", "t", "k"])


def table(dtype: str, rows: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    return {
        "a": (rng.normal(size=rows) * 50).astype("i8").astype(dtype),
        "b": rng.normal(size=rows),
        "k": rng.choice(np.array(["UA", "AA", "", "ünï", "a\0b"], object), rows),
        "t": rng.integers(-(10**15), 10**15, rows),
        "w": rng.choice(np.array([b"word", b""], object), rows),
        "id": np.arange(rows, dtype="u2"),
    }


def asked(columns: dict[str, np.ndarray[Any, Any]], binary: bool, column: bool) -> list[Any]:
    inputs = []
    for name, values in columns.items():
        datatype = "BYTES" if values.dtype == object else DTYPES[values.dtype.str[1:].replace("b1", "?")]
        shaped = values.reshape(-1, 1) if column else values
        tensor = http.InferInput(name, shaped.shape, datatype)
        tensor.set_data_from_numpy(shaped, binary_data=binary)
        inputs.append(tensor)
    return inputs


def expected(live: Live, columns: dict[str, np.ndarray[Any, Any]]) -> pa.Table:
    given = dict(columns)
    given["w"] = np.array([value.decode() for value in columns["w"]], object)
    arrays = {name: pa.array(values) for name, values in given.items()}
    arrays["t"] = arrays["t"].view(pa.timestamp("us", "UTC"))
    arrays["a"] = pa.array(columns["a"].astype("f8"))
    return live.pipeline.predict_many(pa.table(arrays))


def send(live: Live, inputs: list[Any], **more: Any) -> Any:
    body, length = http.InferenceServerClient.generate_request_body(inputs, **more)
    # as its `infer` does, without a Content-Type
    headers = [] if length is None else [(b"inference-header-content-length", str(length).encode())]
    answer = answer_inference(Call("/v2/models/demo/infer", headers, body, live))
    said = dict(answer.headers).get(b"inference-header-content-length")
    return http.InferenceServerClient.parse_response_body(
        answer.body, header_length=None if said is None else int(said)
    )


@pytest.mark.parametrize("rows", [0, 1, ROWS])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_ways(live: Live, dtype: str, binary: bool, rows: int) -> None:
    columns = table(dtype, rows)
    want = expected(live, columns)
    for outputs in (
        None,
        [http.InferRequestedOutput(name, binary_data=binary) for name in ("t", "id", "flag", "sum", "said")],
        [http.InferRequestedOutput("said", binary_data=not binary)],
    ):
        result = send(live, asked(columns, binary, rows == ROWS), outputs=outputs, request_id="r 1")
        said = result.get_response()
        assert (said["model_name"], said["model_version"], said["id"]) == ("demo", live.version, "r 1")
        names = [output["name"] for output in said["outputs"]]
        assert names == (
            ["id", "sum", "flag", "said", "t", "k"] if outputs is None else [o.name() for o in outputs]
        )
        for name in names:
            found = result.as_numpy(name)
            if name == "id":
                assert found.dtype == np.uint16
                assert found.reshape(-1).tolist() == columns["id"].tolist()
                continue
            column = want[name]
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.int64())
            if pa.types.is_string(column.type):
                texts = [text.decode() if isinstance(text, bytes) else text for text in found.tolist()]
                assert texts == column.to_pylist()
            else:
                assert found.dtype == column.type.to_pandas_dtype()
                assert found.tobytes() == column.to_numpy().tobytes()
