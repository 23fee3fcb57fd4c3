"""Answers over gRPC have the bits of `predict_many`, whatever datatypes the columns come in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.pipeline import Pipeline

pytest.importorskip("tritonclient.grpc")

import tritonclient.grpc as client

from . import wire
from .running import TEXTS, stub

WHOLE = {f"{sign}INT{size}": (sign, size) for sign in ("U", "") for size in (8, 16, 32, 64)}


def numbers(datatype: str) -> st.SearchStrategy[Any]:
    if datatype == "BOOL":
        return st.booleans()
    if datatype.startswith("FP"):
        return st.floats(width=int(datatype[2:]))  # type: ignore[arg-type]
    sign, size = WHOLE[datatype]
    return st.integers(0, 2**size - 1) if sign else st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1)


@st.composite
def requests(draw: st.DrawFn, most: int = 60) -> dict[str, tuple[str, list[Any]]]:
    rows = draw(st.integers(0, most))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    scalars = [name for name in wire.DTYPES if name != "BYTES"]
    texts = st.one_of(st.sampled_from([*TEXTS, "never seen"]), st.text(max_size=4)).map(str.encode)
    moments = st.one_of(st.integers(-(10**15), 4 * 10**15), st.just(-(2**63)))
    tensors: dict[str, tuple[str, list[Any]]] = {}
    for name in ("a", "b"):
        datatype = draw(st.sampled_from(scalars))
        tensors[name] = datatype, column(numbers(datatype))
    tensors |= {"k": ("BYTES", column(texts)), "w": ("BYTES", column(texts)), "t": ("INT64", column(moments))}
    tensors["ref"] = draw(st.sampled_from([("BYTES", column(texts)), ("INT8", column(numbers("INT8")))]))
    order = draw(st.permutations(list(tensors)))
    return {name: tensors[name] for name in order}


def table(tensors: wire.Tensors) -> pa.Table:
    """The same columns for `predict_many`."""
    columns = {}
    for name, (datatype, values) in tensors.items():
        if datatype == "BYTES":
            columns[name] = pa.array([value.decode() for value in values], pa.string())
        elif name == "t":
            columns[name] = pa.array(
                [None if value == -(2**63) else value for value in values], pa.timestamp("us", "UTC")
            )
        elif datatype == "FP16":
            columns[name] = pa.array(np.array(values, np.float16).astype(np.float64))
        else:
            columns[name] = pa.array(np.array(values, wire.DTYPES[datatype]))
    return pa.table(columns)


def check(result: client.InferResult, tensors: wire.Tensors, pipeline: Pipeline) -> None:
    answer = pipeline.predict_many(table(tensors))
    assert [output.name for output in result.get_response().outputs] == answer.column_names
    for name in answer.column_names:
        assert wire.bits(result.as_numpy(name)) == wire.expected(answer[name]), name


@pytest.fixture(scope="module")
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as made:
        yield made


def test_raw(address: str, rides: Pipeline) -> None:
    with client.InferenceServerClient(address) as asking:

        @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
        @given(tensors=requests(), flat=st.booleans())
        def compare(tensors: wire.Tensors, flat: bool) -> None:
            check(asking.infer("rides", wire.raw(tensors, flat=flat)), tensors, rides)

        compare()


def test_typed(channel: grpc.Channel, rides: Pipeline) -> None:
    calls = stub(channel)

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(tensors=requests().filter(lambda found: all(kind != "FP16" for kind, _ in found.values())))
    def compare(tensors: wire.Tensors) -> None:
        check(wire.result(calls.ModelInfer(wire.typed("rides", tensors))), tensors, rides)

    compare()


def test_ten_thousand_rows(address: str, rides: Pipeline) -> None:
    rng = np.random.default_rng(5)
    rows = 10_000
    texts = np.array([text.encode() for text in TEXTS], object)
    tensors = {
        "a": ("FP32", rng.normal(size=rows).astype(np.float32)),
        "b": ("FP64", rng.normal(size=rows)),
        "k": ("BYTES", rng.choice(texts, rows)),
        "t": ("INT64", rng.integers(-(10**15), 4 * 10**15, rows).tolist()),
        "w": ("BYTES", rng.choice(texts, rows)),
        "ref": ("INT32", np.arange(rows, dtype=np.int32)),
    }
    with client.InferenceServerClient(address) as asking:
        for compression in (None, "gzip", "deflate"):
            found = asking.infer("rides", wire.raw(tensors), compression_algorithm=compression)
            check(found, tensors, rides)
