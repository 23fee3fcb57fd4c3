"""What is derived from texts: the same from a row, every layout of a table, CSV, and in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.utils import murmurhash3_32

import engine
from engine.api import build, fit
from engine.config.config import Config
from engine.decode import RowDecoder, TableDecoder, row_packer
from engine.errors import ConfigError, DataError, RowError
from engine.expr.derived import Derived
from engine.expr.graph import Expr
from engine.expr.texts import Contains, Hash, Length
from engine.expr.walk import leaves
from engine.pipeline import Pipeline
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.schema import Column, Input, Kind
from engine.stage import Learned, RowStage, stage
from engine.testing import check_stage

from .random_pipelines import PLACES, TEXT_LAYOUTS
from .test_parity import check_parity, exact

STAGES: dict[str, Any] = {
    "long": {"use": "text_length", "columns": ["name", "kind"]},
    "has_a": {"use": "contains", "columns": ["name"], "pattern": "a"},
    "begins": {
        "use": "contains",
        "columns": ["kind"],
        "pattern": "^[a-f]",
        "regex": True,
        "ignore_case": True,
    },
    "bucket": {"use": "hash_encode", "columns": ["name"], "buckets": 50, "seed": 3},
    "is_b": {"use": "onehot", "columns": ["kind"], "categories": {"kind": ["b", "\0"]}},
    "sum": {"use": "expr", "value": "x + name_length * 2"},
}
INPUTS: dict[str, Any] = {"x": "number", "name": "text", "kind": "category"}


def pipeline(stages: dict[str, Any] = STAGES, inputs: dict[str, Any] = INPUTS, **keys: Any) -> Pipeline:
    return build(Config({"name": "texts", "inputs": inputs, "stages": stages, **keys}))


def expected(name: str | None, kind: str | None, x: float | None) -> list[float]:
    nan = float("nan")
    return [
        nan if name is None else len(name),
        nan if kind is None else len(kind),
        nan if name is None else "a" in name,
        nan if kind is None else kind[:1].lower() in tuple("abcdef"),
        nan if name is None else murmurhash3_32(name, 3, positive=True) % 50,
        kind == "b",
        kind == "\0",
        nan if x is None or name is None else x + len(name) * 2.0,
    ]


@pytest.fixture(scope="module")
def texts() -> Pipeline:
    return pipeline()


text = st.one_of(
    st.none(),
    st.sampled_from(["", "a", "b", "Bäum", "👩‍🚀", "e\u0301", "\0", "a\0b", "long " * 200]),
    st.text(max_size=4),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_every_layout(texts: Pipeline, data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 8))
    columns: dict[str, Any] = {"x": pa.array([float(i) for i in range(rows)])}
    plain: dict[str, list[Any]] = {}
    for name in ("name", "kind"):
        plain[name] = data.draw(st.lists(text, min_size=rows, max_size=rows))
        layout, place = data.draw(st.sampled_from(TEXT_LAYOUTS)), data.draw(st.sampled_from(PLACES))
        columns[name] = place(layout(pa.array(plain[name], pa.string())))
    table = pa.table(columns)
    found = texts.predict_many(table)
    wanted = [expected(*row) for row in zip(plain["name"], plain["kind"], range(rows), strict=True)]
    for i, column in enumerate(found.columns):
        np.testing.assert_array_equal(column.to_numpy(), np.array([row[i] for row in wanted], np.float64))
    check_parity(texts, table, data)


def test_a_row_in_every_form(texts: Pipeline) -> None:
    for row in ({}, {"name": None}, {"name": float("nan"), "kind": None, "x": None}):
        values = texts.predict_one(row).values()
        assert [exact(v) for v in values] == [exact(float(v)) for v in expected(None, None, None)]
    found = texts.predict_one({"name": np.str_("banana"), "kind": "Fé", "x": 1, "other": 3})
    assert list(found.values()) == expected("banana", "Fé", 1.0)


def test_from_text_files(texts: Pipeline, tmp_path: Path) -> None:
    values = [("banana", "b"), ("", ""), ('na,"me\n', "F"), (None, None), ("ünï", "zz")]
    table = pa.table({"x": [1.0] * 5, "name": [v[0] for v in values], "kind": [v[1] for v in values]})
    pa.csv.write_csv(table, tmp_path / "in.csv")
    pq.write_table(table, tmp_path / "in.parquet")
    answers = []
    for name in ("in.csv", "in.parquet"):
        source, sink = tmp_path / name, tmp_path / f"{name}.out.parquet"
        run_batch(texts, open_source({"path": str(source)}), open_sink({"path": str(sink)}), threads=2)
        answers.append(pq.read_table(sink))
    for answer in answers:
        assert repr(answer.to_pydict()) == repr(texts.predict_many(table).to_pydict())
    assert answers[0]["name_length"].to_pylist()[1] == 0.0


# -- what is no UTF-8, or no text


BROKEN = pa.array([b"fine", b"\xff\xfe", None, b"also"]).cast(pa.binary())


def test_what_is_no_text_in_json(tmp_path: Path) -> None:
    """Numbers and truths among texts, or nothing else: refused, each in its row, and the rest is answered."""
    stages = {"long": {"use": "text_length", "columns": ["w"]}}
    made = build(Config({"name": "p", "inputs": {"w": "text"}, "stages": stages}))
    for name, rows in (("mixed", ['"ab"', "7", "null"]), ("numbers", ["7", "1.5"]), ("truths", ["true"])):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(f'{{"w": {row}}}\n' for row in rows))
        source = open_source({"use": "jsonl", "path": str(file)})
        refused = [
            (bad.row, bad.code) for batch in source.batches(["w"], 100) for bad in made.score_batch(batch)[1]
        ]
        assert refused == [(i, "invalid") for i, row in enumerate(rows) if row not in ('"ab"', "null")], name


def broken(kind: pa.DataType) -> pa.Array:
    """Text that says to be UTF-8 and isn't, in one of its cells."""
    if pa.types.is_dictionary(kind):
        values = BROKEN.dictionary_encode()
        buffers = values.dictionary.buffers()
        words = pa.StringArray.from_buffers(len(values.dictionary), buffers[1], buffers[2], buffers[0])
        return pa.DictionaryArray.from_arrays(values.indices, words)
    buffers = BROKEN.buffers()
    return pa.StringArray.from_buffers(len(BROKEN), buffers[1], buffers[2], buffers[0])


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("column", ["text", "category"])
def test_what_is_no_utf8_is_invalid(kind: pa.DataType, column: str) -> None:
    stages = {"long": {"use": "text_length", "columns": ["name"]}}
    strict = pipeline(stages, {"name": column})
    table = pa.table({"name": broken(kind)})
    found, rejects = strict.predict_many(table, rejects=True)
    assert rejects["row"].to_pylist() == [1] and rejects["code"].to_pylist() == ["invalid"]
    assert "no UTF-8" in rejects["reason"][0].as_py()
    assert repr(found["name_length"].to_pylist()) == "[4.0, nan, 4.0]"
    with pytest.raises(RowError, match="name: expected text, found text that is no UTF-8") as caught:
        strict.predict_one({"name": "\ud800"})
    assert (caught.value.column, caught.value.code) == ("name", "invalid")

    lenient = pipeline(stages, {"name": {"kind": column, "invalid": "null"}})
    found = lenient.predict_many(table)
    assert repr(found["name_length"].to_pylist()) == "[4.0, nan, nan, 4.0]"
    for value in ("\ud800", 5, b"x"):
        assert repr(lenient.predict_one({"name": value})) == "{'name_length': nan}"


