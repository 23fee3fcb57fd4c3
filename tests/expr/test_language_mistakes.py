"""What the expression language refuses: whole messages, and where their carets point."""

from __future__ import annotations

import pytest

from engine.errors import Mistake, UserError
from engine.expr.graph import Expr
from engine.expr.language import ExpressionError, check_syntax, names, parse
from engine.schema import Kind

NODES = {
    name: Expr.input(name, kind)
    for name, kind in {
        "a": Kind.NUMBER,
        "dep_delay": Kind.NUMBER,
        "wind gust": Kind.NUMBER,
        "late": Kind.BOOLEAN,
        "carrier": Kind.CATEGORY,
        "time_hour": Kind.TIMESTAMP,
        "note": Kind.TEXT,
    }.items()
}

SYNTAX = [
    "expected a value at position 13: 'dep_delay / )'\n^",
    "expected a value at position 1: ''\n^",
    "expected a value at position 4: 'a +'\n^",
    "expected a value at position 1: '+a'\n^",
    "expected a value at position 4: 'a ** 2'\n^\n  write x * x, or pow(x, 2)",
    "expected a value at position 4: 'a // 2'\n^\n  write floor(a / b)",
    "expected a value at position 7: 'min(a,)'\n^",
    "expected a value at position 5: 'a + not late'\n^\n  put it in parentheses: (not …)",
    "expected an operator at position 3: 'a dep_delay'\n^\n"
    "  write a name with blanks between backticks: `a dep_delay`",
    "expected an operator at position 2: 'a)'\n^",
    "expected an operator at position 2: 'a, dep_delay'\n^",
    "expected an operator or ) at position 3: '(a'\n^",
    "expected an operator, found 'abc' at position 2: '1abc'\n^",
    "expected an operator, found '_000' at position 2: '1_000'\n^",
    "expected an operator, found '.3' at position 4: '1.2.3'\n^",
    "'.' has no meaning here at position 2: 'a.b'\n^\n"
    "  write a name with unusual characters between backticks: `wind.gust`",
    "'=' has no meaning here at position 3: 'a = 1'\n^\n  write == to compare",
    "'&' has no meaning here at position 3: 'a & late'\n^\n  write and",
    "'!' has no meaning here at position 1: '!late'\n^\n  write not",
    "a text that begins with ' does not end at position 6: 'a == 'UA'\n^",
    "a name that begins with ` does not end at position 1: '`wind gust'\n^",
    "1e999 is beyond the largest float64 at position 1: '1e999'\n^\n  write inf",
    "comparisons can't be chained at position 7: '0 < a < dep_delay + 1'\n^\n"
    "  write 0 < a and a < dep_delay + 1",
    "comparisons can't be chained at position 8: 'a == 1 == late'\n^\n  write a == 1 and 1 == late",
    "no function is called 'mim' at position 1: 'mim(a, 1)'\n^\n  Did you mean 'min'?",
    "no function is called '__import__' at position 1: '__import__('os')'\n^\n"
    "  functions: where, min, max, clip, abs, log, log1p, exp, expm1, sin, cos, pow, sqrt, floor, isnan",
    "clip takes 3 operands, found 2 at position 5: '1 + clip(a, 2)'\n^\n  write clip(x, lo, hi)",
    "abs takes 1 operand, found 0 at position 1: 'abs()'\n^\n  write abs(x)",
    "max takes 2 or more operands, found 1 at position 1: 'max(a)'\n^\n  write max(a, b, …)",
    "a text can only be compared with a category at position 1: ''UA''\n^\n  as in carrier == 'UA'",
    "a text can only be compared with a category at position 8: ''x' == 'x''\n^\n  as in carrier == 'UA'",
    "a text can only be compared with a category at position 5: 'a + 'x''\n^\n  as in carrier == 'UA'",
    "a text can only be compared with a category at position 11: 'carrier < 'x''\n^\n  as in carrier == 'UA'",
    "a text can only be compared with a category at position 5: 'abs('x')'\n^\n  as in carrier == 'UA'",
]
KIND_MISTAKES = [
    "no column is called 'dep_dely' at position 5: '1 + dep_dely'\n^\n"
    "  Did you mean 'dep_delay'? columns: a, dep_delay, wind gust, late, carrier, time_hour, note",
    "no column is called 'zzz' at position 1: 'zzz'\n^\n"
    "  columns: a, dep_delay, wind gust, late, carrier, time_hour, note",
    "expected a number, found a category at position 5: 'a + carrier'\n^\n"
    "  compare a category with a text, as in carrier == 'UA'",
    "expected a number, found a timestamp at position 1: 'time_hour > 3'\n^\n"
    "  the calendar stage makes numbers of a timestamp",
    "expected a number, found a text at position 5: 'log(note)'\n^",
    "expected a text to compare the category with, found a number at position 12: 'carrier == 3'\n^\n"
    "  as in carrier == 'UA'",
    "expected a text to compare the category with, found a category at position 12: 'carrier != carrier'\n^\n"
    "  as in carrier == 'UA'",
    "expected a category to compare the text with, found a number at position 1: 'a + 1 == 'UA''\n^",
    "expected a boolean for and, found a number at position 10: 'late and a + 1'\n^\n"
    "  a comparison is one, as in x > 0",
    "expected a boolean for not, found a number at position 5: 'not a'\n^\n"
    "  a comparison is one, as in x > 0",
    "expected a boolean for where, found a number at position 7: 'where(a, 1, 2)'\n^\n"
    "  a comparison is one, as in x > 0",
    "expected a number, found a category at position 13: 'where(late, carrier, 1)'\n^\n"
    "  compare a category with a text, as in carrier == 'UA'",
    "expected a number, category or timestamp, found a text at position 7: 'isnan(note)'\n^",
]


