"""The expression language of the ``expr`` stage and of ``target.value``: text to an expression graph.

===========  ==============================================================================
numbers      ``1``, ``1.5``, ``1e-3``, ``inf``, ``nan``; booleans ``true`` and ``false``
columns      ``dep_delay``; with other characters in the name `` `wind gust` ``
texts        ``'UA'`` or ``"UA"``, only beside ``==`` and ``!=`` with a category column
arithmetic   ``+ - * /``; a boolean counts as 0 or 1
comparison   ``< <= > >= == !=``, IEEE's: with a missing number all but ``!=`` are false
logic        ``and``, ``or``, ``not``, of booleans only
functions    `engine.expr.syntax.FUNCTIONS`; ``min`` and ``max`` are missing where an operand is
===========  ==============================================================================

Nothing else is in the language, and no text is ever evaluated as Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any

from engine.errors import did_you_mean, listing
from engine.expr import graph
from engine.expr.graph import Expr
from engine.expr.syntax import Step, steps
from engine.expr.tokens import ExpressionError
from engine.schema import Kind

__all__ = ["ExpressionError", "check_syntax", "names", "parse"]


def check_syntax(text: str) -> None:
    """Check that a text is an expression, whatever its columns are.

    Raises
    ------
    ExpressionError
        It is not; the message points at the character.

    Examples
    --------
    >>> check_syntax("dep_delay / )")
    Traceback (most recent call last):
    engine.expr.tokens.ExpressionError: expected a value at position 13: 'dep_delay / )'
                                                  ^
    """
    steps(text)


def names(text: str) -> tuple[str, ...]:
    """The columns that an expression reads, each once, in order of first use.

    Raises
    ------
    ExpressionError
        The text is no expression.

    Examples
    --------
    >>> names("max(arr_delay, dep_delay) / `air time` + dep_delay")
    ('arr_delay', 'dep_delay', 'air time')
    """
    return tuple(dict.fromkeys(str(step.value) for step in steps(text) if step.kind == "column"))


def parse(text: str, columns: Mapping[str, Expr]) -> Expr:
    """The graph of an expression over columns.

    Parameters
    ----------
    text : str
    columns : mapping of str to Expr
        The node of every column that may be named.

    Returns
    -------
    Expr
        Of the kind that the expression has; a column alone keeps its own.

    Raises
    ------
    ExpressionError
        The text is no expression, names an unknown column or mixes kinds that don't go together.

    Examples
    --------
    >>> delay = Expr.input("delay", Kind.NUMBER)
    >>> parse("where(isnan(delay), 0, delay) > 15", {"delay": delay})
    (where(isnan(delay), 0.0, delay) > 15.0)
    """
    stack: list[_Operand] = []
    for step in steps(text):
        cut = len(stack) - step.count
        operands = stack[cut:]
        del stack[cut:]
        start = min([step.index, *(operand.index for operand in operands)])
        stack.append(_Operand(_Builder(text, columns).build(step, operands), start))
    (result,) = stack
    assert isinstance(result.value, Expr)  # the syntax lets no text stand alone
    return result.value


@dataclass(frozen=True, slots=True)
class _Operand:
    value: Expr | str  # a str is a text literal
    index: int  # where it begins

    @property
    def kind(self) -> str:
        return "text" if isinstance(self.value, str) else str(self.value.kind)


_BINARY: Mapping[str, Callable[[Any, Any], Expr]] = MappingProxyType(
    {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "and": lambda a, b: a & b,
        "or": lambda a, b: a | b,
    }
)

_FUNCTIONS: Mapping[str, Callable[..., Expr]] = MappingProxyType(
    {
        "where": graph.where,
        "min": lambda *x: reduce(graph.minimum, x),
        "max": lambda *x: reduce(graph.maximum, x),
        "clip": graph.clip,
        "abs": abs,
        "log": graph.log,
        "log1p": graph.log1p,
        "exp": graph.exp,
        "expm1": graph.expm1,
        "sin": graph.sin,
        "cos": graph.cos,
        "pow": graph.power,
        "sqrt": graph.sqrt,
        "floor": graph.floor,
        "isnan": graph.isnan,
    }
)


@dataclass(frozen=True, slots=True)
class _Builder:
    text: str
    columns: Mapping[str, Expr]

    def build(self, step: Step, operands: list[_Operand]) -> Expr | str:
        if step.kind == "text":
            return str(step.value)
        if step.kind in ("number", "boolean"):
            return Expr.const(step.value)  # type: ignore[arg-type]
        if step.kind == "column":
            return self.column(step)
        if step.kind == "unary" and step.value == "-":
            return -self.number(operands[0])
        if step.kind == "unary":
            return ~self.boolean(operands[0], "not")
        name = str(step.value)
        if step.kind == "call":
            return self.call(name, operands)
        if name in ("==", "!="):
            return self.equal(name, *operands)
        if name in ("and", "or"):
            return _BINARY[name](*(self.boolean(operand, name) for operand in operands))
        return _BINARY[name](*(self.number(operand) for operand in operands))

    def column(self, step: Step) -> Expr:
        name = str(step.value)
        if name in self.columns:
            return self.columns[name]
        hint = f"{did_you_mean(name, self.columns)} columns: {listing(self.columns)}".strip()
        raise ExpressionError(f"no column is called {name!r}", self.text, step.index, hint)

    def call(self, name: str, operands: list[_Operand]) -> Expr:
        function = _FUNCTIONS[name]
        if name == "isnan":
            return function(self.missable(operands[0]))
        if name == "where":
            condition = self.boolean(operands[0], "where")
            return function(condition, *(self.number(operand) for operand in operands[1:]))
        return function(*(self.number(operand) for operand in operands))

    def equal(self, name: str, left: _Operand, right: _Operand) -> Expr:
        if isinstance(left.value, str):
            left, right = right, left
        if isinstance(right.value, str):
            if left.kind != Kind.CATEGORY:
                raise self.refuse(left, "a category to compare the text with")
            return _BINARY[name](left.value, right.value)
        for one, other in ((left, right), (right, left)):
            if one.kind == Kind.CATEGORY:
                raise self.refuse(other, "a text to compare the category with", "as in carrier == 'UA'")
        return _BINARY[name](self.number(left), self.number(right))

    def number(self, operand: _Operand) -> Expr:
        if operand.kind not in (Kind.NUMBER, Kind.BOOLEAN):
            hints = {
                Kind.CATEGORY: "compare a category with a text, as in carrier == 'UA'",
                Kind.TIMESTAMP: "the calendar stage makes numbers of a timestamp",
            }
            raise self.refuse(operand, "a number", hints.get(Kind(operand.kind), ""))
        return operand.value  # type: ignore[return-value]

    def boolean(self, operand: _Operand, name: str) -> Expr:
        if operand.kind != Kind.BOOLEAN:
            raise self.refuse(operand, f"a boolean for {name}", "a comparison is one, as in x > 0")
        return operand.value  # type: ignore[return-value]

    def missable(self, operand: _Operand) -> Expr:
        if operand.kind == Kind.TEXT:
            raise self.refuse(operand, "a number, category or timestamp")
        return operand.value  # type: ignore[return-value]

    def refuse(self, operand: _Operand, expected: str, hint: str = "") -> ExpressionError:
        return ExpressionError(f"expected {expected}, found a {operand.kind}", self.text, operand.index, hint)