def test_policies_hold_where_the_text_alone_is_read() -> None:
    stages = {"long": {"use": "text_length", "columns": ["name"]}}
    found = pipeline(stages, {"name": {"kind": "text", "missing": "reject"}})
    table = pa.table({"name": ["a", None]})
    rows, rejects = found.predict_many(table, rejects=True)
    assert rows.num_rows == 1 and rejects["code"].to_pylist() == ["missing"]
    with pytest.raises(RowError, match="name: the value is missing"):
        found.predict_one({})
    with pytest.raises(RowError, match=r"name: expected text, found 5 \(int\)"):
        found.predict_one({"name": 5})
    with pytest.raises(DataError, match="name: expected text, found int64"):
        found.predict_many(pa.table({"name": [5]}))


def test_an_unknown_category_is_refused_by_its_policy_and_has_a_length_otherwise(texts: Pipeline) -> None:
    assert texts.predict_one({"kind": "never seen"})["kind_length"] == 10.0
    strict = pipeline(inputs={**INPUTS, "kind": {"kind": "category", "unknown": "reject"}})
    assert strict.predict_one({"kind": "b"})["kind_length"] == 1.0
    with pytest.raises(RowError, match="'never seen' is not a category"):
        strict.predict_one({"kind": "never seen"})
    rejects = strict.predict_many(pa.table({"x": [1.0], "name": ["a"], "kind": ["q"]}), rejects=True)[1]
    assert rejects["code"].to_pylist() == ["unknown"]


