"""The syntax of expressions: tokens to a list of steps in postfix order.

A Pratt parser (V. Pratt, "Top Down Operator Precedence", 1973). Postfix steps need no recursion to read, so
a long chain of operators costs no stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isinf, nan
from types import MappingProxyType

from engine.errors import did_you_mean, listing
from engine.expr.tokens import HINTS, ExpressionError, Token, tokens

MAX_LENGTH = 10_000
"""The most characters that an expression may have."""
MAX_DEPTH = 100
"""The most parentheses, calls and operators that may lie inside one another."""


# -- the functions there are


@dataclass(frozen=True, slots=True)
class Signature:
    """How a function is called.

    Parameters
    ----------
    name : str
    operands : tuple of str
    more : bool
        Whether further operands may follow.
    """

    name: str
    operands: tuple[str, ...]
    more: bool = False

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.operands)}{', …' if self.more else ''})"

    def takes(self, count: int) -> bool:
        """Whether it can be called with this many operands."""
        return count >= len(self.operands) if self.more else count == len(self.operands)


FUNCTIONS: Mapping[str, Signature] = MappingProxyType(
    {
        signature.name: signature
        for signature in (
            Signature("where", ("condition", "yes", "no")),
            Signature("min", ("a", "b"), more=True),
            Signature("max", ("a", "b"), more=True),
            Signature("clip", ("x", "lo", "hi")),
            Signature("abs", ("x",)),
            Signature("log", ("x",)),
            Signature("log1p", ("x",)),
            Signature("exp", ("x",)),
            Signature("expm1", ("x",)),
            Signature("sin", ("x",)),
            Signature("cos", ("x",)),
            Signature("pow", ("x", "y")),
            Signature("sqrt", ("x",)),
            Signature("floor", ("x",)),
            Signature("isnan", ("x",)),
        )
    }
)
"""Every function by name."""


# -- steps


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an expression in postfix order: a value, or what is done with the values before it.

    Parameters
    ----------
    kind : {"number", "boolean", "text", "column", "unary", "binary", "call"}
    value : object
        The constant, the text, the column's name, the operator or the function's name.
    count : int
        How many values it takes.
    index : int
        Where in the text it is, from 0.
    """

    kind: str
    value: float | str
    count: int
    index: int


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    text: bool = False  # a text literal, which only == and != take


_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_NOT, _COMPARE, _NEGATE = 3, 4, 7
_POWER: Mapping[str, int] = MappingProxyType(
    {"or": 1, "and": 2, **dict.fromkeys(_COMPARISONS, _COMPARE), "+": 5, "-": 5, "*": 6, "/": 6}
)
_CONSTANTS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {"true": ("boolean", True), "false": ("boolean", False), "inf": ("number", inf), "nan": ("number", nan)}
)


