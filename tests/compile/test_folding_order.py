"""Monotone chains folded into forests: the same bits as without, on rows beside every edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine
from engine.config.config import Config
from engine.expr.describe import describe
from engine.expr.graph import Expr, as_number, exp, log, log1p, maximum, minimum, sqrt
from engine.expr.graph import single as single_expr
from engine.expr.interpret import interpret
from engine.expr.single import ceiling, single
from engine.forest import edges
from engine.forest.chains import COSTLY, place
from engine.forest.edges import LEAST, MOST, cross, falls, keys, numbers
from engine.forest.fold import fold_forest
from engine.forest.native import NativeScorer
from engine.pipeline import Pipeline

from ..forest import zoo
from ..test_parity import bits, check_parity, exact
from .test_folding import A, B, filled, matrix, random_forest, unfolded

ANY = COSTLY | {"add", "sub", "mul", "div", "sqrt", "neg", "limit", "fill"}
"""Chains of arithmetic are folded, too, where they needn't be: they must be exact all the same."""
NAN, INF = float("nan"), float("inf")
POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-3, 100.0, 5e-324, 1e-310, 1e-45, 1e300, -1e300, INF, -INF]


def neighbours(values: Any, count: int = 3) -> np.ndarray:
    """Each number and some float64 on either side."""
    near = keys(np.asarray(values, np.float64))[:, None] + np.arange(-count, count + 1)
    return numbers(np.clip(near, LEAST, MOST - 1).ravel())


def evaluate(node: Expr, values: np.ndarray) -> np.ndarray:
    found = {(leaf.op, leaf.data): values for leaf in (A, B)}
    return matrix([node], found, len(values))[:, 0]


def compare(node: Expr, thresholds: Sequence[float], rows: Any, seed: int = 0) -> str | None:
    """Fold a forest of one feature; the new feature, or None if it stays."""
    rng = np.random.default_rng(seed)
    forest = random_forest(rng, [list(thresholds)], n_trees=20)
    folded = fold_forest(forest, {0: ("f", node)}, {}, costly=ANY)
    if folded is None:
        return None
    assert len(folded.features) == 1
    after = folded.features[0][1]
    bounds = [e for n in (after, *after.args) if n.op == "single" for e in n.data]
    rows = np.concatenate([np.asarray(rows, np.float64), POINTS, [NAN], neighbours([-1.0, *POINTS])])
    for e in bounds:
        rows = np.concatenate([rows, neighbours([e, -e])])
    before, x = evaluate(node, rows), evaluate(after, rows)
    plain, less = NativeScorer(forest), NativeScorer(folded.forest)
    expected = plain.many(before[:, None])
    assert zoo.bits(less.many(np.ascontiguousarray(x[:, None]))) == zoo.bits(expected)
    one = np.empty(1, np.float32)
    for i in range(0, len(rows), 7):
        less.one(x[i : i + 1], one)
        assert zoo.bits(one) == zoo.bits(expected[i])
    return describe(after)


# -- random chains

constants = st.one_of(
    st.floats(-100, 100),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-3, 2.0**24 + 1, 5e-324, -1e-310, 1e300]),
)
factors = constants.filter(bool)


operators: Sequence[Callable[[Expr, float, float], Expr]] = (
    lambda x, c, d: x + c,
    lambda x, c, d: x - c,
    lambda x, c, d: c - x,
    lambda x, c, d: -x,
    lambda x, c, d: x.clip(min(c, d), max(c, d)),
    lambda x, c, d: minimum(c, x),
    lambda x, c, d: maximum(x, c),
    lambda x, c, d: filled(x, c),
    lambda x, c, d: sqrt(x),
    lambda x, c, d: log1p(x),
    lambda x, c, d: log1p(x.clip(0, 1e6)),
    lambda x, c, d: log(x),
    lambda x, c, d: exp(x),
)


@st.composite
def chains(draw: st.DrawFn) -> Expr:
    node = A
    for _ in range(draw(st.integers(1, 6))):
        choice = draw(st.integers(0, len(operators) + 1))
        if choice < len(operators):
            node = operators[choice](node, draw(constants), draw(constants))
        else:
            factor = draw(factors)
            node = node * factor if choice == len(operators) else node / factor
    return node