def test_an_optional_column_may_be_absent() -> None:
    found = pipeline(
        {"long": {"use": "text_length", "columns": ["name"]}},
        {"name": {"kind": "text", "optional": True}, "x": "number"},
        outputs=["x", "name_length"],
    )
    assert repr(found.predict_many(pa.table({"x": [1.0, 2.0]}))["name_length"].to_pylist()) == "[nan, nan]"


def test_rows_that_are_refused_are_left_out_of_what_is_derived(texts: Pipeline) -> None:
    strict = pipeline(inputs={**INPUTS, "x": {"kind": "number", "missing": "reject"}})
    table = pa.table({"x": [1.0, None, 2.0], "name": ["a", "bb", "ccc"], "kind": ["k"] * 3})
    found, rejects = strict.predict_many(table, rejects=True)
    assert found["name_length"].to_pylist() == [1.0, 3.0] and rejects.num_rows == 1


# -- what is needed is computed, and no more


def test_only_what_an_output_needs_is_read_and_computed() -> None:
    found = pipeline(outputs=["name_length"])
    assert found.reads == ("name",)
    assert found.layout.reads == (Derived("name", Length()),)
    assert pipeline(outputs=["sum"]).reads == ("x", "name")
    assert pipeline(outputs=["kind_b"]).reads == ("kind",)
    one = pipeline(outputs=["sum", "kind_b"])
    assert one.layout.reads == ("x", "kind", Derived("name", Length()))  # what is derived comes last


def test_the_same_number_is_derived_once() -> None:
    twice = {f"h{i}": {"use": "contains", "columns": ["name"], "pattern": "a"} for i in range(2)}
    found = pipeline(twice)
    assert found.layout.reads == (Derived("name", Contains("a")),)
    assert found.predict_one({"name": "a"}) == {"h0": 1.0, "h1": 1.0}


def test_a_features_text_is_not_read_where_no_split_uses_it() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    table = pa.table({"x": x, "name": ["same"] * 400, "kind": ["a"] * 400, "y": x > 0})
    config = {
        "name": "pruned",
        "inputs": INPUTS,
        "target": {"column": "y"},
        "stages": {**STAGES, "model": {"use": "xgboost", "columns": ["x", "name_length"], "rounds": 3}},
        "golden": 8,
    }
    found = fit(Config(config), table)
    assert found.reads == ("x",)
    assert "name_length" in found.layout.pruned
    assert "pruned, not read: name, kind" in found.explain()


def test_explain_says_what_is_derived(texts: Pipeline) -> None:
    said = texts.explain(kernel=True)
    assert "  derived, once for each text: length(name), " in said.replace("\n    ", " ")
    assert "contains(kind, pattern='^[a-f]', regex=True, ignore_case=True)" in said.replace("\n    ", " ")
    assert "not read" not in said


def test_a_pipeline_without_texts_decodes_rows_as_before() -> None:
    inputs = [Input("a", Kind.NUMBER), Input("k", Kind.CATEGORY)]
    plain = row_packer(inputs, ("a", "k"), {"k": ("x",)})
    assert plain.__func__ is RowDecoder.pack  # type: ignore[attr-defined]


