"""Preparation folded into forests: the same bits as without, on rows beside every constant and threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine
from engine.config.config import Config
from engine.expr.graph import Expr, as_number, floor, log1p, maximum, minimum, where
from engine.expr.interpret import interpret
from engine.forest.fold import Folded, fold_forest
from engine.forest.forest import Forest
from engine.forest.native import NativeScorer
from engine.forest.trees import Trees
from engine.pipeline import Pipeline
from engine.schema import Kind
from engine.values import Categories

from ..forest import zoo
from ..random_pipelines import pipelines, tables
from ..test_parity import bits, check_parity, exact, fitted

A, B = Expr.input("a", Kind.NUMBER), Expr.input("b", Kind.NUMBER)
K, M = Expr.input("k", Kind.CATEGORY), Expr.input("m", Kind.CATEGORY)
TEXTS = {"k": ("blue", "green", "red", "ünï"), "m": ("x", "y")}
NAN, INF = float("nan"), float("inf")
CONSTANTS = (0.0, -0.0, 1.0, -1.5, 0.1, 2.0**24 + 1, 1e-46, -1e300, 1e39, INF, -INF)
"""Some are float32, some lie between two, some are below or above all of them."""


# -- forests and rows made by hand


def random_forest(
    rng: np.random.Generator, thresholds: Sequence[Sequence[float]], groups: int = 1, n_trees: int = 9
) -> Forest:
    """Trees that split on these thresholds of each feature."""
    left, feature, threshold, default, values, offsets, depths = [], [], [], [], [], [0], []
    for _ in range(n_trees):
        levels = [0]
        start = len(left)
        for at in range(63):
            if at == len(levels):
                break
            splits = levels[at] < 4 and (at == 0 or rng.random() < 0.75)
            left.append(len(levels) if splits else -1)
            levels += [levels[at] + 1] * 2 * splits
            number = int(rng.integers(len(thresholds))) if splits else 0
            feature.append(number)
            threshold.append(rng.choice(thresholds[number]) if splits else 0.0)
            default.append(bool(splits and rng.random() < 0.5))
            values.append(0.0 if splits else rng.normal())
        offsets.append(len(left))
        depths.append(max(levels[: len(left) - start]))
    with np.errstate(over="ignore"):
        trees = Trees(
            offsets=np.array(offsets), left=np.array(left, np.int32), feature=np.array(feature, np.int32),
            threshold=np.array(threshold, np.float32), default_left=np.array(default),
            category=np.full(len(left), -1, np.int32), sets=(),
            values=np.array(values, np.float32)[:, None],
            group=rng.integers(0, groups, n_trees).astype(np.int32), depth=np.array(depths, np.int32),
        )  # fmt: skip
    transform = "softprob" if groups > 1 else "identity"
    base = rng.normal(size=groups).astype(np.float32)
    return Forest(trees, len(thresholds), groups, base, transform, "reg:squarederror", False)


def beside(values: Sequence[float]) -> list[float]:
    """Numbers, and one ulp of float32 and float64 beside them."""
    with np.errstate(all="ignore"):
        single = np.array(values, np.float32)
        near = [single, *(np.nextafter(single, np.float32(side)) for side in (-np.inf, np.inf))]
        double = np.concatenate([np.array(values, np.float64), *(part.astype(np.float64) for part in near)])
        wide = [double, *(np.nextafter(double, side) for side in (-np.inf, np.inf))]
    found = np.concatenate(wide)
    return found[~np.isnan(found)].tolist()


NUMBERS = [*beside(CONSTANTS), *beside([0.5, 3.25]), 5e-324, -5e-324, 1e308]


def random_rows(rng: np.random.Generator, rows: int) -> dict[Any, Any]:
    """Every column of the expressions here: numbers beside the constants, every code, missing ones."""
    found: dict[Any, Any] = {}
    for name in "ab":
        values = rng.choice(NUMBERS, rows)
        found["input", name] = np.where(rng.random(rows) < 0.2, np.nan, values)
    for name, texts in TEXTS.items():
        codes = rng.integers(0, 2 + len(texts), rows).astype(np.int32)
        found["input", name] = Categories(codes, texts)
    return found


def matrix(features: Sequence[Expr], rows: Mapping[Any, Any], count: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        columns = [np.asarray(c).astype(np.float32) for c in interpret(features, rows, count)]
    return np.ascontiguousarray(np.stack(columns, axis=1))


def check(forest: Forest, features: Sequence[Expr], rng: np.random.Generator, most_sets: int = 4) -> Folded:
    """Fold, and compare blocks and single rows with what was there before."""
    named = {i: (f"f{i}", as_number(node)) for i, node in enumerate(features)}
    folded = fold_forest(forest, named, TEXTS, most_sets)
    assert folded is not None
    rows = random_rows(rng, 700)
    plain, less = NativeScorer(forest), NativeScorer(folded.forest)
    before = matrix([node for _, node in named.values()], rows, 700)
    after = matrix([node for _, node in folded.features], rows, 700)
    expected = plain.many(before)
    assert zoo.bits(less.many(after)) == zoo.bits(expected)
    one = np.empty(less.n_outputs, np.float32)
    for i in range(100):
        less.one(after[i], one)
        assert zoo.bits(one) == zoo.bits(expected[i])
    return folded


def filled(x: Expr, value: float) -> Expr:
    return where(x.isnan(), value, x)


def random_number(rng: np.random.Generator) -> Expr:
    """A chain over one number; most of it can be folded."""
    node = (A, B, A + B, -A)[rng.integers(4)]
    for _ in range(rng.integers(0, 5)):
        lo, hi = sorted(rng.choice(CONSTANTS, 2).tolist())
        node = (
            filled(node, lo),
            node.clip(lo, hi),
            node.clip(hi, lo),
            minimum(node, hi),
            maximum(lo, node),
            filled(node, NAN),
            node + 1,
            minimum(node, NAN),
        )[rng.integers(8)]
    return node


def random_category(rng: np.random.Generator) -> Expr:
    """A function of one category, or nearly."""
    column = (K, K, M)[rng.integers(3)]
    texts = [*TEXTS[column.data], "none has it"]
    chosen = rng.choice(texts, rng.integers(0, 4), replace=False).tolist()
    pool = [0.0, -0.0, 1.0, 2.0, NAN, 1e39]
    table = {str(text): float(value) for text, value in zip(chosen, rng.choice(pool, 3), strict=False)}
    missing, unknown = rng.choice(pool, 2).tolist()
    node = column.lookup(table, missing=missing, unknown=unknown)
    return (
        node,
        column.lookup({str(rng.choice(texts)): 1.0}, missing=0.0, unknown=0.0),
        filled(node, 0.5),
        1 / node,
        as_number(column.isnan()),
        (node > 0.5) & column.isnan(),
        (node > 0.5).choose(["x", "y"]).lookup({"y": 2.0}, missing=NAN, unknown=-1.0),
        node + A,
    )[rng.integers(8)]


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features: list[Expr] = [filled(A, 0.1)]
    features += [(random_number, random_category)[rng.integers(2)](rng) for _ in range(rng.integers(2, 12))]
    near = [value for value in beside(CONSTANTS) if abs(value) < 1e30] + [0.5, 1.0, 1e39, INF, -INF]
    thresholds = [rng.choice(near, 12).tolist() for _ in features]
    forest = random_forest(rng, thresholds, groups=int(rng.integers(1, 4)), n_trees=25)
    check(forest, features, rng, most_sets=int(rng.choice([1, 4, 100])))


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("outer", [None, *CONSTANTS])
def test_thresholds_at_and_beside_constants(constant: float, outer: float | None) -> None:
    """Every constant as imputed value and as either limit, thresholds on it and one ulp beside."""
    rng = np.random.default_rng(1)
    chains = [
        filled(A, constant), A.clip(constant, INF), A.clip(-INF, constant), filled(A, constant).clip(-1, 1),
        filled(A.clip(-1, 1), constant), minimum(constant, A), maximum(A, constant),
    ]  # fmt: skip
    if outer is not None:
        chains = [filled(chain.clip(min(outer, 0.1), max(outer, 0.1)), outer) for chain in chains]
    near = beside([constant, *([outer] if outer is not None else []), -1.0, 1.0])
    folded = check(random_forest(rng, [near] * len(chains), n_trees=120), chains, rng)
    assert [repr(node) for _, node in folded.features] == ["a"]


# -- what is folded, and what is not


def onehot(column: Expr, text: str, missing: float = 0.0, unknown: float = 0.0) -> Expr:
    return column.lookup({text: 1.0}, missing=missing, unknown=unknown)


def test_one_hots_become_one_column_of_codes() -> None:
    rng = np.random.default_rng(2)
    features = [onehot(column, text) for column in (K, M) for text in TEXTS[column.data]]
    near = [0.5, 1.0, 1e-45, 0.0, -0.0, 1.5, INF, -INF]
    folded = check(random_forest(rng, [near] * 6, groups=3, n_trees=40), features, rng)
    assert [name for name, _ in folded.features] == ["k", "m"]
    assert folded.note == "6 features of k, m into sets of categories"
    # everybody, nobody, and one set or its complement for each text
    assert len(folded.forest.trees.sets) <= 2 + 6


def test_the_same_one_hot_twice_and_with_a_policy_for_missing() -> None:
    rng = np.random.default_rng(3)
    features = [onehot(K, "red"), onehot(K, "red"), onehot(K, "red", NAN, 0.0), onehot(K, "red", 0.0, NAN)]
    folded = check(random_forest(rng, [[0.5, 1.0]] * 4, n_trees=60), features, rng)
    assert len(folded.features) == 1


def test_a_category_of_which_nothing_is_known() -> None:
    rng = np.random.default_rng(4)
    features = [as_number(K.isnan()), onehot(K, "none has it")]
    assert len(check(random_forest(rng, [[0.5, 1.0]] * 2), features, rng).features) == 1


def test_a_category_that_a_label_made_is_no_input() -> None:
    rng = np.random.default_rng(5)
    made = (A > 0).choose(["no", "yes"])
    features = [onehot(made, "yes"), onehot(made, "no"), filled(A, 0.0)]
    folded = check(random_forest(rng, [[0.5, 1.0]] * 3), features, rng)
    assert len(folded.features) == 3
    assert folded.note == "1 imputation into default directions"


def test_many_thresholds_on_an_ordinal_stay() -> None:
    rng = np.random.default_rng(6)
    order = K.lookup({t: float(i) for i, t in enumerate(TEXTS["k"])}, missing=NAN, unknown=-1.0)
    forest = random_forest(rng, [[0.0, 0.5, 1.5, 2.5, 3.5], [0.5]], n_trees=60)
    folded = check(forest, [order, onehot(K, "red")], rng)
    assert len(folded.features) == 2
    assert len(check(forest, [order, onehot(K, "red")], rng, most_sets=100).features) == 1


def test_imputed_in_two_ways() -> None:
    """Defaults are each node's own, so different imputations of a column share it with the raw one."""
    rng = np.random.default_rng(7)
    features = [filled(A, 0.1), filled(A, 3.25), A, filled(A, 1.0).clip(0.5, 3)]
    folded = check(random_forest(rng, [beside([0.1, 0.5, 3.25])] * 4, n_trees=60), features, rng)
    assert [repr(node) for _, node in folded.features] == ["a"]
    assert folded.note == "3 imputations into default directions; 1 limit into thresholds"


