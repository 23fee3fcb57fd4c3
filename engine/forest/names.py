"""What score columns are called, behind their common beginning."""

from __future__ import annotations

from collections.abc import Sequence

from engine.forest.model import Model


def suffixes(facts: Model, classes: Sequence[str], margin: bool = False) -> tuple[str, ...]:
    """The suffixes of a model's score columns.

    Parameters
    ----------
    facts : Model
    classes : sequence of str
        The names of its classes, or of its targets; empty: they are numbered.
    margin : bool
        Whether it gives margins: then ``multi:softmax`` has one for each class, too.
    """
    if facts.alphas:  # they are targets, too
        return of_alphas(facts.objective, facts.alphas)
    if facts.objective == "multi:softmax" and not margin:
        return ("",)
    if facts.n_margins == 1 and not classes:
        return ("",)
    return of_names(classes or numbered(facts.n_margins))


def of_names(names: Sequence[str]) -> tuple[str, ...]:
    """``_<name>`` for each class or target."""
    return tuple(f"_{name}" for name in names)


def of_alphas(objective: str, values: Sequence[float]) -> tuple[str, ...]:
    """``_q<alpha>`` for each quantile, ``_e<alpha>`` for each expectile.

    >>> of_alphas("reg:quantileerror", [0.1, 0.5])
    ('_q0.1', '_q0.5')
    """
    letter = "e" if objective == "reg:expectileerror" else "q"
    return tuple(f"_{letter}{value:g}" for value in values)


def numbered(count: int) -> tuple[str, ...]:
    """The names of classes that have none."""
    return tuple(map(str, range(count)))