def test_a_pattern_is_part_of_the_version() -> None:
    stage = {"use": "contains", "columns": ["name"], "pattern": "a"}
    versions = {
        pipeline({"has": {**stage, **other}}).version
        for other in ({}, {"pattern": "b"}, {"regex": True}, {"ignore_case": True})
    }
    assert len(versions) == 4


def test_the_decoder_alone() -> None:
    keys = (Derived("t", Hash(7)), Derived("t", Length()))
    decoder = TableDecoder([Input("t", Kind.TEXT)], keys, {})
    found = decoder.decode(pa.table({"t": pa.chunked_array([pa.array(["a", None]), pa.array(["", "abc"])])}))
    assert found.columns == {} and list(found.derived) == list(keys) == list(found.inputs)
    np.testing.assert_array_equal(found.derived[keys[1]], [1.0, np.nan, 0.0, 3.0])
    assert decoder.reads == ("t",)
    none = decoder.decode(pa.table({"t": pa.nulls(2)}))
    assert np.isnan(none.derived[keys[0]]).all()
    pack = row_packer([Input("t", Kind.TEXT)], keys, {})
    assert np.frombuffer(pack({"t": "abc"})).tolist() == [found.derived[keys[0]][3], 3.0]


# -- training


def table_of(rows: int = 600) -> pa.Table:
    rng = np.random.default_rng(5)
    names = ["".join(rng.choice(list("abcé "), rng.integers(0, 9))) for _ in range(rows)]
    kinds = rng.choice(np.array(["b", "c", "Fall", "\0"], object), rows)
    x = rng.normal(size=rows)
    y = np.array([len(name) for name in names]) + 3 * np.array(["a" in name for name in names]) + x > 5
    none = rng.random(rows) < 0.1
    return pa.table(
        {"x": x, "name": pa.array(names, mask=none), "kind": pa.array(kinds, pa.string()), "y": y}
    )


LEARNED: dict[str, Any] = {
    "name": "learned",
    "inputs": INPUTS,
    "target": {"column": "y"},
    "stages": {
        "renamed": {"use": "rename", "names": {"name": "title"}},
        "long": {"use": "text_length", "columns": ["title", "kind"]},
        "has_a": {"use": "contains", "columns": ["title"], "pattern": "a"},
        "fill": {"use": "impute", "columns": ["title_length"], "strategy": "mean"},
        "model": {"use": "xgboost", "columns": ["x", "title_length", "has_a", "kind_length"], "rounds": 5},
        "late": {"use": "hash_encode", "columns": ["title"], "buckets": 9},
    },
    "golden": 16,
}


@pytest.fixture(scope="module")
def learned() -> Pipeline:
    return fit(Config(LEARNED), table_of())


def test_what_is_learned_from_is_what_is_scored(learned: Pipeline) -> None:
    rows = table_of()
    lengths = np.array([np.nan if name is None else len(name) for name in rows["name"].to_pylist()])
    assert learned.fitted is not None and learned.fitted.profile is not None
    features = {row["column"]: row for row in learned.fitted.profile.to_pylist() if row["part"] == "feature"}
    filled = float(learned.learned["fill"]["value"][0])
    assert features["title_length"]["missing"] == 0 and np.nanmin(lengths) <= filled <= np.nanmax(lengths)
    scored = learned.predict_many(rows)
    alone = [learned.predict_one(row) for row in rows.to_pylist()[:50]]
    assert [exact(row["score"]) for row in alone] == [exact(v) for v in scored["score"].to_pylist()[:50]]
    assert learned.fitted.metrics["auc"] > 0.85


def test_a_bundle_has_the_same_answers(learned: Pipeline, tmp_path: Path) -> None:
    learned.save(tmp_path / "bundle")
    again = engine.load(tmp_path / "bundle")  # asks the golden rows
    rows = table_of(50)
    assert repr(again.predict_many(rows).to_pydict()) == repr(learned.predict_many(rows).to_pydict())
    assert again.version == learned.version


