"""What a program reads, computes and writes, before anything is compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.compile.passes import Root
from engine.expr.graph import Expr, leaves, walk
from engine.plan.trace import ScorePoint, Trace
from engine.schema import Column, Kind
from engine.stage import Scorer

STORES = {
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.CATEGORY: "category",
    Kind.TIMESTAMP: "timestamp",
}
"""How a kernel stores an output column of each kind."""


@dataclass(frozen=True)
class Segment:
    """The arithmetic in front of a model, or behind the last.

    Parameters
    ----------
    roots : tuple of Root
        Its results: features of the model, or output columns (slots from 1).
    width : int
        Features in a row of the model's matrix, with those that aren't computed.
    point : ScorePoint or None
        The model that takes the features; None behind the last.
    folded : str
        What was folded into the model, for people; the features are then no longer those of ``point``.
    """

    roots: tuple[Root, ...]
    width: int
    point: ScorePoint | None
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
    """

    reads: tuple[str, ...]
    kinds: Mapping[str, Kind]
    vocabularies: Mapping[str, tuple[str, ...]]
    segments: tuple[Segment, ...]
    outputs: tuple[tuple[Column, Expr], ...]
    pruned: tuple[str, ...]

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
    for point in _live(trace):
        used = scorers[point.label].used
        roots = [Root(node, "feature", i, name) for i, (name, node) in enumerate(point.features) if i in used]
        pruned += [name for i, (name, _) in enumerate(point.features) if i not in used]
        segments.append(Segment(tuple(roots), len(point.features), point))
    computed = [(c, node) for c, node in trace.outputs if node.op != "score" and not is_passed(node)]
    if computed:
        roots = [Root(node, STORES[node.kind], i, c.name) for i, (c, node) in enumerate(computed, 1)]
        segments.append(Segment(tuple(roots), 0, None))
    nodes = [root.expr for segment in segments for root in segment.roots]
    inputs = [leaf for leaf in leaves(nodes) if leaf.op == "input"]
    return Layout(
        tuple(leaf.data for leaf in inputs),
        {leaf.data: leaf.kind for leaf in inputs},
        # a category that only a pruned feature looks up is known all the same
        _vocabularies([*nodes, *(node for point in trace.scores for _, node in point.features)]),
        tuple(segments),
        trace.outputs,
        tuple(pruned),
    )


def _live(trace: Trace) -> list[ScorePoint]:
    """The models whose scores reach an output, by way of later models or directly."""
    reached = _scores([node for _, node in trace.outputs])
    live = []
    for point in reversed(trace.scores):
        if point.label in reached:
            live.append(point)
            reached |= _scores([node for _, node in point.features])
    return live[::-1]


def _scores(nodes: Sequence[Expr]) -> set[str]:
    return {leaf.data[0] for leaf in leaves(nodes) if leaf.op == "score"}


def _vocabularies(nodes: Sequence[Expr]) -> dict[str, tuple[str, ...]]:
    texts: dict[str, set[str]] = {}
    for node in walk(nodes):
        if node.op == "input" and node.kind is Kind.CATEGORY:
            texts.setdefault(node.data, set())
        elif node.op == "lookup" and node.args[0].op == "input":
            texts.setdefault(node.args[0].data, set()).update(node.data.texts)
    return {name: tuple(sorted(found)) for name, found in texts.items()}
