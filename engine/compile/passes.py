"""The compiler's passes: each a pure function from expressions to expressions, or to groups of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.expr.interpret import interpret
from engine.expr.node import Expr, Lookup
from engine.expr.operations import OPERATIONS
from engine.expr.walk import LEAVES, walk
from engine.schema import Kind


def rebuild(roots: Sequence[Expr], make: Any) -> list[Expr]:
    """The graph with every node replaced by ``make(node, new_args)``, operands first."""
    made: dict[int, Expr] = {}
    for node in walk(roots):
        made[id(node)] = make(node, tuple(made[id(arg)] for arg in node.args))
    return [made[id(root)] for root in roots]


def fold(roots: Sequence[Expr]) -> list[Expr]:
    """Operators whose operands are all constants become constants, computed by the interpreter."""

    def make(node: Expr, args: tuple[Expr, ...]) -> Expr:
        new = node if args == () else Expr(node.op, args, node.kind, node.data)
        foldable = node.op in OPERATIONS and node.kind in (Kind.NUMBER, Kind.BOOLEAN)
        if foldable and args and all(arg.op == "const" for arg in args):
            value = interpret([new], {}, 1)[0]
            return Expr.const(value[0].item())  # type: ignore[index]
        return new

    return rebuild(roots, make)


def share(roots: Sequence[Expr]) -> list[Expr]:
    """Equal subexpressions become one node. Constants stay apart: they are numbers, not structure."""
    known: dict[Any, Expr] = {}

    def make(node: Expr, args: tuple[Expr, ...]) -> Expr:
        if node.op == "const":
            return node
        key = (node.op, tuple(_constant_key(arg) for arg in args), node.kind, data_key(node.data))
        if key not in known:
            known[key] = node if args == () else Expr(node.op, args, node.kind, node.data)
        return known[key]

    return rebuild(roots, make)


def data_key(data: Any) -> Any:
    """What tells two nodes' data apart, to the bit: 0.0 and -0.0 are equal as numbers, but not here."""
    if isinstance(data, Lookup):
        return data.texts, *(float.hex(v) for v in (*data.values, data.missing, data.unknown))
    return data


def _constant_key(node: Expr) -> Any:
    return ("const", node.kind, repr(node.data)) if node.op == "const" else id(node)


_LEAST_COST = 4
"""A subexpression cheaper than this (about nanoseconds) is computed again rather than kept."""


def cut(roots: Sequence[Expr]) -> list[Expr]:
    """Costly subexpressions that several results use, operands first: each is computed once per block."""
    order = list(walk(roots))
    cost: dict[int, int] = {}
    for node in order:
        own = (
            OPERATIONS[node.op].cost
            if node.op in OPERATIONS
            else {"lookup": 2, "calendar": 6, "single": 3, "call": 20, "table": 3, "search": 10}.get(
                node.op, 0
            )
        )
        cost[id(node)] = own + sum(cost[id(arg)] for arg in node.args)
    owners: dict[int, set[int]] = {id(node): set() for node in order}
    for i, root in enumerate(roots):
        owners[id(root)].add(-1 - i)
    cuts: list[Expr] = []
    for node in reversed(order):
        mine = owners[id(node)]
        storable = node.kind in (Kind.NUMBER, Kind.BOOLEAN) and node.args
        if len(mine) > 1 and storable and cost[id(node)] >= _LEAST_COST:
            cuts.append(node)
            mine = {id(node)}
        for arg in node.args:
            owners[id(arg)] |= mine
    return cuts[::-1]


# -- groups


Key: TypeAlias = tuple[str, str]
"""A stage's label and a name: what a stage takes from kernels; an output column where the label is empty."""


@dataclass(frozen=True, slots=True)
class Root:
    """A result of a kernel.

    Parameters
    ----------
    expr : Expr
    store : str
        What is written: ``feature`` (float32 in the matrix), ``number``, ``boolean``, ``category``,
        ``timestamp``, or ``scratch``.
    slot : int
        The feature's number, the output's number, or the scratch column's.
    name : str
        The output column's; otherwise for people.
    stage : str
        The label of the stage that takes it from memory; empty: it is a feature, or an output column.
    """

    expr: Expr
    store: str
    slot: int
    name: str
    stage: str = ""

    @property
    def key(self) -> Key:
        """What it is in memory, where it is no feature."""
        return self.stage, self.name


