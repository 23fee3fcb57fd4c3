"""Both forms of every operator give the same bits, and the bits that IEEE 754 and the C library say."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.expr import libm
from engine.expr.elapsed import DAY, parts
from engine.expr.graph import Expr, clip, floor, maximum, minimum, sqrt, where
from engine.expr.operations import OPERATIONS
from engine.expr.texts import Length
from engine.jit import functions
from engine.schema import Kind
from engine.values import NAT

EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, math.inf, -math.inf, math.nan, 5e-324, -5e-324,
    2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 709.782712893384, 709.8,
    -745.2, 2.0**53, -(2.0**53) - 1, 1e-17,
]  # fmt: skip

numbers = st.one_of(st.sampled_from(EDGES), st.floats())
moments = st.one_of(st.sampled_from([NAT, NAT + 1, 2**63 - 1, 0, -1]), st.integers(-(2**63), 2**63 - 1))
rows = st.lists(
    st.tuples(numbers, numbers, numbers, st.booleans(), st.booleans(), moments, moments),
    min_size=1,
    max_size=20,
)


def _libm(name: str, operands: int = 1) -> Callable[..., float]:
    function = ctypes.CDLL(ctypes.util.find_library("m"))[name]
    function.argtypes, function.restype = [ctypes.c_double] * operands, ctypes.c_double
    return function  # type: ignore[no-any-return]


def _divide(x: float, y: float) -> float:
    if y != 0:
        return x / y
    return (
        math.nan if x == 0 or x != x else math.copysign(math.inf, math.copysign(1, x) * math.copysign(1, y))
    )


def _least(x: float, y: float) -> float:
    return math.nan if x != x or y != y else (y if y < x else x)


def _greatest(x: float, y: float) -> float:
    return math.nan if x != x or y != y else (y if y > x else x)


def _clip(x: float, lo: float, hi: float) -> float:
    if x < lo:
        return lo
    return hi if x > hi else x


def _elapsed(t: int, u: int) -> float:
    if NAT in (t, u):
        return math.nan
    return float(t - u) if -(2**63) <= t - u < 2**63 else float(t) - float(u)


# What each operator means, one row at a time; `x y z` are numbers, `p q` booleans, `t u` timestamps, `d r`
# the days and the rest of `t`.
MEANING: Mapping[str, tuple[str, Callable[..., Any]]] = {
    "add": ("xy", lambda x, y: x + y),
    "sub": ("xy", lambda x, y: x - y),
    "mul": ("xy", lambda x, y: x * y),
    "div": ("xy", _divide),
    "neg": ("x", lambda x: -x),
    "abs": ("x", math.fabs),
    "sqrt": ("x", lambda x: math.nan if x < 0 else math.sqrt(x)),
    "floor": ("x", _libm("floor")),
    "min": ("xy", _least),
    "max": ("xy", _greatest),
    "clip": ("xyz", _clip),
    "exp": ("x", _libm("exp")),
    "log": ("x", _libm("log")),
    "log1p": ("x", _libm("log1p")),
    "expm1": ("x", _libm("expm1")),
    "sin": ("x", _libm("sin")),
    "cos": ("x", _libm("cos")),
    "pow": ("xy", lambda x, y: math.nan if x != x or y != y else _libm("pow", 2)(x, y)),
    "lt": ("xy", lambda x, y: x < y),
    "le": ("xy", lambda x, y: x <= y),
    "gt": ("xy", lambda x, y: x > y),
    "ge": ("xy", lambda x, y: x >= y),
    "eq": ("xy", lambda x, y: x == y),
    "ne": ("xy", lambda x, y: x != y),
    "and": ("pq", lambda p, q: p and q),
    "or": ("pq", lambda p, q: p or q),
    "not": ("p", lambda p: not p),
    "isnan": ("x", math.isnan),
    "isnat": ("t", lambda t: t == NAT),
    "moment": ("dr", lambda d, r: d * DAY + r),
    "elapsed": ("tu", _elapsed),
    "where": ("pxy", lambda p, x, y: x if p else y),
    "number": ("p", float),
}


def bits(values: Any) -> list[int]:
    """The bits of numbers, every NaN the same: its payload is not kept in a graph."""
    out = np.array(values, np.float64)
    out[np.isnan(out)] = np.nan
    return out.view(np.int64).tolist()


@pytest.fixture(scope="module")
def compiled() -> Callable[..., None]:
    """One function that evaluates every operator's scalar form for each row, as a kernel does."""
    lines = ["def run(x, y, z, p, q, t, u, d, r, out):", "    for i in range(len(x)):"]
    for k, (name, (operands, _)) in enumerate(MEANING.items()):
        value = OPERATIONS[name].scalar.format(*(f"{operand}[i]" for operand in operands))
        lines.append(f"        out[{k}, i] = {value}")
    names = {name: getattr(functions, name) for name in functions.__all__}
    exec("\n".join(lines), names)
    kinds = ["f8", "f8", "f8", "b1", "b1", "i8", "i8", "f8", "f8"]
    signature = f"void({', '.join(f'{kind}[::1]' for kind in kinds)}, f8[:, ::1])"
    return numba.njit(signature, error_model="numpy")(names["run"])  # type: ignore[no-any-return]


