"""The interpreter: dtypes, lengths, leaves, look-ups and texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.expr.describe import describe
from engine.expr.graph import Expr, log1p, where
from engine.expr.interpret import interpret
from engine.expr.walk import leaves
from engine.schema import Kind
from engine.values import NAT, Categories

X = Expr.input("x", Kind.NUMBER)
C = Expr.input("c", Kind.CATEGORY)
T = Expr.input("t", Kind.TIMESTAMP)

COLUMNS: dict[Any, Any] = {
    ("input", "x"): np.array([1.0, np.nan, -2.0, np.inf]),
    ("input", "c"): Categories(np.array([0, 1, 2, 3], np.int32), ("AA", "UA")),  # missing, unknown, AA, UA
    ("input", "t"): np.array([0, NAT, 1, -1]),
    ("score", ("model", 0)): np.array([0.1, 0.2, np.nan, 0.4], np.float32),
}


def run(root: Expr) -> Any:
    return interpret([root], COLUMNS, 4)[0]


@pytest.mark.parametrize(
    ("root", "expected", "dtype"),
    [
        (X, [1.0, np.nan, -2.0, np.inf], np.float64),
        (X * 2 - 1, [1.0, np.nan, -5.0, np.inf], np.float64),
        (X > 0, [True, False, False, True], np.bool_),
        (X != X, [False, True, False, False], np.bool_),
        ((X > 0) + 1, [2.0, 1.0, 1.0, 2.0], np.float64),
        (where(X.isnan(), 0, X), [1.0, 0.0, -2.0, np.inf], np.float64),
        (where(X > 0, X > 5, True), [False, True, True, True], np.bool_),
        (C.isnan(), [True, False, False, False], np.bool_),
        (T.isnan(), [False, True, False, False], np.bool_),
        (T, [0, NAT, 1, -1], np.int64),
        (C == "UA", [False, False, False, True], np.bool_),
        (C != "UA", [True, True, True, False], np.bool_),
        (C.lookup({"UA": 7, "ZZ": 8}, missing=-1, unknown=-2), [-1.0, -2.0, -2.0, 7.0], np.float64),
        (Expr.const(3), [3.0] * 4, np.float64),
        (Expr.const(True), [True] * 4, np.bool_),
        (Expr.score("model", 0) >= 0.2, [False, True, False, True], np.bool_),
    ],
    ids=repr,
)
def test_values(root: Expr, expected: list[Any], dtype: Any) -> None:
    found = run(root)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_a_float32_score_is_compared_as_the_float64_it_widens_to() -> None:
    score = {("score", ("model", 0)): np.array([0.7], np.float32)}  # 0.699999988…
    assert not interpret([Expr.score("model", 0) >= 0.7], score, 1)[0][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("index", "codes"),
    [(X, [3, 0, 0, 0]), (X > 0, [3, 2, 2, 3]), (X * 0, [2, 0, 2, 0]), (Expr.const(1), [3] * 4)],
    ids=repr,
)
def test_choose(index: Expr, codes: list[int]) -> None:
    found = run(index.choose(["a", "b"]))
    assert found.texts == ("a", "b")
    assert found.codes.tolist() == codes
    assert found.codes.dtype == np.int32


def test_a_category_that_was_chosen_can_be_looked_up() -> None:
    assert run((X > 0).choose(["no", "yes"]) == "yes").tolist() == [True, False, False, True]


def test_nan_is_canonical_on_output() -> None:
    odd = np.array([0xFFF8_0000_0000_0001, 0x7FF0_0000_0000_0001], np.uint64).view(np.float64)
    found = interpret([X, -X], {("input", "x"): odd}, 2)
    assert {int(bits) for values in found for bits in np.asarray(values).view(np.uint64)} == {
        0x7FF8_0000_0000_0000
    }


def test_results_do_not_share_memory_with_the_columns() -> None:
    values = np.array([1.0, 2.0])
    found = interpret([X], {("input", "x"): values}, 2)[0]
    assert isinstance(found, np.ndarray)
    assert not np.shares_memory(found, values)


def test_no_rows() -> None:
    empty = {("input", "x"): np.array([]), ("input", "c"): Categories(np.array([], np.int32), ())}
    for root in (X + 1, X > 1, log1p(X), C == "a", X.choose(["a"]), Expr.const(1)):
        assert len(interpret([root], empty, 0)[0]) == 0


def test_no_warning_where_numbers_overflow() -> None:
    # Warnings are errors in these tests.
    run(X * 1e308 * 1e308 / 0)


def test_a_long_chain_needs_no_recursion() -> None:
    root = X
    for _ in range(5000):
        root = root + 1
    assert run(root)[0] == 5001.0
    assert describe(root).endswith("…")


def test_leaves_are_named_once_in_order() -> None:
    found = leaves([X + Expr.score("model", 0), T.isnan(), X])
    assert [leaf.data for leaf in found] == ["x", ("model", 0), "t"]
