"""The nodes of an expression graph, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.expr.node import Expr

LEAVES = ("input", "score", "made")
"""The operators without operands that read a column."""


def walk(roots: Iterable[Expr], stop: Callable[[Expr], bool] = lambda node: False) -> Iterator[Expr]:
    """Every node once, operands before what uses them.

    A stack instead of recursion: chains may be longer than Python's recursion limit.

    Parameters
    ----------
    roots : iterable of Expr
    stop : callable
        Nodes whose operands are not visited.
    """
    seen: set[int] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, expanded = stack.pop()
            if expanded:
                yield node
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                if not stop(node):
                    stack.extend((arg, False) for arg in reversed(node.args))


def leaves(roots: Iterable[Expr]) -> list[Expr]:
    """The columns (inputs, scores, made ones) that the roots read, each once, in order of first use."""
    found: dict[Any, Expr] = {}
    for node in walk(roots):
        if node.op in LEAVES:
            found.setdefault((node.op, node.data), node)
    return list(found.values())