def test_arithmetic_stays() -> None:
    features = {
        0: ("steps", log1p(floor(A)) + B),
        1: ("less", A - 1),
        2: ("wrong", A.clip(2, 1)),
        3: ("b", B),
    }
    forest = random_forest(np.random.default_rng(8), [[0.5]] * 4)
    assert fold_forest(forest, features, {}) is None


def test_a_model_with_categories_of_its_own() -> None:
    """Features that the model itself takes as categories stay; the others are folded around them."""
    for kind in ("one-hot categories", "partitions"):
        forest = zoo.forest(kind)
        codes = K.lookup({t: float(i) for i, t in enumerate(TEXTS["k"])}, missing=NAN, unknown=7.0)
        features = [filled(codes, 3.0), B, filled(A, 0.1), A, filled(B, 1.0), onehot(K, "red")]
        folded = check(forest, features, np.random.default_rng(9), most_sets=1000)
        assert {repr(node) for _, node in folded.features} >= {repr(features[0]), "b", "a"}


@pytest.mark.parametrize("kind", ["softprob", "vector classes", "dart", "quantiles", "1024 bins"])
def test_other_models(kind: str) -> None:
    features = [filled(A, 0.1), A, B, filled(B.clip(-1, 1), 0.5), onehot(K, "red"), onehot(M, "x") + A]
    check(zoo.forest(kind), features, np.random.default_rng(10))