def whole(short: str) -> tuple[str, str]:
    """The expression that a message quotes, and the message with its caret where it belongs."""
    head, _, rest = short.partition("\n^")
    before, _, quoted = head.partition(": '")
    position = int(before.rsplit(" ", 1)[1])
    return quoted[:-1], f"{head}\n{' ' * (len(before) + 2 + position)}^{rest}"


@pytest.mark.parametrize("short", SYNTAX)
def test_what_is_no_expression(short: str) -> None:
    text, message = whole(short)
    with pytest.raises(ExpressionError) as caught:
        check_syntax(text)
    assert str(caught.value) == message
    assert isinstance(caught.value, UserError)
    with pytest.raises(ExpressionError):
        names(text)
    with pytest.raises(ExpressionError):
        parse(text, NODES)


@pytest.mark.parametrize("short", KIND_MISTAKES)
def test_what_does_not_fit_its_columns(short: str) -> None:
    text, message = whole(short)
    check_syntax(text)
    with pytest.raises(ExpressionError) as caught:
        parse(text, NODES)
    assert str(caught.value) == message


def test_the_caret_stands_under_the_character_in_a_long_text_of_several_lines() -> None:
    text = " +\n".join(["a"] * 100) + " + ?" + " + a" * 50
    with pytest.raises(ExpressionError) as caught:
        check_syntax(text)
    head, caret = str(caught.value).splitlines()
    assert head[len(caret) - 1] == "?"
    assert head.startswith(f"'?' has no meaning here at position {text.index('?') + 1}: '…")
    assert head.endswith("…'")
    assert len(head) < 130


def test_the_caret_moves_with_the_place_that_a_mistake_names() -> None:
    with pytest.raises(ExpressionError) as caught:
        check_syntax("dep_delay / )")
    head, caret, note = str(Mistake("stages.speed", str(caught.value), ("set by: a file",))).splitlines()
    assert head == "stages.speed: expected a value at position 13: 'dep_delay / )'"
    assert head[len(caret) - 1] == ")"
    assert note == "  set by: a file"


def test_nesting_is_bounded() -> None:
    check_syntax("(" * 100 + "a" + ")" * 100)
    check_syntax("-" * 100 + "a")
    for text in ("(" * 101 + "a" + ")" * 101, "-" * 101 + "a", "(" * 9000, "abs(" * 2000, "not " * 2000):
        with pytest.raises(ExpressionError, match="nested deeper than 100 levels at position"):
            check_syntax(text)


def test_length_is_bounded() -> None:
    check_syntax("a" + " " * 9_999)
    with pytest.raises(ExpressionError, match="the expression has 10,001 characters and may have 10,000"):
        check_syntax("a" + " " * 10_000)
