"""Chains of monotone operators over one number, and where splits on them lie on that number.

Edges are found from the outside in, operator by operator (`engine.forest.edges`), so what is checked of one
needs no luck with those around it. A chain goes down to whatever number it starts from: an input mostly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.expr.graph import Expr, single, where
from engine.expr.operations import OPERATIONS
from engine.expr.single import ceiling
from engine.forest import edges
from engine.forest.edges import LEAST, MOST, Floats, Function, Keys, cross, falls, keys, numbers

COSTLY = frozenset({"exp", "log", "log1p"})
"""The C library's functions: a chain with one costs more than rounding beside edges (`expr/single.py`)."""

_FIRST: Mapping[str, int] = MappingProxyType({"log": 0, "log1p": int(keys(-1.0)), "sqrt": 0})
"""The key of the first number that these give a number for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a chain. All but ``neg`` never decrease.

    Parameters
    ----------
    op : str
        ``add``, ``sub``, ``mul``, ``div``: of what lies under it and ``a``; ``sqrt``, ``exp``, ``log``,
        ``log1p``, ``neg``; ``fill``: a missing value is ``a``; ``limit``: to ``a`` and ``b``.
    under : Expr
    a, b : float
    """

    op: str
    under: Expr
    a: float = 0.0
    b: float = 0.0


@dataclass(frozen=True)
class Placed:
    """Splits on a chain as splits on another feature.

    Parameters
    ----------
    feature : Expr
        A float32, NaN where the chain is.
    key : tuple
        Equal where features are.
    thresholds : float32 array, shape (n,)
        Of the feature: less than these where the chain is less than those asked for; -inf: never.
    always : bool array, shape (n,)
        Every number of the feature is less.
    missing : float
        The chain's value where the feature is NaN.
    """

    feature: Expr
    key: tuple[Any, ...]
    thresholds: NDArray[np.float32]
    always: NDArray[np.bool_]
    missing: float


def place(expr: Expr, thresholds: NDArray[np.float32], costly: Collection[str] = COSTLY) -> Placed | None:
    """Splits on a chain as splits on the number it starts from; None where that isn't exact or doesn't pay.

    Parameters
    ----------
    expr : Expr
        Equal nodes are one (`engine.compile.passes.share`).
    thresholds : float32 array, shape (n,)
    costly : collection of str
        A chain is worth folding where it holds one of these operators.

    Examples
    --------
    >>> from engine.expr.graph import log1p
    >>> from engine.schema import Kind
    >>> x = Expr.input("x", Kind.NUMBER)
    >>> placed = place(1 - log1p(x.clip(0, 100)), np.array([0.5], np.float32))
    >>> placed.feature, placed.thresholds.tolist()
    (single(-x, [-0.648721]), [-0.6487212777137756])
    """
    steps = read_chain(expr)
    while any(step.op in costly for step in steps):
        found = _inward(steps, thresholds)
        if found is None:
            return None
        cuts, first, last, turned = found
        fills = [i for i, step in enumerate(steps) if step.op == "fill"]
        if not fills or (first, last) == (LEAST, MOST):
            return _placed(steps, cuts, first, last, turned)
        # A missing value and a number outside the domain differ, so the chain starts from what was filled.
        steps = steps[: fills[0]]
    return None


def _placed(steps: Sequence[Step], cuts: Keys, first: int, last: int, turned: bool) -> Placed | None:
    inside = (cuts > first) & (cuts < last)
    bounds = numbers(np.unique(cuts[inside]))
    if first >= last or len(np.unique(ceiling(bounds))) < len(bounds):
        return None
    under = steps[-1].under
    number = -under if turned else under
    least, most = numbers(np.array([first, last - 1])).tolist()
    if first > LEAST:
        number = where(number >= least, number, np.nan)
    if last < MOST:
        number = where(number <= most, number, np.nan)
    return Placed(
        feature=single(number, bounds.tolist()),
        key=(id(under), turned, first, last, bounds.tobytes()),
        thresholds=np.where(inside, ceiling(numbers(np.where(inside, cuts, 0))), np.float32(-np.inf)),
        always=cuts >= last,
        missing=_outward(steps, np.nan),
    )


# -- reading a chain


def read_chain(expr: Expr) -> list[Step]:
    """The monotone operators from an expression down, the outermost first.

    >>> from engine.expr.graph import log1p
    >>> from engine.schema import Kind
    >>> x = Expr.input("x", Kind.NUMBER)
    >>> [(step.op, step.a) for step in read_chain(2 - log1p(x) / 3)]
    [('neg', 0.0), ('sub', 2.0), ('div', 3.0), ('log1p', 0.0)]
    """
    steps: list[Step] = []
    while found := _read_one(expr):
        steps += found
        expr = found[-1].under
    return steps


