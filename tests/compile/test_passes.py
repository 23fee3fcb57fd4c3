"""Each pass of the compiler by itself: what it may change, and what it must not."""

from __future__ import annotations

import numpy as np

from engine.compile.emit import emit
from engine.compile.kernel import plan_kernel
from engine.compile.passes import Root, cut, fold, group, share
from engine.expr.graph import Expr, log1p, where
from engine.expr.interpret import interpret
from engine.schema import Kind

A, B = Expr.input("a", Kind.NUMBER), Expr.input("b", Kind.NUMBER)
COLOUR = Expr.input("colour", Kind.CATEGORY)


def prepared(x: Expr, mean: float, lo: float, hi: float) -> Expr:
    return (where(x.isnan(), mean, x) - mean).clip(lo, hi)


def features(*nodes: Expr) -> list[Root]:
    return [Root(node, "feature", i, f"f{i}") for i, node in enumerate(nodes)]


def test_fold_computes_constants_and_leaves_the_rest() -> None:
    folded, kept = fold([Expr.const(2.0) * 3 + 1, A + 1])
    assert folded.op == "const"
    assert folded.data == 7.0
    assert repr(kept) == repr(A + 1)


def test_fold_keeps_the_bits_of_what_it_computes() -> None:
    node = log1p(Expr.const(0.1)) / 3
    assert fold([node])[0].data == interpret([node], {}, 1)[0][0]


def test_share_makes_equal_expressions_one_node() -> None:
    one, two, other = share([(A + B) * 2, (A + B) * 3, (B + A) * 2])
    assert one.args[0] is two.args[0]
    assert one.args[0] is not other.args[0]


def test_cut_keeps_costly_expressions_that_several_results_use() -> None:
    roots = share([log1p(A) + 1, log1p(A) * B, A + 1, (A + 1) * 2])
    assert [repr(node) for node in cut(roots)] == ["log1p(a)"]


def test_cut_keeps_what_cuts_share() -> None:
    inner = log1p(A)
    roots = share([log1p(inner + 1), log1p(inner + 1) * 2, log1p(inner + 2), log1p(inner + 2) * 2])
    kept = [repr(node) for node in cut(roots)]
    assert kept[0] == "log1p(a)"
    assert set(kept[1:]) == {"log1p((log1p(a) + 1.0))", "log1p((log1p(a) + 2.0))"}


def test_results_of_one_shape_are_one_group() -> None:
    inputs = [Expr.input(f"x{i}", Kind.NUMBER) for i in range(50)]
    roots = features(*(prepared(x, i / 7, -i, i) for i, x in enumerate(inputs)), A * B)
    groups = group(roots, {})
    assert [len(item.members) for item in groups] == [50, 1]


def test_the_source_depends_on_shapes_alone() -> None:
    """A refit, another threshold, more columns, other names: the kernel that is there runs."""

    def source(names: str, mean: float) -> str:
        nodes = [prepared(Expr.input(name, Kind.NUMBER), mean, 0, 1) for name in names]
        return plan_kernel(features(*nodes), len(nodes), {}).source

    assert source("ab", 1.0) == source("xyz", float("nan"))


def test_another_shape_has_another_source() -> None:
    assert emit(group(features(A + 1), {})) != emit(group(features(A - 1), {}))


def test_a_one_hot_does_not_grow_with_the_square_of_its_vocabulary() -> None:
    texts = tuple(f"t{i}" for i in range(2000))
    nodes = [COLOUR.lookup({text: 1.0}, missing=0.0, unknown=0.0) for text in texts]
    plan = plan_kernel(features(*nodes), len(nodes), {"colour": texts})
    assert len(plan.groups) == 1
    assert plan.numbers.size < 4 * len(texts)


def test_equal_tables_are_kept_once() -> None:
    table = {"red": 1.0, "blue": 2.0}
    nodes = [COLOUR.lookup(table, missing=np.nan, unknown=-1.0) * i for i in (2, 3, 4)]
    plan = plan_kernel(features(*nodes), 3, {"colour": ("blue", "red")})
    assert plan.numbers.size < 3 + 2 * 4
