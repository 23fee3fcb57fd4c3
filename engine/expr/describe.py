"""An expression as a person would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.expr.operations import OPERATIONS
from engine.expr.walk import walk

if TYPE_CHECKING:
    from engine.expr.node import Expr


def describe(root: Expr, most: int = 2000) -> str:
    """The expression as a person would write it, cut off after ``most`` characters."""
    texts: dict[int, str] = {}
    for node in walk((root,)):
        texts[id(node)] = _describe_one(node, [texts[id(arg)] for arg in node.args])[: most + 1]
    text = texts[id(root)]
    return text if len(text) <= most else text[:most] + "…"


def _describe_one(node: Expr, args: list[str]) -> str:
    if node.op == "input":
        return str(node.data)
    if node.op in ("score", "made"):
        label, index = node.data
        return f"{label}[{index}]"
    if node.op == "const":
        return repr(node.data)
    if node.op == "lookup":
        shown = ", ".join(
            f"{t!r}: {v:g}" for t, v in zip(node.data.texts[:3], node.data.values, strict=False)
        )
        more = ", …" if len(node.data.texts) > 3 else ""
        return f"lookup({args[0]}, {{{shown}{more}}})"
    if node.op == "choose":
        return f"choose({args[0]}, {list(node.data[:3])!r})"
    if node.op == "calendar":
        return f"{node.data}({args[0]})"
    if node.op == "single":
        shown = ", ".join(f"{edge:g}" for edge in node.data[:3])
        return f"single({args[0]}, [{shown}{', …' if len(node.data) > 3 else ''}])"
    if node.op == "call":
        return f"{node.data.name}({', '.join(args)})"
    if node.op in ("table", "search"):
        return f"{node.op}({' × '.join(map(str, node.data.shape))})[{', '.join(args)}]"
    symbol = OPERATIONS[node.op].symbol
    if symbol and len(args) == 2:
        return f"({args[0]} {symbol} {args[1]})"
    if symbol:
        return f"{symbol}{args[0]}" if symbol == "-" else f"({symbol} {args[0]})"
    return f"{node.op}({', '.join(args)})"
