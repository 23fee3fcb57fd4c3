"""A node of the expression graph, and the operators that make others out of it.

Nothing is computed here. The same graph is compiled (`engine.compile`) and interpreted
(`engine.expr.interpret`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, TypeAlias

from engine.expr.derived import Derived, TextFunction, numbers_of
from engine.expr.describe import describe
from engine.expr.elapsed import parts
from engine.expr.operations import OPERATIONS
from engine.schema import Kind


@dataclass(frozen=True, slots=True)
class Lookup:
    """The table of a category look-up.

    Parameters
    ----------
    texts : tuple of str
        Categories that have a value of their own.
    values : tuple of float
        Their values, in the same order.
    missing, unknown : float
        The values of a missing category and of every other text.
    """

    texts: tuple[str, ...]
    values: tuple[float, ...]
    missing: float
    unknown: float


Number: TypeAlias = "Expr | float | int | bool"


class Expr:
    """A node of the expression graph.

    Parameters
    ----------
    op : str
        ``input``, ``score``, ``made``, ``const``, ``lookup``, ``choose``, ``calendar``, ``single``, ``call``,
        ``table``, ``search``, or a name in `engine.expr.operations.OPERATIONS`.
    args : tuple of Expr
        The operands.
    kind : Kind
        The kind of the result.
    data : hashable
        What the operator needs besides operands: a column name (or what is `Derived` from one), a constant,
        a `Lookup`, texts, a part of the calendar, edges, a function, a table's cells.

    Examples
    --------
    >>> x = Expr.input("delay", Kind.NUMBER)
    >>> (x / 60).clip(0, 24)
    clip((delay / 60.0), 0.0, 24.0)
    >>> (x > 15).kind
    <Kind.BOOLEAN: 'boolean'>
    """

    __slots__ = ("args", "data", "kind", "op")

    def __init__(self, op: str, args: tuple[Expr, ...], kind: Kind, data: Any = None) -> None:
        self.op = op
        self.args = args
        self.kind = kind
        self.data = data

    # -- leaves

    @staticmethod
    def input(name: str, kind: Kind) -> Expr:
        """A raw input column."""
        return Expr("input", (), kind, name)

    @staticmethod
    def score(label: str, index: int) -> Expr:
        """Output ``index`` of the score stage ``label``: a float32, widened to float64."""
        return Expr("score", (), Kind.NUMBER, (label, index))

    @staticmethod
    def made(label: str, index: int, kind: Kind) -> Expr:
        """Column ``index`` of those that the stage ``label`` makes outside of kernels."""
        return Expr("made", (), kind, (label, index))

    @staticmethod
    def const(value: float | bool) -> Expr:
        """A constant number or boolean."""
        if isinstance(value, bool):
            return Expr("const", (), Kind.BOOLEAN, value)
        return Expr("const", (), Kind.NUMBER, float(value))

    # -- arithmetic

    def __add__(self, other: Number) -> Expr:
        return numeric("add", self, other)

    def __radd__(self, other: Number) -> Expr:
        return numeric("add", other, self)

    def __sub__(self, other: Number) -> Expr:
        return numeric("sub", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return numeric("sub", other, self)

    def __mul__(self, other: Number) -> Expr:
        return numeric("mul", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return numeric("mul", other, self)

    def __truediv__(self, other: Number) -> Expr:
        return numeric("div", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return numeric("div", other, self)

    def __neg__(self) -> Expr:
        return numeric("neg", self)

    def __abs__(self) -> Expr:
        return numeric("abs", self)

    # -- comparison: IEEE's, so every one but != is false where an operand is missing

    def __lt__(self, other: Number) -> Expr:
        return numeric("lt", self, other)

    def __le__(self, other: Number) -> Expr:
        return numeric("le", self, other)

    def __gt__(self, other: Number) -> Expr:
        return numeric("gt", self, other)

    def __ge__(self, other: Number) -> Expr:
        return numeric("ge", self, other)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        if isinstance(other, str):
            return self.lookup({other: 1.0}, missing=0.0, unknown=0.0) > 0.5
        return numeric("eq", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        if isinstance(other, str):
            return ~(self == other)
        return numeric("ne", self, other)

    __hash__ = object.__hash__

    # -- logic

    def __and__(self, other: Expr | bool) -> Expr:
        return logical("and", self, other)

    def __or__(self, other: Expr | bool) -> Expr:
        return logical("or", self, other)

    def __invert__(self) -> Expr:
        return logical("not", self)

    def __bool__(self) -> bool:
        raise TypeError(
            "an Expr has no truth value while it is traced: use where(condition, a, b), &, | and ~ "
            "in place of if, and, or, not"
        )

    # -- functions

    def clip(self, lo: Number, hi: Number) -> Expr:
        """Limit to [lo, hi]; missing stays missing."""
        return numeric("clip", self, lo, hi)

    def isnan(self) -> Expr:
        """Whether the value is missing, of whatever kind."""
        if self.kind is Kind.CATEGORY:
            return self.lookup({}, missing=1.0, unknown=0.0) > 0.5
        if self.kind is Kind.TIMESTAMP:
            return Expr("isnat", (self,), Kind.BOOLEAN)
        return numeric("isnan", self)

    def lookup(self, table: Mapping[str, float], *, missing: float, unknown: float) -> Expr:
        """The number that a table has for each category."""
        if self.kind is not Kind.CATEGORY:
            raise TypeError(f"lookup needs a category, not a {self.kind}: {self!r}")
        data = Lookup(tuple(table), tuple(map(float, table.values())), float(missing), float(unknown))
        return Expr("lookup", (self,), Kind.NUMBER, data)

    def choose(self, texts: Sequence[str]) -> Expr:
        """The text at this index (a boolean counts as 0 or 1); outside the texts, missing."""
        index, unique = as_number(self), tuple(dict.fromkeys(texts))
        if len(unique) < len(texts):
            # a text must have one code: indices of a repeated one all become its place among the unique
            places = [unique.index(text) for text in texts]
            node = index
            for i, place in enumerate(places):
                if i != place:
                    node = where((index >= i) & (index < i + 1), place, node)
            index = where((index >= 0) & (index < len(texts)), node, -1.0)
        return Expr("choose", (index,), Kind.CATEGORY, unique)

    def calendar(self, part: str) -> Expr:
        """A part of the date in UTC (see `engine.expr.calendar.PARTS`); missing where there is none."""
        from engine.expr.calendar import PARTS

        if self.kind is not Kind.TIMESTAMP:
            raise TypeError(f"calendar needs a timestamp, not a {self.kind}: {self!r}")
        if part not in PARTS:
            raise ValueError(f"no such part of the calendar: {part!r}; there are {', '.join(PARTS)}")
        return Expr("calendar", (self,), Kind.NUMBER, part)

    def since(self, other: Expr | int) -> Expr:
        """Microseconds from another timestamp, or from one stated in µs since 1970, to this one.

        Negative where this one is the earlier; missing where either is.
        """
        if isinstance(other, int):
            days, rest = parts(other)
            other = Expr("moment", (Expr.const(days), Expr.const(rest)), Kind.TIMESTAMP)
        for node in (self, other):
            if node.kind is not Kind.TIMESTAMP:
                raise TypeError(f"since needs timestamps, not a {node.kind}: {node!r}")
        return Expr("elapsed", (self, other), Kind.NUMBER)

    def of_text(self, function: TextFunction) -> Expr:
        """The number that a function such as those of `engine.expr.texts` gives of each text itself.

        Of a category or a text; missing where the text is. What an input's texts give is read with the
        input: they need not be known to any stage.
        """
        if self.op == "input" and self.kind in (Kind.CATEGORY, Kind.TEXT):
            return Expr("input", (), Kind.NUMBER, Derived(self.data, function))
        if self.op == "choose":
            table = dict(zip(self.data, numbers_of(function, self.data).tolist(), strict=True))
            return self.lookup(table, missing=nan, unknown=nan)
        raise TypeError(f"of_text needs a category or a text, not a {self.kind}: {self!r}")

    def __repr__(self) -> str:
        return describe(self)


def as_expr(value: Any) -> Expr:
    """A constant as a node; a node as it is."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, bool | int | float):
        return Expr.const(value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy scalar
        return Expr.const(value.item())
    raise TypeError(f"expected a column or a number, got {type(value).__name__}: {value!r}")


def as_number(value: Any) -> Expr:
    """A node of kind number; a boolean becomes 0 or 1."""
    node = as_expr(value)
    if node.kind is Kind.BOOLEAN:
        if node.op == "const":
            return Expr.const(float(node.data))
        return Expr("number", (node,), Kind.NUMBER)
    if node.kind is not Kind.NUMBER:
        raise TypeError(f"expected a number, got a {node.kind}: {node!r}")
    return node


def numeric(op: str, *args: Any) -> Expr:
    """An operator on numbers; booleans count as 0 and 1."""
    nodes = tuple(as_number(arg) for arg in args)
    return Expr(op, nodes, OPERATIONS[op].result)


def logical(op: str, *args: Any) -> Expr:
    """An operator on booleans."""
    nodes = tuple(as_expr(arg) for arg in args)
    for node in nodes:
        if node.kind is not Kind.BOOLEAN:
            raise TypeError(f"{op} needs a boolean, not a {node.kind}: {node!r}")
    return Expr(op, nodes, Kind.BOOLEAN)


def where(condition: Expr | bool, yes: Any, no: Any) -> Expr:
    """``yes`` where the condition holds, else ``no``; both numbers or both booleans.

    >>> x = Expr.input("x", Kind.NUMBER)
    >>> where(x.isnan(), 0, x)
    where(isnan(x), 0.0, x)
    """
    test, a, b = as_expr(condition), as_expr(yes), as_expr(no)
    if test.kind is not Kind.BOOLEAN:
        raise TypeError(f"where needs a boolean first, not a {test.kind}: {test!r}")
    if a.kind is Kind.BOOLEAN and b.kind is Kind.BOOLEAN:
        return Expr("where", (test, a, b), Kind.BOOLEAN)
    return Expr("where", (test, as_number(a), as_number(b)), Kind.NUMBER)
