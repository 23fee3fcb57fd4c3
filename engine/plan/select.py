"""Which columns a stage gets: names, globs (``temp_*``) and kinds (``numbers``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from engine.errors import did_you_mean, listing
from engine.schema import Column, Kind

KIND_WORDS = {
    "numbers": Kind.NUMBER,
    "categories": Kind.CATEGORY,
    "timestamps": Kind.TIMESTAMP,
    "booleans": Kind.BOOLEAN,
    "texts": Kind.TEXT,
}


def select(
    selectors: Sequence[str],
    columns: Sequence[Column],
    accepts: Sequence[Kind],
    only_named: Sequence[Kind] = (),
) -> tuple[list[Column], list[str]]:
    """The columns selected, in order, and what is wrong with the selectors, a sentence each.

    Parameters
    ----------
    selectors : sequence of str
        Empty selects every column of an accepted kind.
    columns : sequence of Column
        The columns there are. An open one is selected by whatever may turn out to match it.
    accepts : sequence of Kind
        A column selected by name must be of one of these; globs and kinds pass over others. ``numbers`` takes
        booleans along where they are accepted.
    only_named : sequence of Kind
        Accepted kinds that neither a glob nor the absence of selectors selects.

    Examples
    --------
    >>> columns = [Column("a", Kind.NUMBER), Column("b_1", Kind.NUMBER), Column("c", Kind.CATEGORY)]
    >>> [c.name for c in select(["b_*", "a"], columns, [Kind.NUMBER])[0]]
    ['b_1', 'a']
    >>> select(["c"], columns, [Kind.NUMBER])[1]
    ["'c' is a category, and this stage takes numbers"]
    """
    chosen: dict[str, Column] = {}
    problems: list[str] = []
    freely = [kind for kind in accepts if kind not in only_named]
    for selector in selectors or [_plural(kind) for kind in freely]:
        if selector in KIND_WORDS:
            kinds = {KIND_WORDS[selector]} | ({Kind.BOOLEAN} if selector == "numbers" else set())
            found = [c for c in columns if c.kind in kinds and c.kind in accepts]
            if not found and selectors:
                problems.append(f"there are no {selector}; columns here: {listing(map(str, columns))}")
        elif is_glob(selector) and all(c.name != selector or c.open for c in columns):
            matching = [c for c in columns if _matches(selector, c)]
            found = [c for c in matching if c.kind in freely]
            if not found:
                problems.append(_nothing(selector, matching, columns, accepts, only_named))
        else:
            found = [c for c in columns if c.name == selector]
            pattern = next((c for c in columns if c.open and c.covers(selector)), None)
            if not found and pattern is not None:
                found = [replace(pattern, name=selector, open=False)]
            if not found:
                hint = did_you_mean(selector, [c.name for c in columns])
                problems.append(
                    f"there is no column {selector!r}.{hint} Columns here: {listing(map(str, columns))}"
                )
            elif found[0].kind not in accepts:
                problems.append(f"{selector!r} is a {found[0].kind}, and this stage takes {_kinds(accepts)}")
                found = []
        for column in found:
            chosen.setdefault(column.name, column)
    return list(chosen.values()), problems


def is_glob(selector: str) -> bool:
    """Whether a selector has wildcards; a column of just that name is selected all the same."""
    return any(mark in selector for mark in "*?[")


def _plural(kind: Kind) -> str:
    return next(word for word, k in KIND_WORDS.items() if k is kind)


def _kinds(accepts: Sequence[Kind]) -> str:
    words = [_plural(kind) for kind in accepts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _matches(glob: str, column: Column) -> bool:
    if not column.open:
        return fnmatchcase(column.name, glob)
    a, b = _stem(glob), _stem(column.name)
    return a.startswith(b) or b.startswith(a)


def _stem(glob: str) -> str:
    """What stands before the first wildcard."""
    cut = min((glob.index(mark) for mark in "*?[" if mark in glob), default=len(glob))
    return glob[:cut]


def _nothing(
    selector: str,
    matching: list[Column],
    columns: Sequence[Column],
    accepts: Sequence[Kind],
    only_named: Sequence[Kind],
) -> str:
    words = " and ".join(_plural(kind) for kind in only_named if any(c.kind is kind for c in matching))
    if words:
        return f"{selector!r} matches {listing(map(str, matching))}; {words} must be named one by one"
    if matching:
        return f"{selector!r} matches {listing(map(str, matching))}, and this stage takes {_kinds(accepts)}"
    return f"{selector!r} matches no column; columns here: {listing(map(str, columns))}"
