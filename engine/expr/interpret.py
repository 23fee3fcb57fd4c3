"""The plain interpreter: an expression graph over whole NumPy arrays.

It is the oracle of every compiled kernel and the way out where numba can't run. It fits stages, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.expr import calendar, called
from engine.expr.graph import LEAVES, Expr, walk
from engine.expr.operations import OPERATIONS
from engine.expr.single import single
from engine.schema import Kind
from engine.values import FIRST, MISSING, NAT, Categories, Values

Leaf = tuple[str, Any]
"""What a leaf reads: ``("input", name)``, ``("score", (label, index))`` or ``("made", (label, index))``."""


def interpret(roots: Sequence[Expr], leaves: Mapping[Leaf, Values], rows: int) -> list[Values]:
    """The values of each root.

    Parameters
    ----------
    roots : sequence of Expr
    leaves : mapping
        The values of every leaf that the roots read, ``rows`` long each.
    rows : int

    Returns
    -------
    list of Values
        One for each root, of its kind's dtype; every NaN is the canonical one.

    Examples
    --------
    >>> x = Expr.input("x", Kind.NUMBER)
    >>> interpret([x * 2 + 1], {("input", "x"): np.array([1.0, np.nan])}, 2)
    [array([ 3., nan])]
    """
    results: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for node in walk(roots):
            results[id(node)] = _evaluate(node, [results[id(arg)] for arg in node.args], leaves)
        return [_finish(root, results[id(root)], rows) for root in roots]


def _evaluate(node: Expr, args: list[Any], leaves: Mapping[Leaf, Values]) -> Any:
    if node.op in LEAVES:
        values = leaves[(node.op, node.data)]
        if node.kind is Kind.NUMBER:
            return np.asarray(values, np.float64)
        return values
    if node.op == "const":
        return np.bool_(node.data) if node.kind is Kind.BOOLEAN else np.float64(node.data)
    if node.op == "lookup":
        return lookup_table(node.data, args[0].texts)[args[0].codes]
    if node.op == "choose":
        index = args[0]
        inside = (index >= 0) & (index < len(node.data))
        codes = np.where(inside, np.where(inside, index, 0.0).astype(np.int32) + FIRST, MISSING)
        return Categories(codes.astype(np.int32), node.data)
    if node.op == "calendar":
        part = getattr(calendar, node.data)(args[0])
        return np.where(args[0] == NAT, np.nan, np.asarray(part, np.float64))
    if node.op == "single":
        return single(args[0], node.data)
    if node.op == "call":
        return called.array(node.data, len(args))(*args)
    if node.op == "table":
        return node.data.at(*args)
    if node.op == "search":
        return node.data.below(args[0])
    return OPERATIONS[node.op].array(*args)


def lookup_table(data: Any, texts: Sequence[str]) -> Any:
    """A look-up's values by category code, for this vocabulary: float64 ``(2 + len(texts),)``."""
    own = dict(zip(data.texts, data.values, strict=True))
    return np.array([data.missing, data.unknown, *(own.get(text, data.unknown) for text in texts)])


def _finish(root: Expr, values: Any, rows: int) -> Values:
    if isinstance(values, Categories):
        return Categories(np.array(np.broadcast_to(values.codes, (rows,))), values.texts)
    if root.kind is Kind.NUMBER:
        out = np.array(np.broadcast_to(np.asarray(values, np.float64), (rows,)))
        out[np.isnan(out)] = np.nan
        return out
    dtype = np.int64 if root.kind is Kind.TIMESTAMP else np.bool_
    return np.array(np.broadcast_to(np.asarray(values, dtype), (rows,)))
