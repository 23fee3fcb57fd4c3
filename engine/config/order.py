"""The order in which stages run: as declared, with ``before`` and ``after`` spliced in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.errors import Mistake, did_you_mean, listing


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a stage wants to stand: right before, or right after, the stage of another label."""

    before: str | None = None
    after: str | None = None


def order_stages(
    anchors: Mapping[str, Anchor], set_by: Callable[[str], str]
) -> tuple[tuple[str, ...], tuple[Mistake, ...]]:
    """Labels in the order in which the stages run.

    Stages without an anchor keep the order of declaration. The others go to their anchors' side, in the order
    of declaration too, and take along what is anchored to them.

    Parameters
    ----------
    anchors : mapping of str to Anchor
        Every label, in the order of declaration.
    set_by : callable
        Who set a key, for messages.

    Returns
    -------
    labels : tuple of str
        All labels; those whose anchors are mistaken stand where they were declared.
    mistakes : tuple of Mistake
        Unknown anchors, cycles, and two anchors on one stage.

    Examples
    --------
    >>> order_stages({"fill": Anchor(), "model": Anchor(), "log": Anchor(after="fill")}, lambda key: "")[0]
    ('fill', 'log', 'model')
    """
    mistakes: list[Mistake] = []
    sides: dict[str, tuple[str, str]] = {}
    for label, anchor in anchors.items():
        side = _side(label, anchor, anchors, set_by, mistakes)
        if side is not None:
            sides[label] = side
    for label in _cyclic(sides, set_by, mistakes):
        del sides[label]
    return _spliced(list(anchors), sides), tuple(mistakes)


def _side(
    label: str,
    anchor: Anchor,
    anchors: Mapping[str, Anchor],
    set_by: Callable[[str], str],
    mistakes: list[Mistake],
) -> tuple[str, str] | None:
    """The stage's side ("before" or "after") and whose."""
    where = f"stages.{label}"
    if anchor.before is not None and anchor.after is not None:
        notes = (
            f"remove one: ~{where}.before or ~{where}.after",
            f"before set by: {set_by(f'{where}.before')}        after set by: {set_by(f'{where}.after')}",
        )
        message = f"it has both before: {anchor.before} and after: {anchor.after}; a stage has one anchor"
        mistakes.append(Mistake(where, message, notes))
        return None
    side, other = ("before", anchor.before) if anchor.before is not None else ("after", anchor.after)
    if other is None:
        return None
    if other not in anchors:
        labels = [name for name in anchors if name != label]
        notes = (f"labels: {listing(labels)}", f"set by: {set_by(f'{where}.{side}')}")
        message = f"no stage is labelled {other!r}.{did_you_mean(other, labels)}"
        mistakes.append(Mistake(f"{where}.{side}", message, notes))
        return None
    return side, other


def _cyclic(
    sides: Mapping[str, tuple[str, str]], set_by: Callable[[str], str], mistakes: list[Mistake]
) -> set[str]:
    """Labels of stages whose anchors lead back to themselves; one mistake for each circle."""
    found: set[str] = set()
    for start in sides:
        chain = [start]
        while (side := sides.get(chain[-1])) is not None and side[1] not in chain:
            chain.append(side[1])
        if side is None or side[1] != start or start in found:
            continue
        found.update(chain)
        steps = ", ".join(f"{label} {sides[label][0]} {sides[label][1]}" for label in chain)
        where = f"stages.{start}.{sides[start][0]}"
        mistakes.append(
            Mistake(where, f"the anchors run in a circle: {steps}", (f"set by: {set_by(where)}",))
        )
    return found


def _spliced(labels: list[str], sides: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    beside: dict[tuple[str, str], list[str]] = {}
    for label in labels:
        if label in sides:
            beside.setdefault(sides[label], []).append(label)
    ordered: list[str] = []
    # A stack instead of recursion: a chain of anchors may be longer than Python's stack is deep.
    pending = [(label, False) for label in reversed(labels) if label not in sides]
    while pending:
        label, placed = pending.pop()
        if placed:
            ordered.append(label)
            continue
        pending.extend((other, False) for other in reversed(beside.get(("after", label), [])))
        pending.append((label, True))
        pending.extend((other, False) for other in reversed(beside.get(("before", label), [])))
    return tuple(ordered)