def test_sets_that_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.forest import keys

    forest = random_forest(np.random.default_rng(11), [[0.5]] * 2)
    scorer = NativeScorer(forest)
    features = {0: ("red", onehot(K, "red")), 1: ("blue", onehot(K, "blue"))}
    assert scorer.fold(features, TEXTS) is not None
    monkeypatch.setattr(keys, "_MOST_ANSWERS", 3)
    assert scorer.fold(features, TEXTS) is None


def test_a_forest_without_trees() -> None:
    assert fold_forest(zoo.forest("zero"), {}, {}) is None


# -- whole pipelines


def unfolded(pipeline: Pipeline) -> Pipeline:
    return Pipeline(pipeline.plan, pipeline.learned, folding=False)


@pytest.mark.parametrize("seed", range(16))
def test_pipelines(seed: int) -> None:
    """Folded, not folded, and interpreted; whole, in parts and one by one."""
    config = pipelines(np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 3])
    number = float(rng.choice([0.0, -0.0, 0.25, -2.5]))
    more = {
        "f1": {"use": "impute", "columns": ["a", "b"], "value": number},
        "f2": {"use": "clip", "columns": ["a", "c"], "lo": float(rng.choice([-0.0, -2.5])), "hi": 2.5},
        "f3": {"use": "onehot", "columns": ["k", "m"], "unknown": str(rng.choice(["zero", "missing"]))},
    }
    if any(spec["use"] == "onehot" for spec in config["stages"].values()):
        del more["f3"]
    config["stages"] = more | config["stages"]
    pipeline = fitted(config, seed)
    plain = unfolded(pipeline)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(table=tables(), data=st.data())
    def compare(table: pa.Table, data: st.DataObject) -> None:
        check_parity(pipeline, table, data)
        check_parity(plain, table, data)
        found, refused = pipeline.predict_many(table, rejects=True)
        expected, same = plain.predict_many(table, rejects=True)
        assert bits(found) == bits(expected)
        assert refused.equals(same)

    compare()


