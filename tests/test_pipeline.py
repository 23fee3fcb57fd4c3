"""What a pipeline answers, for one row and for many."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.config.config import Config
from engine.errors import ConfigError, DataError, RowError, UserError

MODEL = {"use": "xgboost", "rounds": 3, "params": {"max_depth": 3, "nthread": 1}}


def config(stages: dict[str, Any], inputs: dict[str, Any], **more: Any) -> Config:
    return Config({"name": "p", "inputs": inputs, "stages": stages, **more})


def built(stages: dict[str, Any], inputs: dict[str, Any], **more: Any) -> engine.Pipeline:
    return engine.build(config(stages, inputs, **more))


def training(rows: int = 200) -> pa.Table:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, rows))
    return pa.table(
        {
            "a": pa.array(a, mask=rng.random(rows) < 0.1),
            "b": b,
            "k": rng.choice(["x", "y", "z"], rows),
            "t": pa.array(np.arange(rows) * 10**12, pa.timestamp("us", "UTC")),
            "note": [f"note {i}" for i in range(rows)],
            "y": a + b,
            "kind": rng.choice(["[a] <b>", "", "c,d\n", "é"], rows),
        }
    )


INPUTS: dict[str, Any] = {"a": "number", "b": "number", "k": "category", "t": "timestamp"}


def fitted(stages: dict[str, Any], target: Any = None, **more: Any) -> engine.Pipeline:
    more = {"inputs": INPUTS, "target": target or {"column": "y"}} | more
    return engine.fit(Config({"name": "p", "stages": stages, **more}), training())


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return found == expected or (math.isnan(found) and math.isnan(expected))
    return type(found) is type(expected) and found == expected


def assert_one_is_many(pipeline: engine.Pipeline, table: pa.Table) -> pa.Table:
    """Row by row the answers of the table; returned."""
    answers = pipeline.predict_many(table)
    assert answers.num_rows == table.num_rows
    for row, expected in zip(table.to_pylist(), answers.to_pylist(), strict=True):
        answer = pipeline.predict_one(row)
        assert list(answer) == answers.schema.names
        assert all(same(answer[name], expected[name]) for name in answer), (answer, expected)
    return answers


# -- policies

CLIP = {
    "s": {"use": "clip", "columns": ["n"], "lo": 0},
    "e": {"use": "expr", "value": "k == 'x'", "into": "e"},
}
BAD: dict[str, tuple[str, Any, Any]] = {  # what is wrong: column, one row's value, a column's cell as text
    "missing": ("n", None, None),
    "invalid": ("n", "abc", "abc"),
    "unknown": ("k", "strange", "strange"),
}
MESSAGES = {
    "missing": "n: the value is missing",
    "invalid": "n: expected a number, found 'abc'",
    "unknown": "k: 'strange' is not a category that the pipeline knows",
}


@pytest.mark.parametrize("policy", ["null", "reject", "fail"])
@pytest.mark.parametrize("code", list(BAD))
def test_policies(code: str, policy: str) -> None:
    column, value, cell = BAD[code]
    kinds = {"n": "number", "k": "category"}
    inputs: dict[str, Any] = {**kinds, column: {"kind": kinds[column], code: policy}}
    pipeline = built(CLIP, inputs, keep=["id"])
    row = {"id": 1, "n": -2.0, "k": "x"} | {column: value}
    batch = pa.RecordBatch.from_pydict(
        {
            "id": pa.array(["0", "1", "2"]),
            "n": pa.array(["5", "-2", "7"]),
            "k": pa.array(["x", "x", "x"]),
        }
        | {column: pa.array([{"n": "5", "k": "x"}[column], cell, {"n": "7", "k": "x"}[column]])}
    )
    out, bad = pipeline.score_batch(batch, text=True)
    if policy == "null":
        answer = pipeline.predict_one(row)
        assert answer["e"] is (column != "k") and math.isnan(answer["n"]) is (column == "n")
        assert out.num_rows == 3 and not bad
        return
    with pytest.raises(RowError) as caught:
        pipeline.predict_one(row)
    assert (caught.value.code, caught.value.column) == (code, column)
    expected = MESSAGES[code] + (" (str)" if code == "invalid" else "")
    assert str(caught.value) == expected
    (found,) = bad
    assert (found.row, found.column, found.code, found.fatal) == (1, column, code, policy == "fail")
    assert found.message == MESSAGES[code]
    assert out.column("id").to_pylist() == ["0", "2"]


@pytest.mark.parametrize("policy", ["reject", "fail"])
def test_tables_with_refused_rows(policy: str) -> None:
    pipeline = built(CLIP, {"n": {"kind": "number", "missing": policy}, "k": "category"})
    table = pa.table({"n": [1.0, None, float("nan"), -4.0], "k": ["x", "x", None, "q"]})
    with pytest.raises(DataError) as caught:
        pipeline.predict_many(table)
    advice = (
        "predict_many(table, rejects=True) leaves such rows out; "
        "inputs.NAME.missing=null lets such values pass"
        if policy == "reject"
        else "their inputs say 'fail'; inputs.NAME.missing=null lets such values pass, "
        "'reject' leaves such rows out"
    )
    assert str(caught.value) == (
        f"2 rows are refused\n  row 1: n: the value is missing\n  row 2: n: the value is missing\n  {advice}"
    )
    with pytest.raises(RowError, match=r"^row 1: n: the value is missing$"):
        pipeline.predict_many(table.slice(0, 2))
    if policy == "fail":
        with pytest.raises(DataError, match="2 rows are refused"):
            pipeline.predict_many(table, rejects=True)
        return
    out, rejects = pipeline.predict_many(table, rejects=True)
    assert out.to_pydict() == {"n": [1.0, 0.0], "e": [True, False]}
    assert rejects.to_pylist() == [
        {"row": row, "column": "n", "code": "missing", "reason": "n: the value is missing"} for row in (1, 2)
    ]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("chunk", [3001, 20_000])
def test_rejects_of_many_rows_have_their_numbers(threads: int, chunk: int) -> None:
    rows = 20_000
    values = np.arange(rows, dtype=float)
    gone = np.arange(rows) % 997 == 5
    kinds = {"n": {"kind": "number", "missing": "reject"}, "k": {"kind": "category", "unknown": "reject"}}
    pipeline = built(CLIP, kinds, keep=["id"])
    table = pa.table(
        {
            "id": np.arange(rows),
            "n": pa.array(values, mask=gone),
            "k": np.where(np.arange(rows) == 7, "q", "x"),
        }
    )
    chunks = pa.concat_tables([table.slice(i, chunk) for i in range(0, rows, chunk)])
    out, rejects = pipeline.predict_many(chunks, rejects=True, threads=threads)
    refused = np.flatnonzero(gone | (np.arange(rows) == 7))
    assert rejects.column("row").to_pylist() == refused.tolist()
    np.testing.assert_array_equal(out.column("id"), np.delete(np.arange(rows), refused))
    np.testing.assert_array_equal(out.column("n"), np.delete(values, refused))


def test_every_row_refused_and_two_reasons() -> None:
    kinds = {"n": {"kind": "number", "missing": "reject"}, "k": {"kind": "category", "unknown": "reject"}}
    pipeline = built(CLIP, kinds, keep=["id"])
    table = pa.table({"id": [7, 8], "n": pa.array([None, None], pa.float64()), "k": ["q", "x"]})
    out, rejects = pipeline.predict_many(table, rejects=True)
    assert out.num_rows == 0 and out.schema.names == ["id", "n", "e"]
    assert rejects.select(["row", "code"]).to_pylist() == [
        {"row": 0, "code": "missing"},
        {"row": 0, "code": "unknown"},
        {"row": 1, "code": "missing"},
    ]


def test_kept_columns_of_any_type_go_with_their_rows() -> None:
    pipeline = built({"s": CLIP["s"]}, {"n": {"kind": "number", "missing": "reject"}}, keep=["e"])
    for extra in (
        pa.array([{"a": 1}, {"a": 2}, {"a": 3}]),
        pa.array([[1], None, [3]]),
        pa.array(["a", "b", "c"]).dictionary_encode(),
        pa.array(["a", "b", "c"]).cast(pa.string_view()),
        pa.array(["a", "a", "b"]).cast(pa.large_string()),
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["q", "r"])),
        pa.RunEndEncodedArray.from_arrays(
            pa.array([2, 3], pa.int32()), pa.array(["q", "r"], pa.string_view())
        ),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, None]), pa.array(["q", "r"], pa.string_view())),
        pa.array([["a"], None, ["b"]], pa.list_(pa.string_view())),
        pa.array([["a"], None, ["b"]], pa.list_view(pa.string())),
        pa.array([b"a", None, b"a text of more than twelve bytes"], pa.binary_view()),
        pa.ExtensionArray.from_storage(
            pa.json_(pa.string_view()), pa.array(["1", "2", "3"], pa.string_view())
        ),
        pa.ExtensionArray.from_storage(pa.opaque(pa.int8(), "t", "v"), pa.array([1, 2, 3], pa.int8())),
        pa.array([1, 2, 3], pa.decimal128(5, 2)),
        pa.array([None, None, None]),
    ):
        table = pa.table({"n": [1.0, None, 3.0], "e": extra, "other": extra})
        out, _ = pipeline.predict_many(table, rejects=True)
        values = extra.to_pylist()
        assert out.column("e").to_pylist() == [values[0], values[2]]
        assert out.schema.field("e").type == extra.type
        out, _ = pipeline.predict_many(table.slice(1), rejects=True)
        assert out.column("e").to_pylist() == [values[2]]
        out, _ = pipeline.predict_many(table.slice(1, 1), rejects=True)
        assert out.column("e").type == extra.type and not out.num_rows


def test_rows_of_views_are_rejected_as_rows_of_text_are() -> None:
    long = "a text of more than twelve bytes"
    inputs = {
        "k": {"kind": "category", "unknown": "reject", "missing": "reject"},
        "s": {"kind": "text", "missing": "reject"},
        "n": "number",
    }
    stages = {"s": CLIP["s"], "hot": {"use": "onehot", "columns": ["k"], "categories": {"k": ["a", long]}}}
    pipeline = built(stages, inputs, keep=["k", "s"], outputs=["k_a", f"k_{long}"])
    texts = {
        "k": pa.array(["a", "other", None, long, "a", long] * 50),
        "s": pa.array(["x", "y", "z", long, None, "w"] * 50),
    }
    table = pa.table({**texts, "n": [1.0] * 300})
    expected, rejected = pipeline.predict_many(table, rejects=True)
    assert rejected["code"].to_pylist()[:3] == ["unknown", "missing", "missing"]
    assert expected.num_rows == 150
    views = pa.table({**{name: text.cast(pa.string_view()) for name, text in texts.items()}, "n": table["n"]})
    for found, bad in (
        pipeline.predict_many(views, rejects=True),
        pipeline.predict_many(pa.concat_tables([views.slice(0, 7), views.slice(7)]), rejects=True),
    ):
        assert found.to_pylist() == expected.to_pylist()
        assert found.schema.field("s").type == pa.string_view()
        assert bad.equals(rejected)
    found, bad = pipeline.predict_many(views.slice(1, 2), rejects=True)
    assert not found.num_rows and bad["row"].to_pylist() == [0, 1]


def test_kept_cells_that_are_no_utf8_reject_their_rows() -> None:
    pipeline = built({"s": CLIP["s"]}, {"n": "number"}, keep=["id"])
    batch = pa.RecordBatch.from_pydict(
        {"n": pa.array(["1", "x", "3", "4"]), "id": pa.array([b"a", b"b", b"\xff", None])}
    )
    out, bad = pipeline.score_batch(batch, text=True)
    assert [(value.row, value.column, value.code) for value in bad] == [
        (1, "n", "invalid"),
        (2, "id", "invalid"),
    ]
    assert bad[1].message == r"id: expected text, found bytes that are no UTF-8: b'\xff' (bytes)"
    assert out.column("id") == pa.array(["a", None])


def test_which_rows_are_rejected_does_not_depend_on_the_splits() -> None:
    stages = {"hot": {"use": "onehot", "columns": ["k"]}, "model": MODEL | {"columns": ["a", "k_*"]}}
    inputs = INPUTS | {
        "k": {"kind": "category", "unknown": "reject"},
        "b": {"kind": "number", "invalid": "reject"},
    }
    pipeline = fitted(stages, {"column": "a"}, inputs=inputs)
    assert set(pipeline.layout.pruned) == {"k_x", "k_y", "k_z"}
    assert set(pipeline.reads) == {"a", "b", "k"}
    row = {"a": 1.0, "b": 2.0, "k": "x"}
    table = pa.table({"a": [1.0, 1.0], "b": [2.0, 2.0], "k": ["x", "strange"], "t": pa.nulls(2)})
    answers, rejects = pipeline.predict_many(table, rejects=True)
    assert answers.to_pylist() == [pipeline.predict_one(row)]
    assert rejects.select(["row", "column", "code"]).to_pylist() == [
        {"row": 1, "column": "k", "code": "unknown"}
    ]
    for column, value, code in (("k", "strange", "unknown"), ("b", "much", "invalid")):
        with pytest.raises(RowError) as caught:
            pipeline.predict_one(row | {column: value})
        assert (caught.value.column, caught.value.code) == (column, code)
    # the usual policy alone doesn't make a column be read
    assert pipeline.predict_one(row | {"t": "never"}) == pipeline.predict_one(row)


@pytest.mark.parametrize("keep", [[], ["id"]])
@pytest.mark.parametrize("row", [None, [1], "n"])
def test_what_is_no_row(row: Any, keep: list[str]) -> None:
    for stages in (CLIP, {"s": CLIP["s"]}):
        pipeline = built(stages, {"n": "number", "k": "category"}, keep=keep)
        with pytest.raises(TypeError, match=r"^predict_one takes a mapping from input to value, not "):
            pipeline.predict_one(row)


# -- rows


def test_missing_in_a_row() -> None:
    pipeline = built(CLIP, {"n": "number", "k": "category"})
    for row in ({}, {"n": None, "k": None}, {"n": float("nan"), "k": float("nan")}, {"other": object()}):
        answer = pipeline.predict_one(row)
        assert math.isnan(answer["n"]) and answer["e"] is False


@pytest.mark.parametrize("scorer", ["native", "xgboost"])
@pytest.mark.parametrize("reverse", [False, True])
def test_models_and_decisions_in_any_order(scorer: str, reverse: bool) -> None:
    stages = {
        "model": MODEL | {"scorer": scorer, "columns": ["a", "b"]},
        "d": {"use": "threshold", "columns": ["score_x"], "into": "d", "at": 0.4},
        "e": {"use": "expr", "value": "score_y + a", "into": "e"},
        "month": {"use": "calendar", "columns": ["t"], "parts": ["month"]},
    }
    names = [*(f"score_{k}" for k in "xyz"), "d", "e", "t_month"]
    pipeline = fitted(stages, {"column": "k"}, outputs=names[::-1] if reverse else names, keep=["note"])
    answers = assert_one_is_many(pipeline, training())
    assert answers.schema.names == ["note", *pipeline.plan.outputs]
    assert set(answers.column("d").to_pylist()) == {True, False}


def test_rows_of_any_form() -> None:
    pipeline = built(CLIP, {"n": "number", "k": "category"}, keep=["id"])
    row = {"n": 2, "k": "x", "id": 7}
    for form in (MappingProxyType(row), OrderedDict(row), defaultdict(int, row), UserDict(row)):
        assert pipeline.predict_one(form) == {"id": 7, "n": 2.0, "e": True}
    interpreted = engine.Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    for answered in (pipeline, interpreted):
        assert answered.predict_one({"n": 2**53 + 1})["n"] == 2.0**53
        with pytest.raises(RowError, match=r"^n: expected a number, found a whole number too large"):
            answered.predict_one({"n": 10**400, "k": "x"})


def test_kept_values_are_echoed() -> None:
    pipeline = built(CLIP, {"n": "number", "k": "category"}, keep=["id", "n"], outputs=["e"])
    thing = object()
    row = {"id": thing, "n": 3, "k": "x", "more": 1}
    assert pipeline.predict_one(row) == {"id": thing, "n": 3, "e": True}
    assert row == {"id": thing, "n": 3, "k": "x", "more": 1}
    assert pipeline.predict_one({}) == {"id": None, "n": None, "e": False}
    assert pipeline.outputs == {"id": "any", "n": "float64", "e": "bool"}


def test_answers_are_the_caller_s_own() -> None:
    pipeline = built(CLIP, {"n": "number", "k": "category"})
    first = pipeline.predict_one({"n": 1})
    first["n"] = 99
    assert pipeline.predict_one({"n": 1})["n"] == 1


# -- inputs that are outputs

PASSED: dict[str, Any] = {"n": "number", "k": "category", "t": "timestamp", "s": "text"}


def test_inputs_passed_on() -> None:
    pipeline = built(CLIP, PASSED, outputs=["k", "s", "t", "n", "e"])
    moment = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    table = pa.table(
        {
            "n": [1.5, None, float("-inf")],
            "k": pa.array(["never seen", None, ""]),
            "t": pa.array([moment, None, moment], pa.timestamp("ms", "UTC")),
            "s": pa.array(["long text", None, ""], pa.large_string()),
        }
    )
    answers = assert_one_is_many(pipeline, table)
    assert answers.schema.types == [
        pa.string(),
        pa.string(),
        pa.timestamp("us", "UTC"),
        pa.float64(),
        pa.bool_(),
    ]
    assert answers.column("k").to_pylist() == ["never seen", None, ""]
    assert answers.column("s").to_pylist() == ["long text", None, ""]
    assert answers.column("t").to_pylist() == [moment, None, moment]
    assert pipeline.outputs == {
        "k": "string",
        "s": "string",
        "t": "timestamp[us, UTC]",
        "n": "float64",
        "e": "bool",
    }


@pytest.mark.parametrize(
    "encode",
    [
        lambda a: a.cast(pa.string_view()),
        lambda a: a.dictionary_encode(),
        lambda a: a.cast(pa.large_string()).dictionary_encode(),
        lambda a: pa.DictionaryArray.from_arrays(pa.array([0, None]), a.cast(pa.string_view())),
        lambda a: pa.ExtensionArray.from_storage(pa.json_(), a),
        lambda a: pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), a),
    ],
)
def test_layouts_of_text_passed_on(encode: Callable[[Any], Any]) -> None:
    pipeline = built({}, {"k": "category", "r": {"kind": "number", "missing": "reject"}}, outputs=["k"])
    table = pa.table({"k": encode(pa.array(["q", None])), "r": [1, 2]})
    assert pipeline.predict_many(table).column("k").to_pylist() == ["q", None]
    rejecting = table.set_column(1, "r", pa.array([None, 1]))
    assert pipeline.predict_many(rejecting, rejects=True)[0].column("k").to_pylist() == [None]


def test_optional_inputs_passed_on() -> None:
    inputs = {name: {"kind": kind, "optional": True} for name, kind in PASSED.items()}
    pipeline = built({}, inputs, outputs=["k", "s", "t", "n"])
    table = pa.table({"other": [1, 2]})
    answers = assert_one_is_many(pipeline, table)
    assert answers.drop_columns(["n"]).to_pylist() == [{"k": None, "s": None, "t": None}] * 2
    assert np.isnan(answers.column("n").to_numpy()).all()


@pytest.mark.parametrize("policy", ["null", "reject", "fail"])
def test_what_is_no_text_is_not_passed_on(policy: str) -> None:
    pipeline = built({}, {"k": {"kind": "category", "invalid": policy}}, outputs=["k"])
    raw = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")]
    )
    if policy == "null":
        assert pipeline.predict_one({"k": 5}) == {"k": None}
        assert pipeline.predict_many(pa.table({"k": raw})).to_pydict() == {"k": ["a", None]}
        return
    with pytest.raises(RowError, match=r"^k: expected text, found 5 \(int\)$"):
        pipeline.predict_one({"k": 5})
    with pytest.raises(RowError, match=r"^row 1: k: expected text, found bytes that are no UTF-8"):
        pipeline.predict_many(pa.table({"k": raw}))


def test_renamed_inputs_passed_on() -> None:
    pipeline = built(
        {"r": {"use": "rename", "names": {"k": "city", "n": "size"}}}, {"k": "category", "n": "number"}
    )
    table = pa.table({"n": [1, 2], "k": ["q", None]})
    assert assert_one_is_many(pipeline, table).to_pydict() == {"city": ["q", None], "size": [1.0, 2.0]}


def test_columns_named_like_globs() -> None:
    pipeline = built(
        {"f": {"use": "impute", "columns": ["x[0]"], "value": 7}}, {"x[0]": "number", "x0": "number"},
        outputs=["x[0]", "x0"],
    )  # fmt: skip
    assert pipeline.predict_one({"x0": 1}) == {"x[0]": 7.0, "x0": 1.0}


def test_outputs_by_kind_and_glob() -> None:
    pipeline = fitted(
        {"flag": {"use": "expr", "value": "a > b", "into": "more"}, "model": MODEL},
        outputs=["booleans", "sc*", "categories"],
    )
    assert list(pipeline.outputs) == ["more", "score", "k"]
    assert_one_is_many(pipeline, training().slice(0, 5))


# -- tables


def test_empty_tables() -> None:
    pipeline = fitted(
        {"model": MODEL, "d": {"use": "threshold", "columns": ["score"], "into": "d"}}, keep=["note"]
    )
    table = training().slice(0, 0)
    whole = pipeline.predict_many(table)
    assert whole.schema == pipeline.predict_many(training()).schema == pipeline.output_schema(table.schema)
    assert whole.num_rows == 0
    out, rejects = pipeline.predict_many(table, rejects=True, threads=4)
    assert (out.num_rows, rejects.num_rows) == (0, 0)
    bare = pa.schema(table.schema).empty_table()
    assert bare.column("a").num_chunks == 0 or bare.num_rows == 0
    assert pipeline.predict_many(bare).num_rows == 0


def test_chunks_whose_dictionaries_differ() -> None:
    pipeline = built(CLIP, {"n": "number", "k": "category"}, keep=["id"], outputs=["e", "k"])
    chunks = [pa.array(list(texts), pa.string()).dictionary_encode() for texts in ("xy", "yx", "zx", "")]
    table = pa.table({"n": np.zeros(6), "k": pa.chunked_array(chunks, chunks[0].type)})
    table = table.append_column("id", table.column("k"))
    answers = pipeline.predict_many(table, threads=2)
    assert answers.column("e").to_pylist() == [text == "x" for text in "xyyxzx"]
    assert answers.column("k").to_pylist() == answers.column("id").to_pylist() == list("xyyxzx")
    assert all(len(batch) for batch in answers.to_batches())


def test_record_batches_and_slices() -> None:
    pipeline = fitted({"model": MODEL})
    table = training()
    expected = pipeline.predict_many(table).column("score").to_pylist()
    (batch,) = table.combine_chunks().to_batches()
    assert pipeline.predict_many(batch).column("score").to_pylist() == expected
    assert pipeline.predict_many(table.slice(50, 10)).column("score").to_pylist() == expected[50:60]


def test_tables_that_do_not_fit() -> None:
    pipeline = built(CLIP, {"n": "number", "k": "category"}, keep=["id"])
    with pytest.raises(DataError) as caught:
        pipeline.predict_many(pa.table({"n": [1.0], "k": ["x"], "ident": [1]}))
    assert str(caught.value) == (
        "the table: keep names 'id', and there is no such column. Did you mean 'ident'?\n"
        "  columns there: n, k, ident"
    )
    twice = pa.Table.from_arrays(
        [pa.array([1.0]), pa.array(["x"]), *[pa.array([1])] * 2], ["n", "k", "id", "id"]
    )
    with pytest.raises(DataError) as caught:
        pipeline.predict_many(twice)
    assert str(caught.value) == "the table: keep names 'id', and several columns have this name"
    wrong: Any = {"n": [1.0]}
    with pytest.raises(TypeError) as not_a_table:
        pipeline.predict_many(wrong)
    assert str(not_a_table.value) == (
        "predict_many takes a pyarrow.Table, RecordBatch or stream, a pandas or polars DataFrame, or a list "
        "of mappings, not dict; predict_one takes one mapping"
    )


# -- models


def test_a_pipeline_without_a_model() -> None:
    pipeline = built({"s": {"use": "clip", "columns": ["n"], "hi": 2}}, {"n": "number", "m": "number"})
    assert pipeline.outputs == {"n": "float64"}
    assert pipeline.predict_one({"n": 9, "m": 1}) == {"n": 2.0}


def test_stages_that_change_columns_before_the_model() -> None:
    stages = {
        "names": {"use": "rename", "names": {"a": "b", "b": "a"}},
        "drop": {"use": "drop", "columns": ["k"]},
        "pick": {"use": "select", "columns": ["b", "a"]},
        "model": MODEL,
    }
    pipeline = fitted(stages)
    assert pipeline.trace.scores[0].features[0][0] == "b"
    assert pipeline.trace.scores[0].features[0][1].data == "a"
    assert_one_is_many(pipeline, training().slice(0, 20))


def test_a_model_on_booleans() -> None:
    stages = {
        "flag": {"use": "expr", "value": "a > b", "into": "more"},
        "model": {**MODEL, "columns": ["more"]},
    }
    pipeline = fitted(stages)
    found = assert_one_is_many(pipeline, training().slice(0, 30)).column("score").to_pylist()
    assert len(set(found)) == 2


def test_classes_with_odd_characters() -> None:
    pipeline = fitted({"model": MODEL}, {"column": "kind"})
    names = ["score_", "score_[a] <b>", "score_c,d\n", "score_é"]
    assert list(pipeline.outputs) == names
    answers = assert_one_is_many(pipeline, training().slice(0, 20))
    total = sum(answers.column(name).to_numpy().astype(float) for name in names)
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_stages_after_the_model_do_not_change_its_metrics() -> None:
    plain = fitted({"model": MODEL})
    decide = {"use": "threshold", "columns": ["score"], "at": 0.1, "into": "d"}
    for after in (
        {"decide": decide, "pick": {"use": "select", "columns": ["d"]}},
        {"decide": {**decide, "drop": True}},
        {"clip": {"use": "clip", "columns": ["score"], "lo": 0, "hi": 0}},
    ):
        pipeline = fitted({"model": MODEL, **after})
        assert pipeline.fitted is not None and plain.fitted is not None
        assert pipeline.fitted.metrics == plain.fitted.metrics
        assert_one_is_many(pipeline, training().slice(0, 5))


def test_two_models() -> None:
    stages = {
        "first": {**MODEL, "columns": ["a"], "into": "s1"},
        "second": {**MODEL, "columns": ["s1", "b"]},
        "idle": {**MODEL, "columns": ["b"], "into": "s3"},
    }
    pipeline = fitted(stages, outputs=["score"])
    assert [s.point.label for s in pipeline.layout.segments if s.point] == ["first", "second"]
    answers = assert_one_is_many(pipeline, training().slice(0, 50))
    both = fitted(stages)
    assert list(both.outputs) == ["s1", "score", "s3"]
    rows = training().slice(0, 50)
    assert both.predict_many(rows).column("score").equals(answers.column("score"))
    s1 = both.predict_many(rows).column("s1").to_numpy()
    booster = xgboost.Booster(model_file=bytearray(both.learned["second"]["model"].tobytes()))
    matrix = np.stack([s1, rows.column("b").to_numpy().astype(np.float32)], 1)
    assert (booster.inplace_predict(matrix) == answers.column("score").to_numpy()).all()


def test_a_learned_column_collides() -> None:
    stages = {"k": {"use": "onehot", "columns": ["k"]}, "model": MODEL}
    inputs = INPUTS | {"k_x": {"kind": "number", "optional": True}}
    with pytest.raises(UserError, match="k_x"):
        fitted(stages, inputs=inputs)


def test_drop_and_into_where_they_mean_nothing() -> None:
    for key, value in (("drop", True), ("into", "z")):
        with pytest.raises(ConfigError, match=f"'select' makes no columns; it has no '{key}'"):
            built({"s": {"use": "select", "columns": ["n"], key: value}}, {"n": "number"})


# -- nothing changes, from any thread


def test_it_does_not_change() -> None:
    pipeline = fitted({"f": {"use": "impute", "columns": ["a"]}, "model": MODEL})
    version, answer = pipeline.version, pipeline.predict_one({})
    with pytest.raises(ValueError, match="read-only"):
        pipeline.learned["f"]["value"][0] = 1e9
    learned: Any = pipeline.learned
    for change in (lambda: learned.pop("f"), lambda: learned["f"].update(value=1)):
        with pytest.raises(AttributeError):
            change()
    with pytest.raises(dataclasses.FrozenInstanceError):
        pipeline.plan.name = "other"  # type: ignore[misc]
    table = training()
    before = table.to_pydict()
    pipeline.predict_many(table)
    assert str(table.to_pydict()) == str(before)
    assert (pipeline.version, pipeline.predict_one({})) == (version, answer)


def test_it_keeps_its_own_copy_of_what_was_learned() -> None:
    pipeline = fitted({"f": {"use": "impute", "columns": ["a"]}})
    mine = {"f": {"value": np.array([5.0])}}
    other = engine.Pipeline(pipeline.plan, mine)
    mine["f"]["value"][0] = 9.0
    assert other.predict_one({})["a"] == 5.0


def test_eight_threads() -> None:
    """From the first call on, which compiles."""
    stages = {
        "f": {"use": "impute", "columns": ["a"]},
        "k": {"use": "onehot", "columns": ["k"]},
        "model": MODEL,
        "d": {"use": "threshold", "columns": ["score"], "into": "d"},
    }
    expected = fitted(stages).predict_many(training()).to_pylist()
    pipeline = fitted(stages, golden=0)
    fresh = engine.Pipeline(pipeline.plan, pipeline.learned)
    rows, table = training().to_pylist(), training()
    start = threading.Barrier(8)
    wrong: list[Any] = []

    def work(number: int) -> None:
        try:
            start.wait()
            for turn in range(5):
                if (number + turn) % 2:
                    found = [fresh.predict_one(row) for row in rows]
                else:
                    found = fresh.predict_many(table, threads=2).to_pylist()
                if found != expected:
                    wrong.append(number)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