def _read_one(node: Expr) -> list[Step]:
    args = node.args
    if node.op in ("sqrt", "exp", "log", "log1p", "neg"):
        return [Step(node.op, args[0])]
    if filled := read_fill(node):
        return [Step("fill", *filled)]
    if limited := read_limits(node):
        return [Step("limit", *limited)]
    if node.op not in ("add", "sub", "mul", "div") or (args[0].op == "const") == (args[1].op == "const"):
        return []
    under, constant = args if args[1].op == "const" else args[::-1]
    value = float(constant.data)
    if not np.isfinite(value) or (node.op == "div" and constant is args[0]):
        return []
    if node.op in ("mul", "div"):
        # Rounding treats both signs alike, here and in a difference turned round.
        turn = [Step("neg", node)] if value < 0 else []
        return [*turn, Step(node.op, under, abs(value))] if value else []
    turn = [Step("neg", node)] if node.op == "sub" and constant is args[0] else []
    return [*turn, Step(node.op, under, value)]


def read_fill(expr: Expr) -> tuple[Expr, float] | None:
    """``x`` and ``c`` of ``where(isnan(x), c, x)``."""
    if expr.op != "where":
        return None
    test, value, x = expr.args
    if test.op != "isnan" or test.args[0] is not x or value.op != "const":
        return None
    return x, float(value.data)


def read_limits(expr: Expr) -> tuple[Expr, float, float] | None:
    """``x`` and the bounds of ``clip(x, lo, hi)``, ``min(x, hi)`` or ``max(x, lo)``."""
    if expr.op == "clip":
        x, lo, hi = expr.args
        # Limits the wrong way round, or missing ones, make no order.
        if lo.op == hi.op == "const" and lo.data <= hi.data:
            return x, float(lo.data), float(hi.data)
    elif expr.op in ("min", "max"):
        x, bound = expr.args if expr.args[1].op == "const" else expr.args[::-1]
        if bound.op == "const" and bound.data == bound.data:
            value = float(bound.data)
            return (x, -np.inf, value) if expr.op == "min" else (x, value, np.inf)
    return None


# -- along a chain


def _outward(steps: Sequence[Step], number: float) -> float:
    """What a chain makes of one number, or of none."""
    value: Any = number
    with np.errstate(all="ignore"):
        for step in reversed(steps):
            if step.op == "fill":
                value = step.a if np.isnan(value) else value
            elif step.op == "limit":
                value = OPERATIONS["clip"].array(value, step.a, step.b)
            else:
                value = _function(step, OPERATIONS[step.op].array)(value)
    return float(value)


def _inward(steps: Sequence[Step], thresholds: NDArray[np.float32]) -> tuple[Keys, int, int, bool] | None:
    """Cuts of what lies under a chain, those between which it gives numbers, and whether all are of -x."""
    t = np.where(np.isnan(thresholds), np.float32(-np.inf), thresholds).astype(np.float32)
    with np.errstate(all="ignore"):
        half = (np.nextafter(t, np.float32(-np.inf)).astype(np.float64) + t) / 2
        cuts = np.append(cross(_rounded, keys(t), half), [LEAST, MOST])
        turned = False
        for step in steps:
            if step.op == "neg":
                cuts, turned = _turn(cuts), not turned
            elif step.op == "limit":
                cuts = np.where(cuts <= keys(step.a), LEAST, np.where(cuts > keys(step.b), MOST, cuts))
            elif step.op != "fill":
                costly = step.op in COSTLY
                function = _function(step, edges.compiled(step.op) if costly else OPERATIONS[step.op].array)
                first = _FIRST.get(step.op, LEAST)
                guess = _INVERSES[step.op](numbers(np.clip(cuts, LEAST, MOST - 1)), step.a)
                crossed = cross(function, cuts, guess, first)
                if costly and falls(function, cuts, crossed, first):
                    return None
                cuts = crossed
    if turned:
        cuts = _turn(cuts)
    return cuts[:-2], int(cuts[-2]), int(cuts[-1]), turned


def _turn(cuts: Keys) -> Keys:
    """Cuts of -x; those of the domain, which come last, change places."""
    turned = 1 - cuts
    turned[-2:] = turned[:-3:-1]
    return turned


def _function(step: Step, array: Callable[..., Any]) -> Function:
    if step.op in ("add", "sub", "mul", "div"):
        return lambda x: array(x, step.a)
    return array


def _rounded(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


_INVERSES: Mapping[str, Callable[[Floats, float], Floats]] = MappingProxyType(
    {
        "add": lambda v, a: v - a,
        "sub": lambda v, a: v + a,
        "mul": lambda v, a: v / a,
        "div": lambda v, a: v * a,
        "sqrt": lambda v, a: v * v,
        "exp": lambda v, a: np.log(v),
        "log": lambda v, a: np.exp(v),
        "log1p": lambda v, a: np.expm1(v),
    }
)
"""Where the search for a crossing starts: about right is enough."""
