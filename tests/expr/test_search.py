"""How many ascending numbers are at or below another: NumPy's searchsorted, in kernels, too."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import build
from engine.compile.kernel import plan_kernel
from engine.compile.passes import Root
from engine.config.config import Config
from engine.expr.graph import Expr, search, table
from engine.expr.interpret import interpret
from engine.pipeline import Pipeline
from engine.schema import Kind

X = Expr.input("x", Kind.NUMBER)
ODD = [0.0, -0.0, 5e-324, -5e-324, 1e300, -np.inf, np.inf, np.nan, 0.2, np.nextafter(0.2, 1)]


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.floats(allow_nan=False), max_size=9).map(sorted),
    values=st.lists(st.one_of(st.floats(), st.sampled_from(ODD)), max_size=20),
)
def test_it_is_a_bisection(edges: list[float], values: list[float]) -> None:
    x = np.array([*values, *edges])
    (found,) = interpret([search(X, edges)], {("input", "x"): x}, len(x))
    expected = [np.nan if np.isnan(v) else float(bisect_right(edges, v)) for v in x]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 1000])
def test_kernels_find_the_same(count: int) -> None:
    rng = np.random.default_rng(count)
    edges = np.unique(rng.normal(size=count)).tolist()
    names = [f"n{i}" for i in range(len(edges) + 1)]
    stages: dict[str, Any] = {"band": {"use": "bands", "columns": ["x"], "edges": edges, "names": names}}
    pipeline = build(Config({"name": "p", "inputs": {"x": "number"}, "stages": stages}))
    x = np.concatenate([ODD, edges, np.nextafter(edges, -9), np.nextafter(edges, 9), rng.normal(size=300)])
    rows = pa.table({"x": x})
    found = pipeline.predict_many(rows)["band"].to_pylist()
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    assert found == oracle.predict_many(rows)["band"].to_pylist()
    assert found == [None if np.isnan(v) else names[bisect_right(edges, v)] for v in x]
    assert [pipeline.predict_one({"x": v})["band"] for v in x[:30].tolist()] == found[:30]


def test_other_edges_and_more_of_them_run_the_same_code() -> None:
    def source(edges: list[float]) -> str:
        place = search(X, edges) - 1
        node = table(edges)[place] * X
        return plan_kernel([Root(node, "number", 1, "y")], 0, {}).source

    assert source([0.5]) == source([1.0, 2.0, 3.0]) == source(list(map(float, range(5000))))
