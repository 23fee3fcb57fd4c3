"""What a stage's arithmetic is written with: a graph of expressions, made when the stage is traced.

An `Expr` is a node with a kind; stages build others by ordinary Python operators on the columns they get, and
by the functions here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.expr import called
from engine.expr.cells import Cells
from engine.expr.node import Expr, Number, as_expr, as_number, numeric, where
from engine.schema import Kind

__all__ = [
    "Expr", "Table", "as_number", "call", "clip", "cos", "exp", "expm1", "floor", "isnan", "log", "log1p",
    "maximum", "minimum", "power", "search", "sin", "single", "sqrt", "table", "where",
]  # fmt: skip


def isnan(x: Expr) -> Expr:
    """Whether the value is missing."""
    return as_expr(x).isnan()


def minimum(x: Number, y: Number) -> Expr:
    """The lesser of two numbers; missing if either is."""
    return numeric("min", x, y)


def maximum(x: Number, y: Number) -> Expr:
    """The greater of two numbers; missing if either is."""
    return numeric("max", x, y)


def log(x: Number) -> Expr:
    """Natural logarithm; NaN below zero, -inf at zero."""
    return numeric("log", x)


def log1p(x: Number) -> Expr:
    """``log(1 + x)``, exact near zero; NaN below -1."""
    return numeric("log1p", x)


def exp(x: Number) -> Expr:
    """e to the power of x; inf past 709."""
    return numeric("exp", x)


def expm1(x: Number) -> Expr:
    """``exp(x) - 1``, exact near zero."""
    return numeric("expm1", x)


def sin(x: Number) -> Expr:
    """Sine of an angle in radians; NaN where it is infinite."""
    return numeric("sin", x)


def cos(x: Number) -> Expr:
    """Cosine of an angle in radians; NaN where it is infinite."""
    return numeric("cos", x)


def power(x: Number, y: Number) -> Expr:
    """x to the power of y; missing if either is, and where x is below 0 and y no whole number."""
    return numeric("pow", x, y)


def sqrt(x: Number) -> Expr:
    """Square root; NaN below zero."""
    return numeric("sqrt", x)


def floor(x: Number) -> Expr:
    """The greatest whole number not above x."""
    return numeric("floor", x)


def clip(x: Number, lo: Number, hi: Number) -> Expr:
    """Limit to [lo, hi]; missing stays missing."""
    return numeric("clip", x, lo, hi)


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
    """How many of some sorted numbers are at or below x; missing stays missing.

    Parameters
    ----------
    x : number
    edges : array-like of float, shape (n,)
        Ascending; however many there are, the same kernel searches them.

    >>> search(Expr.input("x", Kind.NUMBER), [0.0, 1.5])
    search(2)[x]
    """
    cells = Cells.of(edges)
    values = np.frombuffer(cells.content)
    if len(cells.shape) != 1 or not (values[:-1] <= values[1:]).all() or np.isnan(values).any():
        raise ValueError("search takes edges in one dimension that ascend, and none that is NaN")
    return Expr("search", (as_number(x),), Kind.NUMBER, cells)
