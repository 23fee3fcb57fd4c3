"""The operators of the expression graph: each in scalar form (compiled) and in array form (interpreted).

The two forms of one operator stand side by side here and must agree to the bit; `tests/expr` checks it.
Transcendental functions call the C library in both (`engine.expr.libm`), because NumPy's own differ
from it in a few per cent of values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.expr import elapsed, libm
from engine.schema import Kind


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator.

    Parameters
    ----------
    name : str
    arity : int
    result : Kind
        ``where`` has the kind of its branches instead.
    scalar : str
        A Python expression in ``{0}``, ``{1}``, … that numba compiles; functions in it come from
        `engine.jit` or are built in.
    array : callable
        The same over NumPy arrays.
    symbol : str
        How a person writes it; empty for functions.
    cost : int
        Rough nanoseconds, for deciding what is worth computing once.
    """

    name: str
    arity: int
    result: Kind
    scalar: str
    array: Callable[..., Any]
    symbol: str = ""
    cost: int = 1


def _array_min(x: Any, y: Any) -> Any:
    return np.where(x != x, x, np.where((y < x) | (y != y), y, x))


def _array_max(x: Any, y: Any) -> Any:
    return np.where(x != x, x, np.where((y > x) | (y != y), y, x))


def _array_clip(x: Any, lo: Any, hi: Any) -> Any:
    return np.where(x < lo, lo, np.where(x > hi, hi, x))


def _array_pow(x: Any, y: Any) -> Any:
    # C's gives 1 for pow(1, nan) and pow(nan, 0)
    return np.where(np.isnan(x) | np.isnan(y), np.nan, libm.array("pow")(x, y))


_N, _B, _T = Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP

_ALL = (
    Operation("add", 2, _N, "({0} + {1})", np.add, "+"),
    Operation("sub", 2, _N, "({0} - {1})", np.subtract, "-"),
    Operation("mul", 2, _N, "({0} * {1})", np.multiply, "*"),
    Operation("div", 2, _N, "({0} / {1})", np.divide, "/", 4),
    Operation("neg", 1, _N, "(-{0})", np.negative, "-"),
    Operation("abs", 1, _N, "abs({0})", np.abs),
    Operation("sqrt", 1, _N, "sqrt({0})", np.sqrt, cost=5),
    Operation("floor", 1, _N, "floor({0})", np.floor),
    Operation("min", 2, _N, "minimum({0}, {1})", _array_min),
    Operation("max", 2, _N, "maximum({0}, {1})", _array_max),
    Operation("clip", 3, _N, "clip({0}, {1}, {2})", _array_clip),
    Operation("exp", 1, _N, "exp({0})", libm.array("exp"), cost=15),
    Operation("expm1", 1, _N, "expm1({0})", libm.array("expm1"), cost=15),
    Operation("log", 1, _N, "log({0})", libm.array("log"), cost=15),
    Operation("log1p", 1, _N, "log1p({0})", libm.array("log1p"), cost=15),
    Operation("sin", 1, _N, "sin({0})", libm.array("sin"), cost=15),
    Operation("cos", 1, _N, "cos({0})", libm.array("cos"), cost=15),
    Operation("pow", 2, _N, "power({0}, {1})", _array_pow, cost=30),
    Operation("lt", 2, _B, "({0} < {1})", np.less, "<"),
    Operation("le", 2, _B, "({0} <= {1})", np.less_equal, "<="),
    Operation("gt", 2, _B, "({0} > {1})", np.greater, ">"),
    Operation("ge", 2, _B, "({0} >= {1})", np.greater_equal, ">="),
    Operation("eq", 2, _B, "({0} == {1})", np.equal, "=="),
    Operation("ne", 2, _B, "({0} != {1})", np.not_equal, "!="),
    Operation("and", 2, _B, "({0} & {1})", np.logical_and, "and"),
    Operation("or", 2, _B, "({0} | {1})", np.logical_or, "or"),
    Operation("not", 1, _B, "(not {0})", np.logical_not, "not"),
    Operation("isnan", 1, _B, "({0} != {0})", np.isnan),
    Operation("isnat", 1, _B, "({0} == NAT)", lambda x: x == np.int64(-(2**63))),
    Operation("where", 3, _N, "({1} if {0} else {2})", np.where),
    Operation("moment", 2, _T, "moment({0}, {1})", elapsed.array_moment),
    Operation("elapsed", 2, _N, "elapsed({0}, {1})", elapsed.array_elapsed, cost=2),
    Operation("number", 1, _N, "(1.0 if {0} else 0.0)", lambda x: np.asarray(x, np.float64)),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType({op.name: op for op in _ALL})
"""Every operator by name."""