def two_models() -> Pipeline:
    rng = np.random.default_rng(12)
    rows = 600
    k = rng.choice(np.array(["red", "green", "blue", None], object), rows)
    a = np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows))
    y = np.where(k == "red", 2.0, 0.0) + np.nan_to_num(a, nan=1.0) + (k == "blue")
    params = {"max_depth": 3, "nthread": 1}
    stages = {
        "hot": {"use": "onehot", "columns": ["k"]},
        "fill": {"use": "impute", "columns": ["a"], "strategy": "median"},
        "first": {"use": "xgboost", "columns": ["a", "k_*"], "into": "first", "rounds": 4, "params": params},
        "again": {"use": "impute", "columns": ["first"], "value": 0.5},
        "model": {"use": "xgboost", "columns": ["a", "k_*", "first"], "rounds": 4, "params": params},
    }
    config: dict[str, Any] = {"name": "two", "stages": stages, "target": {"column": "y"}}
    config["inputs"] = {"a": "number", "k": "category"}
    return engine.fit(Config(config), pa.table({"a": a, "k": pa.array(k, pa.string()), "y": y}))


def test_several_models_and_what_explain_says() -> None:
    pipeline = two_models()
    segments = [segment for segment in pipeline.layout.segments if segment.point]
    assert len(segments) == 2
    assert "of k into sets of categories" in segments[0].folded
    assert "2 imputations into default directions" in segments[1].folded
    assert [root.name for root in segments[0].roots] == ["a", "k"]
    assert pipeline.explain().count("  folded: ") == 2
    assert "folded" not in unfolded(pipeline).explain()
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    assert not any(segment.folded for segment in oracle.layout.segments)
    table = pa.table({"a": [0.0, None, 1e39, -1.0] * 50, "k": ["red", None, "unseen", "blue", ""] * 40})
    expected = bits(pipeline.predict_many(table))
    assert bits(unfolded(pipeline).predict_many(table)) == bits(oracle.predict_many(table)) == expected
    for i, row in enumerate(table.slice(0, 20).to_pylist()):
        assert [exact(v) for v in pipeline.predict_one(row).values()] == [c[i] for c in expected]


def test_where_xgboost_scores_nothing_is_folded() -> None:
    pipeline = two_models()
    plan = pipeline.plan
    stages = tuple(
        replace(planned, stage=replace(planned.stage, scorer="xgboost"))
        if planned.stage.use == "xgboost"
        else planned
        for planned in plan.stages
    )
    other = Pipeline(replace(plan, stages=stages), pipeline.learned)
    assert not any(segment.folded for segment in other.layout.segments)
    table = pa.table({"a": [0.0, None, 1e39, -1.0] * 5, "k": ["red", None, "unseen", "blue", ""] * 4})
    assert bits(other.predict_many(table)) == bits(pipeline.predict_many(table))
