"""Monotone and interaction constraints by column name, as XGBoost takes them: by the features' order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from engine.errors import UserError, did_you_mean
from engine.plan.select import is_glob, select
from engine.schema import Column, Kind


def constraint_mistakes(
    monotone: Mapping[str, float], interaction: Sequence[Sequence[str]], columns: Sequence[Column]
) -> Iterable[str]:
    """What is wrong with constraints, a sentence each, as far as it shows before data is seen.

    Parameters
    ----------
    monotone : mapping of str to float
        A sign for a name or glob.
    interaction : sequence of sequences of str
        Names or globs that may interact.
    columns : sequence of Column
        The features; open ones stand for those that are not known yet.

    Examples
    --------
    >>> list(constraint_mistakes({"dela": 1}, [], [Column("delay", Kind.NUMBER)]))
    ["monotone: 'dela' is no feature. Did you mean 'delay'?"]
    """
    for name, sign in monotone.items():
        if sign not in (-1, 0, 1):
            yield f"monotone.{name}: {sign:g} is no direction; 1: never falls, -1: never rises, 0: free"
        found, _ = select([name], columns, tuple(Kind))
        if not found:
            yield f"monotone: {_no_feature(name, [column.name for column in columns])}"
        elif sign and all(column.kind is Kind.CATEGORY for column in found):
            yield f"monotone: {name!r} is a category, which has no order; use ordinal first"
    for group in interaction:
        if not group:
            yield "interaction: a list is empty; each names columns that may interact"
        for name in group:
            if not select([name], columns, tuple(Kind))[0]:
                yield f"interaction: {_no_feature(name, [column.name for column in columns])}"


def monotone_constraints(monotone: Mapping[str, float], features: Sequence[str]) -> str:
    """The parameter ``monotone_constraints``. What is named one by one overrides globs.

    Raises
    ------
    UserError
        A name that is no feature.

    Examples
    --------
    >>> monotone_constraints({"k_*": -1, "k_a": 0, "delay": 1}, ["delay", "k_a", "k_b"])
    '(1,0,-1)'
    """
    signs = dict.fromkeys(features, 0)
    for name in sorted(monotone, key=lambda name: name in signs):  # globs first
        signs |= dict.fromkeys(_matching(name, features, "monotone"), int(monotone[name]))
    return "(" + ",".join(map(str, signs.values())) + ")"


def interaction_constraints(groups: Sequence[Sequence[str]], features: Sequence[str]) -> str:
    """The parameter ``interaction_constraints``.

    Raises
    ------
    UserError
        A name that is no feature.

    Examples
    --------
    >>> interaction_constraints([["delay", "carrier_*"]], ["delay", "carrier_UA", "wind"])
    '[[0, 1]]'
    """
    place = {name: i for i, name in enumerate(features)}
    numbered = [
        sorted({place[found] for name in group for found in _matching(name, features, "interaction")})
        for group in groups
    ]
    return str(numbered)


def _matching(name: str, features: Sequence[str], where: str) -> list[str]:
    if name in features:
        return [name]
    found = [feature for feature in features if fnmatchcase(feature, name)] if is_glob(name) else []
    if not found:
        raise UserError(f"{where}: {_no_feature(name, features)}")
    return found


def _no_feature(name: str, features: Sequence[str]) -> str:
    if is_glob(name):
        return f"{name!r} matches no feature"
    return f"{name!r} is no feature.{did_you_mean(name, features)}"