def test_a_category_that_a_stage_made() -> None:
    stages: dict[str, Any] = {
        "word": {"use": "label", "columns": ["x"], "labels": ["no", "maybe", "no"], "into": "word"},
        "long": {"use": "text_length", "columns": ["word"]},
        "has": {"use": "contains", "columns": ["word"], "pattern": "A", "ignore_case": True},
    }
    found = pipeline(stages, {"x": "number"})
    assert found.reads == ("x",)
    table = pa.table({"x": [0.0, 1.0, 2.0, 3.0, None]})
    rows = found.predict_many(table).to_pydict()
    assert (
        repr(rows["word_length"]) == "[2.0, 5.0, 2.0, nan, nan]"
        and repr(rows["has"]) == "[0.0, 1.0, 0.0, nan, nan]"
    )
    assert found.predict_one({"x": 1})["word_length"] == 5.0


# -- among other kinds of stage


def test_groups_and_filters_and_stages_in_numpy() -> None:
    folder = str(Path(__file__).parent / "kinds" / "stages")
    stages: dict[str, Any] = {
        "long": {"use": "text_length", "columns": ["name"]},
        "guard": {"use": "refuse_beyond", "columns": ["name_length"], "bound": 4.0},
        "share": {"use": "kind_share", "columns": ["name_length"], "by": "name"},
    }
    found = pipeline(stages, {"name": "text"}, plugins=[folder])
    table = pa.table({"name": ["a", "a", "bbb", "ccccc", "dd"]})
    rows, rejects = found.predict_many(table, rejects=True)
    assert rejects["row"].to_pylist() == [3] and rejects["code"].to_pylist() == ["filtered"]
    assert rows["group_share"].to_pylist() == [0.5, 0.5, 1.0, 1.0]
    with pytest.raises(RowError, match="guard"):
        found.predict_one({"name": "ccccc"})
    assert found.predict_one({"name": "dd"})["group_share"] == 1.0


# -- the expression


@pytest.mark.parametrize("kind", [Kind.CATEGORY, Kind.TEXT])
def test_the_expression_is_a_leaf(kind: Kind) -> None:
    node = Expr.input("k", kind).of_text(Length())
    assert (repr(node + 1), node.kind) == ("(length(k) + 1.0)", Kind.NUMBER)
    assert leaves([node]) == [node]


def test_a_malformed_pattern_is_told_before_rows_are_read() -> None:
    with pytest.raises(ConfigError) as caught:
        pipeline({"has": {"use": "contains", "columns": ["name"], "pattern": "a(b", "regex": True}})
    assert "stages.has: pattern 'a(b' is no regular expression: missing ): a(b" in str(caught.value)
    assert "RE2" in str(caught.value)


@pytest.mark.parametrize("many", [lambda n: [f"text {i}" for i in range(n)], lambda n: ["x" * 1_000_000] * n])
def test_long_texts(texts: Pipeline, many: Callable[[int], list[str]]) -> None:
    names = many(3)
    found = texts.predict_many(pa.table({"x": [0.0] * 3, "name": names, "kind": names}))
    assert found["name_length"].to_pylist() == [float(len(name)) for name in names]
    assert (
        texts.predict_one({"x": 0.0, "name": names[0], "kind": names[0]}) == found.slice(0, 1).to_pylist()[0]
    )


# -- functions of an author's own


@dataclass(frozen=True)
class Words:
    """How many words there are, between blanks."""

    def check(self) -> tuple[str, ...]:
        return ()

    def many(self, texts: Any) -> Any:
        return pc.count_substring(texts, " ").to_numpy(zero_copy_only=False) + 1.0

    def one(self, text: str) -> float:
        return text.count(" ") + 1.0


@stage("words")
class WordsStage(RowStage):
    """Make the number of words of a text.

    Examples
    --------
    >>> 1
    1
    """

    accepts = (Kind.CATEGORY, Kind.TEXT)

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        return next(iter(columns.values())).of_text(Words())


def test_a_function_of_an_authors_own_keeps_the_contract() -> None:
    check_stage(WordsStage, {"t": ["a b", "", None, "c", "x  y\0z"]}, columns=["t"])
