"""The expression language, beside an independent printer and evaluator of random expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.expr import libm
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.expr.language import ExpressionError, names, parse
from engine.schema import Kind
from engine.values import Categories

KINDS = {
    "a": Kind.NUMBER,
    "dep_delay": Kind.NUMBER,
    "wind gust": Kind.NUMBER,
    "late": Kind.BOOLEAN,
    "carrier": Kind.CATEGORY,
    "time_hour": Kind.TIMESTAMP,
    "note": Kind.TEXT,
}
NODES = {name: Expr.input(name, kind) for name, kind in KINDS.items()}
VALUES: dict[str, Any] = {
    "a": np.array([0.0, -0.0, 1.5, np.nan, np.inf, -np.inf, -3.0, 1e300]),
    "dep_delay": np.array([2.0, -1.0, 1.5, 7.0, np.nan, -np.inf, 0.0, 5e-324]),
    "wind gust": np.array([np.nan, 10.0, -0.5, 0.25, 1.0, 2.0, np.inf, -1e300]),
    "late": np.array([True, False, True, True, False, False, True, False]),
    "carrier": Categories(np.array([0, 1, 2, 3, 2, 3, 0, 1], np.int32), ("UA", "it's")),
}
LEAVES = {("input", name): values for name, values in VALUES.items()}


# -- random expressions: each knows its text, how tightly it binds, and its values


@dataclass(frozen=True)
class Random:
    text: str
    level: int  # 1 or, 2 and, 3 not, 4 comparison, 5 sum, 6 product, 7 minus, 8 anything closed
    values: Any

    @property
    def number(self) -> Any:
        return np.asarray(self.values, np.float64)

    def within(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


def binary(symbol: str, level: int, left: int, right: int, meaning: Callable[[Any, Any], Any]) -> Any:
    def build(a: Random, b: Random) -> Random:
        return Random(f"{a.within(left)} {symbol} {b.within(right)}", level, meaning(a, b))

    return build


def on_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *operands: function(*(operand.number for operand in operands))


def call(name: str, meaning: Callable[..., Any]) -> Any:
    def build(*operands: Random) -> Random:
        return Random(f"{name}({', '.join(operand.text for operand in operands)})", 8, meaning(*operands))

    return build


def propagating(choose: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*x: Any) -> Any:
        result = x[0]
        for y in x[1:]:
            result = np.where(np.isnan(result) | np.isnan(y), np.nan, np.where(choose(y, result), y, result))
        return result

    return apply


SUMS = [
    binary("+", 5, 5, 6, on_numbers(np.add)),
    binary("-", 5, 5, 6, on_numbers(np.subtract)),
    binary("*", 6, 6, 7, on_numbers(np.multiply)),
    binary("/", 6, 6, 7, on_numbers(np.divide)),
]
COMPARISONS = [
    binary("<", 4, 5, 5, on_numbers(np.less)),
    binary("<=", 4, 5, 5, on_numbers(np.less_equal)),
    binary(">", 4, 5, 5, on_numbers(np.greater)),
    binary(">=", 4, 5, 5, on_numbers(np.greater_equal)),
    binary("==", 4, 5, 5, on_numbers(np.equal)),
    binary("!=", 4, 5, 5, on_numbers(np.not_equal)),
]
LOGIC = [
    binary("and", 2, 2, 3, lambda a, b: a.values & b.values),
    binary("or", 1, 1, 2, lambda a, b: a.values | b.values),
]
FUNCTIONS = [
    call("abs", on_numbers(np.abs)),
    call("floor", on_numbers(np.floor)),
    call("sqrt", on_numbers(np.sqrt)),
    *(call(name, on_numbers(libm.array(name))) for name, operands in libm.FUNCTIONS.items() if operands == 1),
]


def minus(operand: Random) -> Random:
    return Random(f"-{operand.within(7)}", 7, -operand.number)


def negation(operand: Random) -> Random:
    return Random(f"not {operand.within(3)}", 3, ~operand.values)


def column(name: str) -> Random:
    return Random(f"`{name}`" if " " in name else name, 8, VALUES[name])


def constant(value: float) -> Random:
    return Random(repr(value), 8, np.full(8, value))


def parenthesised(inner: Random) -> Random:
    return Random(f"( {inner.text})", 8, inner.values)


number_leaf = st.one_of(
    st.sampled_from([column("a"), column("dep_delay"), column("wind gust")]),
    st.floats(min_value=0.0).map(abs).map(constant),
    st.sampled_from([constant(np.inf), constant(np.nan), constant(0.1)]),
    st.integers(0, 10**20).map(lambda i: Random(str(i), 8, np.full(8, float(i)))),
)
CARRIERS = {code: Random(code, 8, None) for code in ("'UA'", '"UA"', "'it''s'", '"it\'s"', "'ZZ'")}


def is_carrier(text: str) -> Any:
    plain = text[1:-1].replace("''", "'")
    codes = VALUES["carrier"].codes
    return codes == (2 if plain == "UA" else 3 if plain == "it's" else -1)


boolean_leaf = st.one_of(
    st.sampled_from(
        [Random("true", 8, np.full(8, True)), Random("false", 8, np.full(8, False)), column("late")]
    ),
    st.sampled_from(list(CARRIERS)).map(lambda t: Random(f"carrier == {t}", 4, is_carrier(t))),
    st.sampled_from(list(CARRIERS)).map(lambda t: Random(f"{t} != carrier", 4, ~is_carrier(t))),
    st.just(Random("isnan(carrier)", 8, VALUES["carrier"].codes == 0)),
)


def expressions() -> Any:
    def grow(smaller: Any) -> Any:
        numbers, booleans = smaller.map(lambda pair: pair[0]), smaller.map(lambda pair: pair[1])
        either = st.one_of(numbers, booleans)
        number = st.one_of(
            st.builds(lambda f, a, b: f(a, b), st.sampled_from(SUMS), either, either),
            st.builds(lambda f, a: f(a), st.sampled_from(FUNCTIONS), either),
            st.builds(minus, either),
            st.builds(parenthesised, numbers),
            st.builds(call("min", on_numbers(propagating(np.less))), either, either, either),
            st.builds(call("max", on_numbers(propagating(np.greater))), either, either),
            st.builds(
                call("where", lambda c, a, b: np.where(c.values, a.number, b.number)),
                booleans,
                numbers,
                either,
            ),
            st.builds(
                call(
                    "clip",
                    on_numbers(lambda x, lo, hi: np.where(x < lo, lo, np.where(x > hi, hi, x))),
                ),
                either,
                either,
                either,
            ),
        )
        boolean = st.one_of(
            st.builds(lambda f, a, b: f(a, b), st.sampled_from(COMPARISONS), either, either),
            st.builds(lambda f, a, b: f(a, b), st.sampled_from(LOGIC), booleans, booleans),
            st.builds(negation, booleans),
            st.builds(parenthesised, booleans),
            st.builds(call("isnan", on_numbers(np.isnan)), either),
            st.builds(call("where", lambda c, a, b: np.where(c.values, a.values, b.values)), *[booleans] * 3),
        )
        return st.tuples(number, boolean)

    return st.recursive(st.tuples(number_leaf, boolean_leaf), grow, max_leaves=10)


def bits(values: Any) -> list[int]:
    out = np.array(values, np.float64)
    out[np.isnan(out)] = np.nan
    return out.view(np.int64).tolist()


with np.errstate(all="ignore"):
    EXPRESSIONS = expressions()


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_values_are_those_of_an_independent_evaluator(data: st.DataObject) -> None:
    with np.errstate(all="ignore"):
        number, boolean = data.draw(EXPRESSIONS)
    for random, kind in ((number, Kind.NUMBER), (boolean, Kind.BOOLEAN)):
        root = parse(random.text, NODES)
        (found,) = interpret([root], LEAVES, 8)
        assert root.kind is kind
        assert bits(found) == bits(random.values)
        assert set(names(random.text)) <= set(VALUES)


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="ab1.e('\"`)=<>!+-*/, \n&%notrdAé²", max_size=40))
def test_any_text_is_an_expression_or_refused_with_a_position(text: str) -> None:
    try:
        parse(text, NODES)
    except ExpressionError as error:
        assert 0 <= error.index <= len(text)
        head, caret = str(error).splitlines()[:2]
        assert f"at position {error.index + 1:,}: '" in head
        assert caret.strip() == "^"
        if error.index < len(text) and text[error.index].isprintable():
            assert head[len(caret) - 1] == text[error.index]


# -- what it reads as


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a - dep_delay - 1", "((a - dep_delay) - 1.0)"),
        ("a / dep_delay * 2", "((a / dep_delay) * 2.0)"),
        ("a + dep_delay * 2", "(a + (dep_delay * 2.0))"),
        ("-a * 2", "(-a * 2.0)"),
        ("a * -2", "(a * -2.0)"),
        ("- - a", "--a"),
        ("not a > 1 and late or late", "(((not (a > 1.0)) and late) or late)"),
        ("late or late and late", "(late or (late and late))"),
        ("not not late", "(not (not late))"),
        ("(a > 1) == late", "(number((a > 1.0)) == number(late))"),
        ("min(a, 1, dep_delay)", "min(min(a, 1.0), dep_delay)"),
        ("isnan(time_hour)", "isnat(time_hour)"),
        ("a\n  + 1\t", "(a + 1.0)"),
        (".5 + 1. + 1e3 + 2E-1", "(((0.5 + 1.0) + 1000.0) + 0.2)"),
        ("`wind gust` + `a`", "(wind gust + a)"),
        ("late + true", "(number(late) + 1.0)"),
        ("carrier", "carrier"),
    ],
)
def test_reading(text: str, written: str) -> None:
    assert repr(parse(text, NODES)) == written


def test_words_of_the_language_are_columns_between_backticks_and_functions_without_parentheses() -> None:
    nodes = {name: Expr.input(name, Kind.NUMBER) for name in ("nan", "and", "log", "a`b", "größe")}
    assert names("`nan` + `and` + log + log(`a``b`) + größe") == ("nan", "and", "log", "a`b", "größe")
    assert parse("`nan` + log", nodes).args == (nodes["nan"], nodes["log"])


def test_names_come_once_in_order() -> None:
    assert names("where(dep_delay > a, `wind gust`, a) + dep_delay") == ("dep_delay", "a", "wind gust")
    assert names("1 + 2") == ()


def test_a_long_chain_is_read_without_recursion() -> None:
    text = "+".join(["a"] * 5000)
    assert interpret([parse(text, NODES)], LEAVES, 8)[0][2] == 7500.0  # type: ignore[index]