rows_of = st.lists(
    st.one_of(st.floats(allow_nan=True), st.floats(0, 5000), st.sampled_from(POINTS)), min_size=1, max_size=12
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(node=chains(), rows=rows_of, seed=st.integers(0, 99), sides=st.lists(st.integers(-1, 1), min_size=3))
def test_random_chains(node: Expr, rows: list[float], seed: int, sides: list[int]) -> None:
    """Thresholds on the chain's own values and one ulp beside, and on everything special."""
    values = evaluate(node, np.array(rows))
    side = np.resize(np.array(sides), len(values))
    with np.errstate(all="ignore"):
        near = np.nextafter(values, np.where(side == 0, values, side * np.float32(INF)))
    compare(node, [*near[~np.isnan(near)].tolist(), INF, -INF, 0.0, -0.0, 1e-45], rows, seed)


# -- chains as they are in pipelines


@pytest.mark.parametrize(
    ("node", "feature"),
    [
        (log1p(A), "single(where((a >= -1.0), a, nan), ["),
        ((log1p(filled(A, 2.0).clip(0, 600)) - 3.2) / 1.7, "single(a, ["),
        (log1p(filled(A, 2.0)), "single(where((where(isnan(a), 2.0, a) >= -1.0), where(isnan(a), 2.0, a)"),
        (filled(log1p(maximum(A, 0.0)), 0.25), "single(a, ["),
        (1 - log(maximum(A, 1e-3)) * 2, "single(-a, ["),
        (sqrt(log1p(A) + 0.5), "single(where((a >= -0.3"),
        (exp(minimum(A, 10.0)), "single(a, ["),
        (log1p(log1p(A.clip(0, 1e9))), "single(a, ["),
        (log1p(A + B), "single(where(((a + b) >= -1.0), (a + b), nan), ["),
        (log(2 - A), "single(where((-a >= -2.0), -a, nan), ["),
    ],
)  # fmt: skip
def test_what_a_chain_becomes(node: Expr, feature: str) -> None:
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.gamma(2, 300, 200), rng.normal(0, 3, 200)])
    values = evaluate(node, rows)
    values = values[np.isfinite(values)]
    thresholds = np.quantile(values, np.linspace(0.02, 0.98, 40))
    found = compare(node, thresholds.tolist(), rows)
    assert found is not None
    assert found.startswith(feature)


@pytest.mark.parametrize(
    "node", [1 / log1p(A), log1p(A) * 0.0, log1p(A) * INF, log(A.clip(-5, -2)), log1p(A) / A]
)
def test_what_stays(node: Expr) -> None:
    assert place(node, np.array([0.5], np.float32)) is None


def test_arithmetic_alone_stays() -> None:
    assert place(A * 2 + 1, np.array([0.5], np.float32)) is None
    assert place(sqrt(A), np.array([0.5], np.float32)) is None


def test_thresholds_too_close_for_float32_stay() -> None:
    """Of a chain that is steeper than its number is precise, one float32 would need two thresholds."""
    thresholds = np.float32(np.exp(80)) * (1 + np.arange(3, dtype=np.float32) * np.float32(2**-22))
    assert place(exp(A), thresholds) is None
    assert place(exp(A), thresholds[:1]) is not None


def test_a_nan_threshold_is_above_nothing() -> None:
    placed = place(log1p(A), np.array([NAN, -INF, 1.0, INF], np.float32))
    assert placed is not None
    assert placed.thresholds[:2].tolist() == [-INF, -INF]
    assert placed.always.tolist() == [False, False, False, False]


# -- functions that aren't monotone


@pytest.mark.parametrize("width", [1, 5, 40])
def test_a_function_that_falls_is_found_out(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = edges.compiled("log1p")

    def injected(x: np.ndarray) -> np.ndarray:
        away = keys(x) - keys(2.0)
        lowered = numbers(keys(real(x)) - 2 * ((away >= 0) & (away < width)))
        raised = numbers(keys(real(x)) + 2 * ((away < 0) & (away >= -width)))
        return np.where(away >= 0, lowered, raised)

    # with this shift, the edge of float32 at zero lies where log1p(2) does
    shift = float(np.log1p(2.0))
    node = log1p(A) - shift
    asked = np.zeros(1, np.float32)
    assert place(node, asked) is not None
    monkeypatch.setattr(edges, "compiled", lambda name: injected)
    assert place(node, asked) is None


def test_a_flat_function_costs_no_more_than_its_bound() -> None:
    seen = 0

    def flat(x: np.ndarray) -> np.ndarray:
        nonlocal seen
        seen += len(x)
        return np.round(x)

    cuts = keys(np.array([1.0]))
    crossed = cross(flat, cuts, np.array([0.5]))
    assert numbers(crossed).tolist() == [np.nextafter(0.5, 1)]
    assert falls(flat, cuts, crossed)
    assert seen < 2 * edges.MOST_NEIGHBOURS + 200


# -- searching


@settings(max_examples=300, deadline=None)
@given(value=st.floats(allow_nan=False), guess=st.floats(), constant=st.floats(-1e6, 1e6))
def test_a_crossing_is_the_first(value: float, guess: float, constant: float) -> None:
    def function(x: np.ndarray) -> np.ndarray:
        return x + constant

    cut = keys(np.array([value]))
    (found,) = cross(function, cut, np.array([guess]))
    if found < MOST:
        assert function(numbers(np.array([found]))) >= value
    if found > LEAST:
        assert function(numbers(np.array([found - 1]))) < value


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_keys_are_in_the_order_of_numbers(values: list[float]) -> None:
    x = np.array(values)
    assert (numbers(keys(x)) == x).all()
    assert (np.argsort(keys(x), kind="stable") == np.argsort(x, kind="stable")).all()


# -- single


finite = st.one_of(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False), st.sampled_from(POINTS))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(bounds=st.lists(finite, max_size=20), rows=st.lists(st.floats(), min_size=1))
def test_single_stays_on_its_side(bounds: list[float], rows: list[float]) -> None:
    by_ceiling = {float(ceiling(e)): e + 0.0 for e in sorted(bounds)}
    chosen = tuple(sorted(by_ceiling.values()))
    near = [*neighbours(chosen), *ceiling(np.array(chosen))] if chosen else []
    x = np.array([*rows, *near, *POINTS, NAN])
    with np.errstate(over="ignore"):
        double = np.concatenate([x, x.astype(np.float32)])
    found = single(double, chosen)
    assert (np.isnan(found) == np.isnan(double)).all()
    assert (found.astype(np.float32) == found)[~np.isnan(found)].all()
    for e in chosen:
        number = ~np.isnan(double)
        assert ((double < e) == (found < ceiling(e)))[number].all()
    # compiled: as a program runs it
    node = single_expr(A, chosen)
    assert zoo.bits(run(node, double)) == zoo.bits(
        interpret([node], {("input", "a"): double}, len(double))[0]
    )


