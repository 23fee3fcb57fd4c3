"""An answer over the protocol has the bits of the pipeline's own answer, whatever way its values take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.answer.live import Live
from engine.api import fit
from engine.config.config import Config
from engine.runtime.serve.call import Call, Refusal
from engine.runtime.serve.oip.http import answer_inference

from ...random_pipelines import INPUTS as RANDOM
from ...random_pipelines import pipelines, training_table
from . import models
from .values import array, columns, exact, single
from .wire import NAT, Sent, answer, in_json, request

TYPES = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "bool": "BOOL", "string": "BYTES"}


def expected(column: pa.ChunkedArray, binary: bool) -> list[Any]:
    """The values of an output column, as they are sent."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values = column.to_pylist()
    if pa.types.is_string(column.type) and binary:
        return [(value or "").encode() for value in values]
    if pa.types.is_integer(column.type) and binary:
        return [NAT if value is None else value for value in values]
    return values if binary else [in_json(value) for value in values]


def check(live: Live, kinds: dict[str, str], sent: list[Sent], data: st.DataObject) -> None:
    rows = len(sent[0].values)
    table = pa.table({each.name: array(each, kinds[each.name]) for each in sent})
    for name in live.pipeline.plan.keep:
        if name not in table.schema.names:
            table = table.append_column(name, pa.nulls(rows))
    whole, rejects = live.pipeline.predict_many(table, rejects=True)
    more: dict[str, Any] = {}
    binary = data.draw(st.booleans())
    if binary:
        more["parameters"] = {"binary_data_output": True}
    body, headers = request(sent, **more)
    call = Call(f"/v2/models/{live.name}/infer", headers, body, live)
    refused = list(dict.fromkeys(rejects["row"].to_pylist()))
    if refused:
        with pytest.raises(Refusal) as caught:
            answer_inference(call)
        assert caught.value.status == 400
        reasons: dict[int, str] = {}
        for row, reason in zip(rejects["row"].to_pylist(), rejects["reason"].to_pylist(), strict=True):
            reasons.setdefault(row, reason)
        for row in refused[:5]:
            assert f"row {row}: {reasons[row]}" in caught.value.message
        assert caught.value.message.startswith(f"{len(refused)} row")
        assert caught.value.column == rejects["column"][0].as_py()
        assert caught.value.code == rejects["code"][0].as_py()
        return
    got = answer_inference(call)
    assert got.status == 200
    said, found = answer(got.body, got.headers)
    keep = live.pipeline.plan.keep
    echoed = [name for name in keep if name in {each.name for each in sent}]
    made = [name for name in whole.schema.names if name not in keep]
    assert list(found) == [*echoed, *made]
    by_name = {each.name: each for each in sent}
    for output in said["outputs"]:
        name = output["name"]
        if name in echoed:
            each = by_name[name]
            assert output["datatype"] == each.datatype
            assert output["shape"] == ([rows, 1] if each.column else [rows])
            check_echo(each, found[name], binary)
            continue
        assert output["shape"] == [rows]
        dtype = live.pipeline.outputs[name]
        assert output["datatype"] == TYPES.get(dtype, "INT64")
        want = [exact(value) for value in expected(whole[name], binary)]
        assert [exact(value) for value in found[name]] == want


def check_echo(sent: Sent, found: list[Any], binary: bool) -> None:
    values = sent.values
    if sent.datatype == "BYTES" and binary:
        values = [(value or "").encode() for value in values]
    elif sent.datatype == "INT64" and binary:
        values = [NAT if value is None else value for value in values]
    elif not binary:
        values = [in_json(value) for value in values]
    if sent.datatype == "FP32":
        values = [value if value is None or isinstance(value, str) else single(value) for value in values]
    assert [exact(value) for value in found] == [exact(value) for value in values]


RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def learned() -> dict[int, Live]:
    """Pipelines with a model, and whatever else."""
    return {
        seed: fit(Config(pipelines(np.random.default_rng(seed))), training_table(seed)).live()
        for seed in (1, 4, 6)
    }


@pytest.mark.parametrize("seed", [1, 4, 6])
def test_random_pipelines(learned: dict[int, Live], seed: int) -> None:
    live = learned[seed]

    @RELAXED
    @given(sent=columns(RANDOM), data=st.data())
    def run(sent: list[Sent], data: st.DataObject) -> None:
        # an integer that is kept and null has nothing in binary
        keep = live.pipeline.plan.keep
        sent = [
            Sent(s.name, "FP64", [None if v is None else float(v) for v in s.values], s.binary, s.column)
            if s.name in keep and s.datatype not in ("BYTES", "FP64")
            else s
            for s in sent
        ]
        check(live, RANDOM, sent, data)

    run()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"keep": ["id", "t", "k"]},
        {"outputs": ["w", "k", "t", "said"], "keep": ["id"]},
        {"inputs": {**models.INPUTS, "a": {"kind": "number", "missing": "reject"}}},
        {
            "inputs": {**models.INPUTS, "k": {"kind": "category", "unknown": "reject"}},
            "keep": ["id"],
        },
    ],
    ids=["plain", "keep", "passed", "refusing", "unknown"],
)
def test_every_kind_of_output(more: dict[str, Any]) -> None:
    live = models.live(**more)
    kinds = {**{name: models.INPUTS[name] for name in models.INPUTS}, "id": "text"}

    @RELAXED
    @given(sent=columns(kinds), data=st.data())
    def run(sent: list[Sent], data: st.DataObject) -> None:
        check(live, kinds, sent, data)

    run()


@pytest.mark.parametrize("rows", [8, 9, 1000])
def test_many_rows(rows: int) -> None:
    """Few rows are answered in another way than many."""
    live = models.live(keep=["id"])
    rng = np.random.default_rng(rows)
    texts = np.array(["UA", "AA", "", "zz"], object)
    sent = [
        Sent("a", "FP32", rng.normal(size=rows).astype("f4").tolist(), True),
        Sent("b", "FP64", rng.normal(size=rows).tolist(), False),
        Sent("k", "BYTES", rng.choice(texts, rows).tolist(), True),
        Sent("t", "INT64", rng.integers(-(10**15), 10**15, rows).tolist(), True),
        Sent("w", "BYTES", rng.choice(texts[:2], rows).tolist(), True),
        Sent("id", "INT32", list(range(rows)), True),
    ]
    kinds = {**models.INPUTS, "id": "number"}

    @settings(max_examples=3, deadline=None)
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        check(live, kinds, sent, data)

    run()


def test_a_request_is_one_group() -> None:
    stages = {"place": {"use": "rank", "columns": ["a"], "into": "place"}}
    live = models.live(inputs={"a": "number"}, stages=stages)
    body, headers = request([Sent("a", "FP64", [0.5, 2.0, 1.0], True)])
    got = answer_inference(Call("/v2/models/demo/infer", headers, body, live))
    assert answer(got.body, got.headers)[1] == {"place": [3, 1, 2]}


def test_a_group_in_two_places() -> None:
    stages = {"place": {"use": "rank", "columns": ["a"], "by": "q", "into": "place"}}
    live = models.live(inputs={"a": "number", "q": "category"}, stages=stages)
    sent = [Sent("a", "FP64", [0.5, 2.0, 1.0], True), Sent("q", "BYTES", ["x", "y", "x"], True)]
    body, headers = request(sent)
    with pytest.raises(Refusal, match="'x'") as caught:
        answer_inference(Call("/v2/models/demo/infer", headers, body, live))
    assert caught.value.status == 400
