"""The expression graph: what a stage's arithmetic becomes when it is traced.

An `Expr` is a node with a kind; stages build it by ordinary Python operators on the columns they get.
Nothing is computed here. The same graph is compiled (`engine.compile`) and interpreted
(`engine.expr.interpret`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.expr import called
from engine.expr.cells import Cells
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


LEAVES = ("input", "score", "made")
"""The operators without operands that read a column."""

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
        What the operator needs besides operands: a column name, a constant, a `Lookup`, texts, a part
        of the calendar, edges, a function, a table's cells.

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
        return _numeric("add", self, other)

    def __radd__(self, other: Number) -> Expr:
        return _numeric("add", other, self)

    def __sub__(self, other: Number) -> Expr:
        return _numeric("sub", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return _numeric("sub", other, self)

    def __mul__(self, other: Number) -> Expr:
        return _numeric("mul", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return _numeric("mul", other, self)

    def __truediv__(self, other: Number) -> Expr:
        return _numeric("div", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return _numeric("div", other, self)

    def __neg__(self) -> Expr:
        return _numeric("neg", self)

    def __abs__(self) -> Expr:
        return _numeric("abs", self)

    # -- comparison: IEEE's, so every one but != is false where an operand is missing

    def __lt__(self, other: Number) -> Expr:
        return _numeric("lt", self, other)

    def __le__(self, other: Number) -> Expr:
        return _numeric("le", self, other)

    def __gt__(self, other: Number) -> Expr:
        return _numeric("gt", self, other)

    def __ge__(self, other: Number) -> Expr:
        return _numeric("ge", self, other)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        if isinstance(other, str):
            return self.lookup({other: 1.0}, missing=0.0, unknown=0.0) > 0.5
        return _numeric("eq", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        if isinstance(other, str):
            return ~(self == other)
        return _numeric("ne", self, other)

    __hash__ = object.__hash__

    # -- logic

    def __and__(self, other: Expr | bool) -> Expr:
        return _logical("and", self, other)

    def __or__(self, other: Expr | bool) -> Expr:
        return _logical("or", self, other)

    def __invert__(self) -> Expr:
        return _logical("not", self)

    def __bool__(self) -> bool:
        raise TypeError(
            "an Expr has no truth value while it is traced: use where(condition, a, b), &, | and ~ "
            "in place of if, and, or, not"
        )

    # -- functions

    def clip(self, lo: Number, hi: Number) -> Expr:
        """Limit to [lo, hi]; missing stays missing."""
        return _numeric("clip", self, lo, hi)

    def isnan(self) -> Expr:
        """Whether the value is missing, of whatever kind."""
        if self.kind is Kind.CATEGORY:
            return self.lookup({}, missing=1.0, unknown=0.0) > 0.5
        if self.kind is Kind.TIMESTAMP:
            return Expr("isnat", (self,), Kind.BOOLEAN)
        return _numeric("isnan", self)

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


def _numeric(op: str, *args: Any) -> Expr:
    nodes = tuple(as_number(arg) for arg in args)
    return Expr(op, nodes, OPERATIONS[op].result)


def _logical(op: str, *args: Any) -> Expr:
    nodes = tuple(as_expr(arg) for arg in args)
    for node in nodes:
        if node.kind is not Kind.BOOLEAN:
            raise TypeError(f"{op} needs a boolean, not a {node.kind}: {node!r}")
    return Expr(op, nodes, Kind.BOOLEAN)


# -- functions as authors call them


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


def isnan(x: Expr) -> Expr:
    """Whether the value is missing."""
    return as_expr(x).isnan()


def minimum(x: Number, y: Number) -> Expr:
    """The lesser of two numbers; missing if either is."""
    return _numeric("min", x, y)


def maximum(x: Number, y: Number) -> Expr:
    """The greater of two numbers; missing if either is."""
    return _numeric("max", x, y)


def log(x: Number) -> Expr:
    """Natural logarithm; NaN below zero, -inf at zero."""
    return _numeric("log", x)


def log1p(x: Number) -> Expr:
    """``log(1 + x)``, exact near zero; NaN below -1."""
    return _numeric("log1p", x)


def exp(x: Number) -> Expr:
    """e to the power of x; inf past 709."""
    return _numeric("exp", x)


def sqrt(x: Number) -> Expr:
    """Square root; NaN below zero."""
    return _numeric("sqrt", x)


def floor(x: Number) -> Expr:
    """The greatest whole number not above x."""
    return _numeric("floor", x)


def clip(x: Number, lo: Number, hi: Number) -> Expr:
    """Limit to [lo, hi]; missing stays missing."""
    return _numeric("clip", x, lo, hi)


def single(x: Number, edges: Iterable[float]) -> Expr:
    """The number as a float32 on the same side of each edge (see `engine.expr.single`).

    >>> single(Expr.input("x", Kind.NUMBER), [0.5, 0.1])
    single(x, [0.1, 0.5])
    """
    # adding 0.0 leaves one zero: equal data is then equal to the bit
    return Expr("single", (as_number(x),), Kind.NUMBER, tuple(sorted({float(e) + 0.0 for e in edges})))


def call(function: Any, *xs: Number) -> Expr:
    """What a function of numbers gives that numba compiles: the way out for loops.

    Parameters
    ----------
    function : numba dispatcher
        At the top level of the plugin's module, ``@numba.njit``; of float64, it gives a float64 and raises
        nothing. Missing comes as NaN. For exp and logarithms to have the bits that they have elsewhere, it
        takes those of `engine.jit.functions`.
    *xs : number

    Raises
    ------
    UserError
        The function isn't such a one.
    """
    nodes = tuple(as_number(x) for x in xs)
    return Expr("call", nodes, Kind.NUMBER, called.describe(function, len(nodes)))


class Table:
    """Numbers that an expression indexes; see `table`."""

    def __init__(self, values: Any) -> None:
        self.cells = Cells.of(values)

    def __getitem__(self, index: Any) -> Expr:
        indices = index if isinstance(index, tuple) else (index,)
        if len(indices) != len(self.cells.shape):
            raise TypeError(f"this table takes {len(self.cells.shape)} indices, not {len(indices)}")
        return Expr("table", tuple(as_number(i) for i in indices), Kind.NUMBER, self.cells)


def table(values: Any) -> Table:
    """A table of numbers in one or two dimensions: ``t[i]``, ``t[i, j]``, with numbers that count from 0.

    Outside of it, and where an index is missing, the result is missing. An index between two whole numbers
    is the lesser of them.

    >>> table([0.5, 1.5])[Expr.input("x", Kind.NUMBER)]
    table(2)[x]
    """
    return Table(values)


def search(x: Number, edges: Any) -> Expr:
    """How many of some ascending numbers are at or below x; missing stays missing.

    Other edges, and more of them, run the same compiled code.

    >>> search(Expr.input("x", Kind.NUMBER), [0.2, 0.6])
    search(x, 2)
    """
    return Expr("search", (as_number(x),), Kind.NUMBER, Cells.of(edges))


# -- reading a graph


def walk(roots: Iterable[Expr], stop: Callable[[Expr], bool] = lambda node: False) -> Iterator[Expr]:
    """Every node once, operands before what uses them.

    A stack instead of recursion: chains may be longer than Python's recursion limit.

    Parameters
    ----------
    roots : iterable of Expr
    stop : callable
        Nodes whose operands are not visited.
    """
    seen: set[int] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, expanded = stack.pop()
            if expanded:
                yield node
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                if not stop(node):
                    stack.extend((arg, False) for arg in reversed(node.args))


def leaves(roots: Iterable[Expr]) -> list[Expr]:
    """The columns (inputs, scores, made ones) that the roots read, each once, in order of first use."""
    found: dict[Any, Expr] = {}
    for node in walk(roots):
        if node.op in LEAVES:
            found.setdefault((node.op, node.data), node)
    return list(found.values())


def describe(root: Expr, most: int = 2000) -> str:
    """The expression as a person would write it, cut off after ``most`` characters."""
    texts: dict[int, str] = {}
    for node in walk((root,)):
        texts[id(node)] = _describe_one(node, [texts[id(arg)] for arg in node.args])[: most + 1]
    text = texts[id(root)]
    return text if len(text) <= most else text[:most] + "…"


def _describe_one(node: Expr, args: list[str]) -> str:
    if node.op == "input":
        return str(node.data)
    if node.op in ("score", "made"):
        label, index = node.data
        return f"{label}[{index}]"
    if node.op == "const":
        return repr(node.data)
    if node.op == "lookup":
        shown = ", ".join(
            f"{t!r}: {v:g}" for t, v in zip(node.data.texts[:3], node.data.values, strict=False)
        )
        more = ", …" if len(node.data.texts) > 3 else ""
        return f"lookup({args[0]}, {{{shown}{more}}})"
    if node.op == "choose":
        return f"choose({args[0]}, {list(node.data[:3])!r})"
    if node.op == "calendar":
        return f"{node.data}({args[0]})"
    if node.op == "single":
        shown = ", ".join(f"{edge:g}" for edge in node.data[:3])
        return f"single({args[0]}, [{shown}{', …' if len(node.data) > 3 else ''}])"
    if node.op == "call":
        return f"{node.data.name}({', '.join(args)})"
    if node.op == "search":
        return f"search({args[0]}, {node.data.shape[0]})"
    if node.op == "table":
        return f"table({' × '.join(map(str, node.data.shape))})[{', '.join(args)}]"
    symbol = OPERATIONS[node.op].symbol
    if symbol and len(args) == 2:
        return f"({args[0]} {symbol} {args[1]})"
    if symbol:
        return f"{symbol}{args[0]}" if symbol == "-" else f"({symbol} {args[0]})"
    return f"{node.op}({', '.join(args)})"
