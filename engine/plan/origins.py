"""Which inputs a column comes from, through models and stages that compute with NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from engine.expr.derived import source_of
from engine.expr.graph import Expr
from engine.expr.walk import leaves
from engine.plan.points import FilterPoint, Point, ScorePoint

Origins: TypeAlias = Mapping[tuple[str, str], tuple[str, ...]]
"""The inputs behind leaves: of ``("input", name)`` where that is no input itself, of ``("score", label)`` and
``("made", label)``."""


def inputs_of(nodes: Iterable[Expr], origins: Origins) -> tuple[str, ...]:
    """The inputs that expressions come from, each once, in order.

    Parameters
    ----------
    nodes : iterable of Expr
    origins : Origins

    Examples
    --------
    >>> from engine.schema import Kind
    >>> score = Expr.score("first", 0)
    >>> inputs_of([score + Expr.input("a", Kind.NUMBER)], {("score", "first"): ("b", "c")})
    ('b', 'c', 'a')
    """
    found: dict[str, None] = {}
    for leaf in leaves(nodes):
        name = source_of(leaf.data) if leaf.op == "input" else leaf.data[0]
        found |= dict.fromkeys(origins.get((leaf.op, name), (name,)))
    return tuple(found)


NO_ORIGINS: Origins = MappingProxyType({})
"""Every leaf is an input."""


def behind(point: Point, origins: Origins) -> Origins:
    """The inputs behind what a model, or a stage that computes with NumPy, makes."""
    if isinstance(point, FilterPoint):
        return NO_ORIGINS
    kind = "score" if isinstance(point, ScorePoint) else "made"
    return {(kind, point.label): inputs_of(point.reads, origins)}