@dataclass(frozen=True, slots=True)
class Line:
    """One operator of a shape: ``v{number} = op(args)``; args are names of values, columns and parameters."""

    op: str
    args: tuple[str, ...]
    data: Any = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What members of a group have in common: operators, kinds of leaves, number of parameters.

    Parameters
    ----------
    store : str
    leaves : tuple of str
        The element type of each column read: ``float64``, ``float32``, ``int32``, ``int64``, ``uint8`` (a
        boolean), ``scratch``.
    constants, tables, counts : int
        How many constants, tables and whole numbers each member has.
    lines : tuple of Line
    result : str
        The name of the value stored.
    """

    store: str
    leaves: tuple[str, ...]
    constants: int
    tables: int
    counts: int
    lines: tuple[Line, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Member:
    """One result of a group: its own columns and numbers.

    ``tables`` and ``counts`` hold the nodes whose table, or whole number (the code of a look-up's only
    text, how many texts there are to choose from, the size of a table of edges), is filled in when the
    vocabularies are known.
    """

    root: Root
    leaves: tuple[Expr, ...]
    constants: tuple[float, ...]
    tables: tuple[Expr, ...]
    counts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Results of one shape, computed by one loop."""

    shape: Shape
    members: tuple[Member, ...]


def group(roots: Iterable[Root], scratch: Mapping[int, int]) -> list[Group]:
    """Results of the same shape together, in order of first appearance.

    A scratch column must be written before it is read, so results that read scratch come in groups behind
    those that write it: groups are keyed by how deep in scratch columns they lie.

    Parameters
    ----------
    roots : iterable of Root
        Scratch columns first, operands before users.
    scratch : mapping
        The scratch column of each node that has one, by ``id``.
    """
    depth: dict[int, int] = {}
    groups: dict[Any, list[Member]] = {}
    for root in roots:
        shape, member = _shape_of(root, scratch)
        level = 1 + max(
            (depth[scratch[id(leaf)]] for leaf in member.leaves if id(leaf) in scratch), default=-1
        )
        if root.store == "scratch":
            depth[root.slot] = level
        groups.setdefault((level, root.store != "scratch", shape), []).append(member)
    ordered = sorted(groups.items(), key=lambda item: item[0][0:2])
    return [Group(key[2], tuple(members)) for key, members in ordered]


_LEAF_TYPES = {
    Kind.NUMBER: "float64",
    Kind.BOOLEAN: "uint8",
    Kind.CATEGORY: "int32",
    Kind.TIMESTAMP: "int64",
}


def _shape_of(root: Root, scratch: Mapping[int, int]) -> tuple[Shape, Member]:
    own = root.slot if root.store == "scratch" else None
    names: dict[int, str] = {}
    leaves: list[Expr] = []
    types: list[str] = []
    constants: list[float] = []
    tables: list[Expr] = []
    counts: list[Expr] = []
    lines: list[Line] = []

    def leaf(node: Expr, kind: str) -> str:
        if id(node) not in names:
            names[id(node)] = f"x{len(leaves)}"
            leaves.append(node)
            types.append(kind)
        return names[id(node)]

    def operand(node: Expr) -> str:
        if node.op == "const":
            constants.append(float(node.data))
            name = f"a{len(constants) - 1}"
            return f"({name} != 0.0)" if node.kind is Kind.BOOLEAN else name
        return names[id(node)]

    def visit(node: Expr) -> None:
        if node.op == "const":
            return
        if id(node) in scratch and scratch[id(node)] != own:
            leaf(node, "scratch_boolean" if node.kind is Kind.BOOLEAN else "scratch")
        elif node.op in LEAVES:
            leaf(node, "float32" if node.op == "score" else _LEAF_TYPES[node.kind])
        else:
            args = tuple(operand(arg) for arg in node.args)
            data: Any = None
            if node.op == "lookup" and len(node.data.texts) <= 1:
                # a table for each of a one-hot's columns would grow with the square of the vocabulary
                args += tuple(f"a{len(constants) + k}" for k in range(3))
                constants.extend((*(node.data.values or (0.0,)), node.data.unknown, node.data.missing))
                data = f"n{len(counts)}"
                counts.append(node)
            elif node.op in ("lookup", "table", "search"):
                data = f"t{len(tables)}"
                tables.append(node)
            elif node.op == "choose":
                data = f"n{len(counts)}"
                counts.append(node)
            elif node.op == "single":
                data = (f"t{len(tables)}", f"n{len(counts)}")
                tables.append(node)
                counts.append(node)
            elif node.op in ("calendar", "call"):
                data = node.data
            names[id(node)] = f"v{len(lines)}"
            lines.append(Line(node.op, args, data))

    # not below nodes that lie in a scratch column
    for node in walk((root.expr,), lambda node: id(node) in scratch and scratch[id(node)] != own):
        visit(node)
    result = operand(root.expr)
    shape = Shape(root.store, tuple(types), len(constants), len(tables), len(counts), tuple(lines), result)
    return shape, Member(root, tuple(leaves), tuple(constants), tuple(tables), tuple(counts))
