"""Rows that break rules: against plain Python, in a row, a table, a batch and a server."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import build, fit
from engine.cli.main import main
from engine.config.config import Config
from engine.errors import ConfigError, DataError, RowError, UserError
from engine.pipeline import Pipeline
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.testing import run_stage

from ..serve.running import serving
from .conftest import Table

INPUTS = {"n": "number", "k": "category", "w": "text", "t": "timestamp", "id": "number"}
MOMENTS = [
    datetime(2013, 1, 1, tzinfo=UTC),
    datetime(2013, 1, 1, 0, 0, 0, 1, UTC),
    datetime(1960, 2, 3, 4, tzinfo=UTC),
]
ROWS: list[dict[str, Any]] = [
    {"n": 5.0, "k": "UA", "w": "N711AA", "t": MOMENTS[0]},
    {"n": -90.0, "k": "UA", "w": "N711AA", "t": MOMENTS[0]},
    {"n": 601.0, "k": "XX", "w": "7", "t": None},
    {"n": 600.0, "k": None, "w": None, "t": None},
    {"n": None, "k": "XX", "w": "N711AA", "t": MOMENTS[1]},
    {"n": 5.0, "k": "AA", "w": "N711AA\n", "t": MOMENTS[2]},
    {"n": 5.0, "k": "AA", "w": "n1", "t": MOMENTS[1]},
]  # fmt: skip
STAGES: dict[str, Any] = {
    "range": {"use": "require", "columns": ["n"], "min": -60, "max": 600, "not_null": True},
    "codes": {"use": "require", "columns": ["k"], "allowed": ["UA", "AA"]},
    "tails": {"use": "require", "columns": ["w"], "pattern": "(?i)N[0-9]+[A-Z]*"},
    "time": {
        "use": "require", "columns": ["t"], "min": "2013-01-01", "max": "2013-01-01T01:00:00.000001+01:00",
    },
}  # fmt: skip
REFUSED = [
    (1, "n", "stages.range: n is below min: expected -60 or more"),
    (2, "n", "stages.range: n is above max: expected 600 or less"),
    (4, "n", "stages.range: n is missing: not_null expects a value"),
    (5, "w", "stages.tails: w doesn't match pattern: expected '(?i)N[0-9]+[A-Z]*', as a whole"),
]


SPLIT = {"kind": "random", "valid": 0.2, "test": 0.2}


def config_of(stages: Mapping[str, Any], **more: Any) -> Config:
    base: dict[str, Any] = {"name": "ruled", "inputs": dict(INPUTS), "target": {"column": "id"}}
    base |= {"keep": ["id"], "outputs": ["n", "k", "w", "t"]}
    return Config({**base, "stages": dict(stages), **more})


def both(config: Config) -> list[Pipeline]:
    compiled = build(config)
    return [compiled, Pipeline(compiled.plan, compiled.learned, interpreted=True)]


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    types = {"number": pa.float64(), "timestamp": pa.timestamp("us", "UTC")}
    kinds = {name: types.get(kind, pa.string()) for name, kind in INPUTS.items()}
    numbered = [{**row, "id": float(i)} for i, row in enumerate(rows)]
    return pa.table({name: pa.array([row[name] for row in numbered], kind) for name, kind in kinds.items()})


# -- the rules, against plain Python


def broken(rules: Mapping[str, Any], kind: str, value: Any) -> str | None:
    """The first rule that a value breaks."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "not_null" if rules.get("not_null") else None

    def bound(given: Any) -> Any:
        return datetime.fromisoformat(given) if kind == "timestamp" else given

    if rules.get("min") is not None and value < bound(rules["min"]):
        return "min"
    if rules.get("max") is not None and value > bound(rules["max"]):
        return "max"
    if rules.get("allowed") is not None and value not in rules["allowed"]:
        return "allowed"
    if rules.get("pattern") is not None and not re.fullmatch(rules["pattern"], value):
        return "pattern"
    return None


numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 5e-324, 1e300, math.inf, -math.inf]), st.integers(-3, 3).map(float)
)
texts = st.one_of(st.sampled_from(["UA", "ua", "", "UA\n", "ü", "a\0"]), st.text("UA1ü\n", max_size=4))
moments = st.one_of(
    st.sampled_from(MOMENTS),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda t: t.replace(tzinfo=UTC)),
)
VALUES = {"n": numbers, "k": texts, "w": texts, "t": moments}


def rules_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the rules that a column of the kind has, at least one."""
    own: dict[str, st.SearchStrategy[Any]] = {"not_null": st.just(True)}
    if name in "nt":
        bounds = numbers.filter(math.isfinite) if name == "n" else moments.map(lambda t: t.isoformat())
        own |= {"min": bounds, "max": bounds}
    if name != "t":
        allowed = st.one_of(numbers.filter(math.isfinite), st.integers(-3, 3)) if name == "n" else texts
        own["allowed"] = st.lists(allowed, min_size=1, max_size=5)
    if name in "kw":
        own["pattern"] = st.sampled_from(["UA|UA1", "[A-Zü]*", ".{0,2}", "(?s).*1.*", "(?i)u.?"])

    def ordered(rules: dict[str, Any]) -> bool:
        low, high = rules.get("min"), rules.get("max")
        return bool(rules) and (low is None or high is None or _moment(low) <= _moment(high))

    return st.fixed_dictionaries({}, optional=own).filter(ordered)


def _moment(bound: Any) -> Any:
    return datetime.fromisoformat(bound) if isinstance(bound, str) else bound


@st.composite
def ruled(draw: st.DrawFn) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    names = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4, unique=True))
    row = st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in VALUES.items()})
    return {name: draw(rules_of(name)) for name in names}, draw(st.lists(row, max_size=8))


@settings(max_examples=100, deadline=None)
@given(ruled())
def test_as_plain_python_has_it(given: tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]) -> None:
    """Interpreted; that kernels and one row have the same bits is held by the parity tests."""
    rules, rows = given
    stages = {f"rule_{name}": {"use": "require", "columns": [name], **own} for name, own in rules.items()}
    plan = build(config_of(stages)).plan
    pipeline = Pipeline(plan, {}, interpreted=True)
    found, rejects = pipeline.predict_many(table_of(rows), rejects=True)
    expected = []
    for i, row in enumerate(rows):
        broke = ((name, broken(own, INPUTS[name], row[name])) for name, own in rules.items())
        first = next(((name, rule) for name, rule in broke if rule), None)
        if first is not None:
            expected.append((i, *first))
            with pytest.raises(RowError, match=rf"stages\.rule_{first[0]}: {first[0]} .*{first[1]}") as one:
                pipeline.predict_one({**row, "id": i})
            assert (one.value.column, one.value.code) == (first[0], "filtered")
    assert found["id"].to_pylist() == [i for i in range(len(rows)) if i not in {row for row, *_ in expected}]
    said = zip(rejects["row"].to_pylist(), rejects["column"].to_pylist(), strict=True)
    assert list(said) == [(row, name) for row, name, _ in expected]
    spelt = {"not_null": "not_null", "min": "below min", "max": "above max", "allowed": "not allowed"}
    for reason, (_, name, rule) in zip(rejects["reason"].to_pylist(), expected, strict=True):
        assert reason.startswith(f"stages.rule_{name}: {name} ") and spelt.get(rule, rule) in reason


def test_on_flights(flights: Table) -> None:
    found = run_stage("require", flights, columns=["dep_delay"], min=-10, max=120.5, not_null=True)
    delays = flights["dep_delay"]
    assert list(found.values()) == [
        [delay is None for delay in delays],
        [delay is not None and delay < -10 for delay in delays],
        [delay is not None and delay > 120.5 for delay in delays],
    ]
    (other,) = run_stage("require", flights, columns=["carrier"], allowed=["UA", "AA"]).values()
    assert other == [carrier not in ("UA", "AA") for carrier in flights["carrier"]]
    (odd,) = run_stage("require", flights, columns=["tailnum"], pattern="N[0-9]{3}[A-Z]+").values()
    tails = flights["tailnum"]
    assert odd == [tail is not None and not re.fullmatch("N[0-9]{3}[A-Z]+", tail) for tail in tails]


# -- the same everywhere


def test_a_row_a_table_and_a_trace() -> None:
    for pipeline in both(config_of(STAGES)):
        found, rejects = pipeline.predict_many(table_of(ROWS), rejects=True)
        assert found["id"].to_pylist() == [0.0, 3.0, 6.0]
        assert found["w"].to_pylist() == ["N711AA", None, "n1"]
        assert rejects.to_pylist() == [
            {"row": row, "column": column, "code": "filtered", "reason": reason}
            for row, column, reason in REFUSED
        ]
        for row, column, reason in REFUSED:
            with pytest.raises(RowError) as one:
                pipeline.predict_one({**ROWS[row], "id": row})
            assert (str(one.value), one.value.column, one.value.code) == (reason, column, "filtered")
            traced = pipeline.trace_one({**ROWS[row], "id": row}).refusal
            assert traced is not None
            assert (traced.message, traced.column, traced.code) == (reason, column, "filtered")


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_batch(tmp_path: Path, suffix: str) -> None:
    """Each row is in the output or among the rejects, with the reason; so it is from text."""
    pipeline, source = build(config_of(STAGES)), tmp_path / f"rows.{suffix}"
    table = table_of(ROWS)
    if suffix == "csv":
        pacsv.write_csv(table, source)
    else:
        pq.write_table(table, source)
    out, rejects = tmp_path / f"out.{suffix}", tmp_path / f"out.rejects.{suffix}"
    read = pacsv.read_csv if suffix == "csv" else pq.read_table
    summary = run_batch(
        pipeline,
        open_source({"path": str(source)}),
        open_sink({"path": str(out)}),
        rejects=Rejects(max=None),
        batch_rows=2,
    )
    assert (summary.rows_in, summary.rows_out, summary.rejected) == (7, 3, 4)
    kept, gone = read(out), read(rejects)
    assert [float(value) for value in kept["id"].to_pylist()] == [0, 3, 6]
    columns = [gone[name].to_pylist() for name in ("row", "column", "reason")]
    assert list(zip(*columns, strict=True)) == REFUSED
    assert set(gone["code"].to_pylist()) == {"filtered"}
    # what was found stands beside the reason
    assert [str(value) for value in gone["n"].to_pylist()] in (
        ["-90", "601", "None", "5"],
        ["-90.0", "601.0", "None", "5.0"],
    )
    assert [float(value) for value in gone["id"].to_pylist()] == [1, 2, 4, 5]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ruled") / "bundle"
    fit(config_of(STAGES, split=SPLIT), table_of(ROWS * 9)).save(folder)
    yield folder


@pytest.mark.slow
def test_a_server(bundle: Path) -> None:
    reasons = {row: (column, reason) for row, column, reason in REFUSED}
    sent = [
        {**row, "id": i, "t": row["t"] and row["t"].isoformat()}
        for i, row in enumerate(ROWS)
    ]  # fmt: skip
    with serving(f"bundle={bundle}") as server:
        many = server.predict(sent).json
        for i, (row, answer) in enumerate(zip(sent, many, strict=True)):
            one = server.predict(row)
            if i not in reasons:
                assert one.status == 200 and one.json == answer and answer["id"] == i
                continue
            column, reason = reasons[i]
            assert one.status == 422
            assert answer == one.json == {"error": reason, "code": "filtered", "column": column}


# -- what the options are about


def test_the_first_reason_is_by_column_then_by_rule() -> None:
    both_columns = {"use": "require", "columns": ["k", "w"], "pattern": "[A-Z]+", "allowed": ["UA", "1"]}
    pipeline = Pipeline(build(config_of({"codes": both_columns})).plan, {}, interpreted=True)
    for row, said in [
        ({"k": "ua", "w": "?"}, "k is not allowed: expected one of 'UA', '1'"),
        ({"k": "1", "w": "?"}, "k doesn't match pattern: expected '[A-Z]+', as a whole"),
        ({"k": "UA", "w": "?"}, "w is not allowed: expected one of 'UA', '1'"),
    ]:
        with pytest.raises(RowError) as one:
            pipeline.predict_one({**row, "id": 1})
        assert str(one.value) == f"stages.codes: {said}" and one.value.column == said[0]


def test_columns_that_stages_made() -> None:
    """A boolean, a category that a stage chose, and a number by what was selected."""
    stages = {
        "late": {"use": "expr", "value": "n > 15"},
        "word": {"use": "label", "columns": ["late"], "labels": ["no", "yes"], "into": "word"},
        "half": {"use": "expr", "value": "n / 2"},
        "by_word": {"use": "require", "columns": ["word"], "pattern": "n.", "allowed": ["no"]},
        "by_flag": {"use": "require", "columns": ["late"], "allowed": [False], "not_null": True},
        "numbers": {"use": "require", "columns": ["half", "late"], "max": 5, "allowed": [0, 1, 2.5, 5, 9]},
    }  # fmt: skip
    rows = [{"n": n, "k": None, "w": None, "t": None} for n in (0.0, 5.0, 6.0, 10.0, 18.0, None, 11.0)]
    for label in ("by_word", "by_flag"):
        own = {key: spec for key, spec in stages.items() if key in ("late", "word", "half", label, "numbers")}
        for pipeline in both(config_of(own, outputs=["half", "word"])):
            found, rejects = pipeline.predict_many(table_of(rows), rejects=True)
            assert found["id"].to_pylist() == [0.0, 1.0, 3.0, 5.0]
            assert [reason.split(":")[0] for reason in rejects["reason"].to_pylist()] == [
                "stages.numbers", f"stages.{label}", "stages.numbers",
            ]  # fmt: skip
            assert rejects["column"].to_pylist() == [
                "half",
                {"by_word": "word", "by_flag": "late"}[label],
                "half",
            ]


def test_a_category_that_a_rule_allows_is_not_known_for_that() -> None:
    """The input's own policy for categories that no stage knows stays what it was."""
    inputs = {**INPUTS, "k": {"kind": "category", "unknown": "reject"}}
    stages = {
        "place": {"use": "ordinal", "columns": ["k"], "categories": ["UA"], "into": "place"},
        "codes": {"use": "require", "columns": ["k"], "allowed": ["UA", "AA"]},
    }
    pipeline = Pipeline(
        build(config_of(stages, inputs=inputs, outputs=["k", "place"])).plan, {}, interpreted=True
    )
    assert pipeline.predict_one({"id": 1, "k": "UA"})["k"] == "UA"
    with pytest.raises(RowError, match="not a category that the pipeline knows"):
        pipeline.predict_one({"id": 1, "k": "AA"})


