"""What a program reads, computes and writes, before anything is compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.compile.passes import Key, Root
from engine.expr.derived import Derived, InputKey
from engine.expr.graph import Expr
from engine.expr.walk import leaves, walk
from engine.plan.points import ComputePoint, FilterPoint, Point, ScorePoint
from engine.plan.trace import Trace
from engine.schema import Column, Kind
from engine.stage import Scorer

STORES = {
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.CATEGORY: "category",
    Kind.TIMESTAMP: "timestamp",
}
"""How a kernel stores an output column of each kind."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason for which a filter refuses rows.

    Parameters
    ----------
    key : Key
        The filter's label, and the reason.
    column : str
        The column that it is said to concern; empty: none.
    """

    key: Key
    column: str

    @property
    def message(self) -> str:
        """What users read."""
        return f"stages.{self.key[0]}: {self.key[1]}"


@dataclass(frozen=True)
class Segment:
    """The arithmetic in front of a model or of a stage that computes with NumPy, or behind the last.

    Parameters
    ----------
    roots : tuple of Root
        Its results: features of the model, or columns (slots from 1) that a stage takes or the output has,
        and where filters refuse rows.
    width : int
        Features in a row of the model's matrix, with those that aren't computed.
    point : ScorePoint or None
        The model that takes the features.
    compute : ComputePoint or None
        The stage that takes the columns.
    guards : int
        How many of the program's first refusals are known before that stage computes.
    folded : str
        What was folded into the model, for people; the features are then no longer those of ``point``.
    """

    roots: tuple[Root, ...]
    width: int
    point: ScorePoint | None
    compute: ComputePoint | None = None
    guards: int = 0
    folded: str = ""


@dataclass(frozen=True)
class Layout:
    """What a program does.

    Parameters
    ----------
    reads : tuple of str
        Inputs whose values it needs, in the order in which a row is given.
    kinds : mapping of str to Kind
        Their kinds.
    vocabularies : mapping of str to tuple of str
        What the codes of each category input stand for: every text that a look-up on it names, sorted.
    segments : tuple of Segment
    outputs : tuple of (Column, Expr)
    pruned : tuple of str
        Features that no split uses: they are not computed.
    refusals : tuple of Refusal
        In order: the first that holds is why a row is refused.
    """

    reads: tuple[InputKey, ...]
    kinds: Mapping[InputKey, Kind]
    vocabularies: Mapping[str, tuple[str, ...]]
    segments: tuple[Segment, ...]
    outputs: tuple[tuple[Column, Expr], ...]
    pruned: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The inputs whose runs of equal values are groups; None: all rows of a call are one."""
        points = [s.compute for s in self.segments if s.compute and s.compute.grouped]
        return tuple(dict.fromkeys(point.by for point in points))

    @property
    def computed(self) -> tuple[tuple[Column, Expr], ...]:
        """The outputs that a program computes; the others are inputs' text, passed on by who calls it."""
        return tuple((column, node) for column, node in self.outputs if not is_passed(node))


def is_passed(node: Expr) -> bool:
    """Whether an output is an input's text as it came: no kernel touches it."""
    return node.op == "input" and node.kind in (Kind.CATEGORY, Kind.TEXT)


def lay_out(trace: Trace, scorers: Mapping[str, Scorer]) -> Layout:
    """Decide what is computed: features and columns that can't change an output are pruned here.

    Parameters
    ----------
    trace : Trace
    scorers : mapping of str to Scorer
        By the label of the score stage.
    """
    segments: list[Segment] = []
    pruned: list[str] = []
    refusals: list[Refusal] = []
    waiting: list[tuple[str, str, Expr]] = []  # conditions, until columns are written
    for point in _live(trace):
        if isinstance(point, FilterPoint):
            refusals += [Refusal((point.label, found.reason), found.column) for found in point.conditions]
            waiting += [(point.label, found.reason, found.holds) for found in point.conditions]
            continue
        if isinstance(point, ComputePoint):
            taken = [(point.label, name, node) for name, node in point.inputs]
            segments.append(Segment(_columns([*taken, *waiting]), 0, None, point, len(refusals)))
            waiting = []
            continue
        used = scorers[point.label].used
        roots = [Root(node, "feature", i, name) for i, (name, node) in enumerate(point.features) if i in used]
        pruned += [name for i, (name, _) in enumerate(point.features) if i not in used]
        segments.append(Segment(tuple(roots), len(point.features), point))
    computed = [("", c.name, node) for c, node in trace.outputs if node.op != "score" and not is_passed(node)]
    if computed or waiting:
        segments.append(Segment(_columns([*computed, *waiting]), 0, None))
    nodes = [root.expr for segment in segments for root in segment.roots]
    # what is derived from texts stands together, last
    inputs = sorted(
        (leaf for leaf in leaves(nodes) if leaf.op == "input"),
        key=lambda leaf: isinstance(leaf.data, Derived),
    )
    return Layout(
        tuple(leaf.data for leaf in inputs),
        {leaf.data: leaf.kind for leaf in inputs},
        # a category that only a pruned feature looks up is known all the same
        _vocabularies([*nodes, *(node for point in trace.points for node in point.reads)]),
        tuple(segments),
        trace.outputs,
        tuple(pruned),
        tuple(refusals),
    )


def narrow(trace: Trace, scorers: Mapping[str, Scorer]) -> dict[str, Scorer]:
    """The models that give what somebody reads, where that is cheaper than all that they could give."""
    nodes = [*(node for _, node in trace.outputs), *(node for point in trace.points for node in point.reads)]
    read: dict[str, set[int]] = {label: set() for label in scorers}
    for leaf in leaves(nodes):
        if leaf.op == "score":
            read[leaf.data[0]].add(leaf.data[1])
    found: dict[str, Any] = dict(scorers)
    return {label: s.narrow(read[label]) if hasattr(s, "narrow") else s for label, s in found.items()}


def _columns(found: Sequence[tuple[str, str, Expr]]) -> tuple[Root, ...]:
    """Columns that a kernel writes: who takes each, its name, and what it is."""
    return tuple(
        Root(node, STORES[node.kind], i, name, label) for i, (label, name, node) in enumerate(found, 1)
    )


def _live(trace: Trace) -> list[Point]:
    """The filters, and what reaches an output or a filter, by way of later points or directly."""
    reached = _labels([node for _, node in trace.outputs])
    live: list[Point] = []
    for point in reversed(trace.points):
        if isinstance(point, FilterPoint) or point.label in reached:
            live.append(point)
            reached |= _labels(point.reads)
    return live[::-1]


def _labels(nodes: Sequence[Expr]) -> set[str]:
    return {leaf.data[0] for leaf in leaves(nodes) if leaf.op != "input"}


def _vocabularies(nodes: Sequence[Expr]) -> dict[str, tuple[str, ...]]:
    texts: dict[str, set[str]] = {}
    for node in walk(nodes):
        if node.op == "input" and node.kind is Kind.CATEGORY:
            texts.setdefault(node.data, set())
        elif node.op == "lookup" and node.args[0].op == "input":
            texts.setdefault(node.args[0].data, set()).update(node.data.texts)
    return {name: tuple(sorted(found)) for name, found in texts.items()}