def run(node: Expr, values: np.ndarray) -> np.ndarray:
    from engine.compile.kernel import Kernel, plan_kernel
    from engine.compile.passes import Root

    kernel = Kernel(plan_kernel([Root(as_number(node), "number", 0, "f")], 0, {}))
    given, out = np.ascontiguousarray(values), np.empty(len(values))
    columns, outputs = np.array([given.ctypes.data]), np.array([out.ctypes.data])
    kernel(len(values), columns.ctypes.data, outputs.ctypes.data, kernel.new_scratch().ctypes.data)
    return out


# -- a whole pipeline


def logarithms(folded: bool = True) -> Pipeline:
    rng = np.random.default_rng(12)
    rows = 3000
    far = np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(2, 500, rows))
    whole = np.round(rng.gamma(1, 300, rows))
    y = np.nan_to_num(np.log1p(far), nan=3.0) + np.sqrt(whole) / 10 + rng.normal(size=rows) / 5
    stages = {
        "fill": {"use": "impute", "columns": ["far"], "strategy": "median"},
        "log": {"use": "log1p", "columns": ["far", "whole"]},
        "scale": {"use": "scale", "columns": ["far"], "strategy": "standard"},
        "model": {"use": "xgboost", "rounds": 30, "params": {"max_depth": 5, "nthread": 1}},
    }
    config: dict[str, Any] = {"name": "logs", "stages": stages, "target": {"column": "y"}}
    config["inputs"] = {"far": "number", "whole": "number"}
    return engine.fit(Config(config), pa.table({"far": far, "whole": whole, "y": y}))


def test_a_trained_model() -> None:
    pipeline = logarithms()
    (segment,) = [segment for segment in pipeline.layout.segments if segment.point]
    assert segment.folded == "2 monotone chains into thresholds"
    assert "2 monotone chains into thresholds" in pipeline.explain()
    bounds = [e for root in segment.roots for e in root.expr.data]
    rng = np.random.default_rng(1)
    values = np.concatenate([neighbours(bounds, 2), POINTS, np.arange(-2, 3, 0.25), rng.gamma(2, 500, 500)])
    table = pa.table({
        "far": pa.array(values, mask=rng.random(len(values)) < 0.05),
        "whole": pa.array(values[rng.permutation(len(values))], mask=rng.random(len(values)) < 0.05),
    })  # fmt: skip
    expected = bits(pipeline.predict_many(table))
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    assert bits(unfolded(pipeline).predict_many(table)) == bits(oracle.predict_many(table)) == expected
    for i, row in enumerate(table.slice(0, 300).to_pylist()):
        assert [exact(v) for v in pipeline.predict_one(row).values()] == [c[i] for c in expected]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), rows=st.lists(st.one_of(st.none(), st.floats()), max_size=10))
def test_parity(pipeline: Pipeline, data: st.DataObject, rows: list[float | None]) -> None:
    table = pa.table({"far": pa.array(rows, pa.float64()), "whole": pa.array(rows[::-1], pa.float64())})
    check_parity(pipeline, table, data)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return logarithms()