def steps(text: str) -> list[Step]:
    """The steps of an expression in postfix order.

    Raises
    ------
    ExpressionError
        The text is no expression.

    Examples
    --------
    >>> [step.value for step in steps("a + 2 * b")]
    ['a', 2.0, 'b', '*', '+']
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text):,} characters and may have {MAX_LENGTH:,}; it is too long",
            text,
            MAX_LENGTH,
        )
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = -1  # the whole expression is level 0
        self.steps: list[Step] = []

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def parse(self) -> list[Step]:
        span = self.expression(0)
        if self.token.kind != "end":
            raise self.refuse("an operator")
        self.value(span)
        return self.steps

    def refuse(self, expected: str) -> ExpressionError:
        token = self.token
        before = self.tokens[self.at - 1] if self.at else token
        pair = before.value + token.value if before.end == token.start else ""
        hint = HINTS.get(pair, "")
        if token.kind == before.kind == "name" and before is not token:
            hint = f"write a name with blanks between backticks: `{before.value} {token.value}`"
        if token.value == "not" and token.kind == "operator":
            hint = "put it in parentheses: (not …)"
        return ExpressionError(f"expected {expected}", self.text, token.start, hint)

    def is_operator(self, *values: str) -> bool:
        return self.token.kind == "operator" and self.token.value in values

    def value(self, span: _Span) -> None:
        if span.text:
            raise ExpressionError(
                "a text can only be compared with a category", self.text, span.start, "as in carrier == 'UA'"
            )

    def expression(self, least: int) -> _Span:
        """Read an expression of operators that bind at least this strongly."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels", self.text, self.token.start)
        left = self.prefix(least)
        compared: tuple[_Span, str, _Span] | None = None
        while self.token.kind == "operator" and _POWER.get(self.token.value, -1) >= least:
            token = self.token
            power = _POWER[token.value]
            if power == _COMPARE and compared:
                raise self.chained(*compared)
            self.at += 1
            right = self.expression(power + 1)
            self.operands(token, left, right)
            self.steps.append(Step("binary", token.value, 2, token.start))
            compared = (left, token.value, right) if power == _COMPARE else None
            left = _Span(left.start, right.end)
        self.depth -= 1
        return left

    def chained(self, left: _Span, operator: str, right: _Span) -> ExpressionError:
        token = self.token
        self.at += 1
        mark = len(self.steps)
        last = self.expression(_COMPARE + 1)
        del self.steps[mark:]
        a, b, c = (self.text[span.start : span.end] for span in (left, right, last))
        hint = f"write {a} {operator} {b} and {b} {token.value} {c}"
        return ExpressionError("comparisons can't be chained", self.text, token.start, hint)

    def operands(self, token: Token, left: _Span, right: _Span) -> None:
        if token.value not in ("==", "!="):
            self.value(left)
        if left.text or token.value not in ("==", "!="):
            self.value(right)

    def prefix(self, least: int) -> _Span:
        token = self.token
        if token.kind == "operator" and (token.value == "-" or (token.value == "not" and least <= _NOT)):
            self.at += 1
            operand = self.expression(_NEGATE if token.value == "-" else _NOT)
            self.value(operand)
            self.steps.append(Step("unary", token.value, 1, token.start))
            return _Span(token.start, operand.end)
        if self.is_operator("("):
            self.at += 1
            inner = self.expression(0)
            end = self.close()
            return _Span(token.start, end, inner.text)
        return self.leaf()

    def leaf(self) -> _Span:
        token = self.token
        if token.kind == "operator" and token.value in _CONSTANTS:
            kind, constant = _CONSTANTS[token.value]
            self.steps.append(Step(kind, constant, 0, token.start))
        elif token.kind == "number":
            number = float(token.value)
            if isinf(number):
                raise ExpressionError(
                    f"{token.value} is beyond the largest float64", self.text, token.start, "write inf"
                )
            self.steps.append(Step("number", number, 0, token.start))
        elif token.kind == "text":
            self.steps.append(Step("text", token.value, 0, token.start))
        elif token.kind == "name" and not token.quoted and self.tokens[self.at + 1].value == "(":
            return self.call()
        elif token.kind == "name":
            self.steps.append(Step("column", token.value, 0, token.start))
        else:
            raise self.refuse("a value")
        self.at += 1
        return _Span(token.start, token.end, token.kind == "text")

    def call(self) -> _Span:
        token = self.token
        signature = FUNCTIONS.get(token.value)
        if signature is None:
            hint = did_you_mean(token.value, FUNCTIONS).strip() or f"functions: {listing(FUNCTIONS, 40)}"
            raise ExpressionError(f"no function is called {token.value!r}", self.text, token.start, hint)
        self.at += 2
        count = 0
        if not self.is_operator(")"):
            self.value(self.expression(0))
            count = 1
        while count and self.is_operator(","):
            self.at += 1
            self.value(self.expression(0))
            count += 1
        end = self.close()
        if not signature.takes(count):
            needed = f"{len(signature.operands)}{' or more' if signature.more else ''}"
            raise ExpressionError(
                f"{token.value} takes {needed} operand{'s' * (needed != '1')}, found {count}",
                self.text,
                token.start,
                f"write {signature}",
            )
        self.steps.append(Step("call", token.value, count, token.start))
        return _Span(token.start, end)

    def close(self) -> int:
        if not self.is_operator(")"):
            raise self.refuse("an operator or )")
        self.at += 1
        return self.tokens[self.at - 1].end