def test_rules_are_changed_on_a_bundle(bundle: Path, tmp_path: Path) -> None:
    pq.write_table(table_of(ROWS), tmp_path / "rows.parquet")
    given = [f"source.path={tmp_path}/rows.parquet", f"sink.path={tmp_path}/out.csv", "rejects.max=null"]
    rules = ["stages.range.max=null", "stages.range.not_null=false", "stages.codes.allowed=[XX]"]
    assert main(["batch", f"bundle={bundle}", *given, *rules]) == 0
    assert pacsv.read_csv(tmp_path / "out.csv")["id"].to_pylist() == [3, 4]
    said = [
        reason.split(": ")[0] for reason in pacsv.read_csv(tmp_path / "out.rejects.csv")["reason"].to_pylist()
    ]
    assert said == ["stages.codes", "stages.range", "stages.tails", "stages.codes", "stages.codes"]


def test_fit_leaves_refused_rows_out() -> None:
    stages = {
        "range": {"use": "require", "columns": ["n"], "max": 10, "not_null": True},
        "fill": {"use": "scale", "columns": ["n"], "strategy": "maxabs"},
    }
    rows = [{"n": n, "k": None, "w": None, "t": None} for n in (1.0, 2.0, 10.0, 500.0, None)] * 20
    pipeline = fit(config_of(stages, split=SPLIT), table_of(rows))
    assert pipeline.predict_one({"id": 0, "n": 10.0})["n"] == 1.0
    assert pipeline.fitted is not None and pipeline.fitted.rows["filtered"] == 40
    everything = [{**row, "n": 11.0} for row in rows]
    with pytest.raises(DataError, match=r"stages\.range: the filter refuses every row"):
        fit(config_of(stages, split=SPLIT), table_of(everything))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "stages.rule: require has no rule: give not_null: true, min, max, allowed or pattern"),
        (
            {"columns": ["n", "k"], "min": 0},
            "min is no rule for 'k' (category): there are allowed, pattern and not_null; take another, or "
            "give such columns a require stage of their own",
        ),
        ({"columns": ["w", "t"], "max": "2013-01-01"}, "max is no rule for 'w' (text)"),
        (
            {"columns": ["n", "id", "t"], "pattern": "N.*"},
            "pattern is no rule for 'n', 'id' (number): there are min, max, allowed and not_null",
        ),
        ({"columns": ["t"], "allowed": ["2013-01-01"]}, "allowed is no rule for 't' (timestamp)"),
        ({"columns": ["n"], "min": "2013-01-01"}, "min of 'n' (number) must be a number, not the text"),
        (
            {"columns": ["t"], "min": 2013},
            "min of 't' (timestamp) must be a moment such as 2013-01-01T18:30:00Z, or a date, not 2013",
        ),
        ({"columns": ["t"], "max": "2013-02-30"}, "Z, or a date, not '2013-02-30'"),
        ({"columns": ["n"], "min": 5, "max": 3}, "min (5) is above max (3), so that no value passes"),
        (
            {"columns": ["t"], "min": "2013-01-01T01:00:00+01:00", "max": "2012-12-31"},
            "min (2013-01-01T01:00:00+01:00) is above max (2012-12-31)",
        ),
        ({"columns": ["k"], "allowed": []}, "allowed is empty, so that no value passes: give a list"),
        ({"columns": ["k"], "allowed": ["UA", 5]}, "allowed[1] of 'k' (category) must be text, not"),
        ({"columns": ["k"], "allowed": [False]}, 'quote it: "NO"'),
        ({"columns": ["n"], "allowed": [1, "UA"]}, "allowed[1] of 'n' (number) must be a number"),
        ({"columns": ["n"], "allowed": [True]}, "must be a number, not the boolean true"),
        ({"columns": ["n"], "min": "nan"}, "min of 'n' (number) is NaN, which is what is missing"),
        ({"columns": ["w"], "pattern": ""}, 'an empty text alone matches: write allowed: [""]'),
        ({"columns": ["w"], "pattern": "a)(b"}, "pattern 'a)(b' is no regular expression: unexpected )"),
        ({"columns": ["w"], "allowed": ["\ud800"]}, "holds a half of a character"),
        ({"columns": ["n"], "min": 0, "into": "x"}, "'require' refuses rows and makes no columns"),
    ],
)  # fmt: skip
def test_mistakes(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(config_of({"rule": {"use": "require", "columns": ["n"], **options}}))
    assert said in str(caught.value)


def test_bounds_without_an_end() -> None:
    (found,) = run_stage("require", {"n": [-math.inf, 0.0, math.inf]}, max="inf", columns=["n"]).values()
    assert found == [False, False, False]
    with pytest.raises(UserError, match=r"allowed\[0\] of 'n' \(number\) is NaN"):
        run_stage("require", {"n": [1.0]}, allowed=[math.nan])