def test_every_operator_has_a_meaning_here() -> None:
    assert set(MEANING) == set(OPERATIONS)
    for name, (operands, _) in MEANING.items():
        assert OPERATIONS[name].arity == len(operands)


@settings(deadline=None, max_examples=300)
@given(rows)
def test_forms_agree(compiled: Callable[..., None], rows: list[tuple[Any, ...]]) -> None:
    x, y, z, p, q, t, u = (
        np.array(column, dtype)
        for column, dtype in zip(
            zip(*rows, strict=True), ["f8", "f8", "f8", "?", "?", "i8", "i8"], strict=True
        )
    )
    d, r = (np.array(part, np.float64) for part in zip(*map(parts, t.tolist()), strict=True))
    named = {"x": x, "y": y, "z": z, "p": p, "q": q, "t": t, "u": u, "d": d, "r": r}
    scalar = np.empty((len(MEANING), len(rows)))
    compiled(*named.values(), scalar)
    for k, (name, (operands, meaning)) in enumerate(MEANING.items()):
        arguments = [named[operand] for operand in operands]
        with np.errstate(all="ignore"):
            array = OPERATIONS[name].array(*arguments)
        expected = [meaning(*row) for row in zip(*(a.tolist() for a in arguments), strict=True)]
        assert bits(array) == bits(expected), name
        assert bits(scalar[k]) == bits(expected), name


@pytest.mark.parametrize(("name", "operands"), libm.FUNCTIONS.items())
def test_the_c_library_is_called_over_any_shape(name: str, operands: int) -> None:
    values = np.linspace(-3, 700, 24).reshape(2, 3, 4)
    more = (0.5,) * (operands - 1)
    found = libm.array(name)(values, *more)
    assert found.shape == values.shape
    assert bits(found.ravel()) == bits([_libm(name, operands)(v, *more) for v in values.ravel().tolist()])
    single = libm.scalar(name + "f")(0.25, *more)
    assert single == np.float32(single)


def test_the_fingerprint_of_the_c_library_is_stable() -> None:
    first = libm.fingerprint()
    libm.fingerprint.cache_clear()
    assert libm.fingerprint() == first
    assert len(first) == 16


X = Expr.input("x", Kind.NUMBER)
CARRIER = Expr.input("carrier", Kind.CATEGORY)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: X + "a", "expected a column or a number, got str: 'a'"),
        (lambda: CARRIER + 1, "expected a number, got a category: carrier"),
        (lambda: X & (X > 1), "and needs a boolean, not a number: x"),
        (lambda: where(X, 1, 2), "where needs a boolean first, not a number: x"),
        (lambda: X.lookup({}, missing=0, unknown=0), "lookup needs a category, not a number: x"),
        (lambda: X.calendar("year"), "calendar needs a timestamp, not a number: x"),
        (lambda: X.since(0), "since needs timestamps, not a number: x"),
        (lambda: X.of_text(Length()), "of_text needs a category or a text, not a number: x"),
        (
            lambda: 1 if X > 1 else 2,
            "an Expr has no truth value while it is traced: use where(condition, a, b), &, | and ~ "
            "in place of if, and, or, not",
        ),
    ],
)
def test_tracing_refuses_what_has_no_meaning(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        build()
    assert str(caught.value) == message


def test_an_expression_reads_as_a_person_would_write_it() -> None:
    root = where(~(X.isnan() | (X < 0)), sqrt(minimum(X, 9)), clip(maximum(floor(X), -1), 0, abs(-X)))
    text = "where((not (isnan(x) or (x < 0.0))), sqrt(min(x, 9.0)), clip(max(floor(x), -1.0), 0.0, abs(-x)))"
    assert repr(root) == text
