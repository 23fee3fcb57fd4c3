"""Rows that break rules: against plain Python, and what the options are about."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import build
from engine.errors import ConfigError, RowError, UserError
from engine.pipeline import Pipeline
from engine.testing import run_stage

from .conftest import Table
from .ruled import INPUTS, MOMENTS, both, config_of, table_of

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
