"""A search among sorted numbers, compiled and interpreted, beside NumPy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compile.kernel import plan_kernel
from engine.compile.passes import Root
from engine.expr.graph import Expr, search
from engine.expr.interpret import interpret
from engine.jit import functions
from engine.schema import Kind

X = Expr.input("x", Kind.NUMBER)
numbers = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf]), st.integers(-3, 3).map(float)
)


@pytest.fixture(scope="module")
def compiled() -> Any:
    import numba

    return numba.njit(lambda table, at, x: functions.search(table, at, x))


@settings(deadline=None, max_examples=300)
@given(
    edges=st.lists(st.floats(allow_nan=False), max_size=40), values=st.lists(numbers, min_size=1, max_size=20)
)
def test_both_forms_count_as_numpy_does(compiled: Any, edges: list[float], values: list[float]) -> None:
    edges = sorted(edges)
    node = search(X, edges)
    (found,) = interpret([node], {("input", "x"): np.array(values)}, len(values))
    expected = [math.nan if math.isnan(x) else float(np.searchsorted(edges, x, "right")) for x in values]
    np.testing.assert_array_equal(found, expected)
    table = np.array([7.0, *node.data.numbers])
    np.testing.assert_array_equal([compiled(table, 1, x) for x in values], expected)


def test_however_many_edges_there_are_the_kernel_is_the_same() -> None:
    sources = {
        plan_kernel([Root(search(X, np.arange(n)), "number", 1, "y")], 0, {}).source for n in (0, 1, 7, 1000)
    }
    assert len(sources) == 1


@pytest.mark.parametrize("edges", [[1.0, 0.0], [0.0, math.nan], [math.nan], [[0.0]]])
def test_edges_ascend(edges: list[Any]) -> None:
    with pytest.raises(ValueError, match="edges in one dimension that ascend"):
        search(X, edges)
