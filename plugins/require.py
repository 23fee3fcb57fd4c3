"""Rows whose values break a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan
from types import MappingProxyType
from typing import Any

from engine.config.convert import Misfit, convert, shown
from engine.decode.messages import quote
from engine.decode.scalar import parse_time
from engine.errors import listing
from engine.expr.graph import Expr, search, table
from engine.expr.texts import Length, Matches, OneOf
from engine.schema import Column, Kind
from engine.stage import Learned, RowFilter, option, stage

_RULES = MappingProxyType(
    {
        Kind.NUMBER: ("min", "max", "allowed"),
        Kind.BOOLEAN: ("min", "max", "allowed"),
        Kind.CATEGORY: ("allowed", "pattern"),
        Kind.TIMESTAMP: ("min", "max"),
        Kind.TEXT: ("allowed", "pattern"),
    }
)
"""What can be asked of a column of each kind, besides ``not_null``."""


@stage("require")
class Require(RowFilter):
    """Refuse rows in which a selected column breaks a rule; missing passes, unless ``not_null``.

    ============  =====================================  =================================================
    rule          of                                     a value passes
    ============  =====================================  =================================================
    ``not_null``  all                                    that isn't missing
    ``min``       numbers, booleans, timestamps          that is ``min`` or above
    ``max``       numbers, booleans, timestamps          that is ``max`` or below
    ``allowed``   numbers, booleans, categories, texts   that is one of the list
    ``pattern``   categories, texts                      that matches it as a whole, a regular expression
    ============  =====================================  =================================================

    Several rules hold for each column together; for other rules on other columns write another stage. A
    missing value passes every rule but ``not_null``, which alone refuses it. A row that breaks several is
    refused for the first: by column, in the order in which ``columns`` selects them, then by rule, in the
    order above. The reason names the column, the rule and what was expected; the column itself is the one
    that the reject concerns.

    A boolean is 1 or 0, or in ``allowed`` true or false. Bounds of a timestamp are RFC 3339 texts, in UTC
    unless they say otherwise; a date is its first moment. The pattern is one of RE2, which must match the
    whole text: ``N[0-9]+`` refuses ``N12A``. ``(?i)`` in front of it lets upper and lower case be the same.
    Texts are looked at whether or not another stage knows them.

    Examples
    --------
    >>> from datetime import datetime
    >>> from engine.testing import run_stage
    >>> run_stage("require", {"delay": [5.0, None]}, not_null=True)
    {'delay is missing: not_null expects a value': [False, True]}
    >>> run_stage("require", {"x": [-9.0, None]}, min=0)
    {'x is below min: expected 0 or more': [True, False]}
    >>> run_stage("require", {"rooms": [2.0, 2.5, None]}, allowed=[1, 2, 3])
    {'rooms is not allowed: expected one of 1, 2, 3': [False, True, False]}
    >>> run_stage("require", {"carrier": ["UA", "XX", None]}, allowed=["UA", "AA"])
    {"carrier is not allowed: expected one of 'UA', 'AA'": [False, True, False]}
    >>> run_stage("require", {"tailnum": ["N711AA", "N7", "x N711AA"]}, pattern="N[0-9]{3}[A-Z]*")
    {"tailnum doesn't match pattern: expected 'N[0-9]{3}[A-Z]*', as a whole": [False, True, True]}
    >>> run_stage("require", {"left": [datetime(2013, 1, 1), datetime(2013, 1, 1, 1)]}, max="2013-01-01")
    {'left is above max: expected 2013-01-01 or earlier': [False, True]}
    >>> run_stage("require", {"sold": [True, False]}, allowed=[True])
    {'sold is not allowed: expected true': [False, True]}
    """

    accepts = tuple(Kind)

    not_null: bool = option(False, runtime=True, help="whether a missing value is refused")
    min: float | str | None = option(
        None, runtime=True, help="the least value that passes; of a timestamp, as RFC 3339"
    )
    max: float | str | None = option(
        None, runtime=True, help="the greatest value that passes; of a timestamp, as RFC 3339"
    )
    allowed: list[bool | float | str] | None = option(
        None, runtime=True, help="the values that pass: numbers, or texts"
    )
    pattern: str | None = option(
        None, runtime=True, help="what a whole text must match: a regular expression, RE2's"
    )

    # -- what is wrong with the options

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        rules = ("min", "max", "allowed", "pattern")
        given = {rule: value for rule in rules if (value := getattr(self, rule)) is not None}
        if not (given or self.not_null):
            yield "require has no rule: give not_null: true, min, max, allowed or pattern"
        if self.allowed is not None:
            if not self.allowed:
                yield "allowed is empty, so that no value passes: give a list, such as [UA, AA]"
            yield from OneOf(_texts(self.allowed)).check()
        if self.pattern == "":
            yield 'pattern is empty, which an empty text alone matches: write allowed: [""] for that'
        elif self.pattern is not None:
            yield from Matches(self.pattern).check()
        for kind in Kind:
            names = [repr(column.name) for column in columns if column.kind is kind]
            if names:
                yield from _misfits(kind, f"{listing(names)} ({kind})", given)

    # -- what is refused

    def reject(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Mapping[str, Expr]]:
        return {
            name: {f"{name} {why}": holds for why, holds in self._refuses(x)} for name, x in columns.items()
        }

    def _refuses(self, x: Expr) -> Iterator[tuple[str, Expr]]:
        timed = x.kind is Kind.TIMESTAMP
        if self.not_null and x.kind is not Kind.BOOLEAN:
            yield "is missing: not_null expects a value", _missing(x)
        if self.min is not None:
            least, beside = _stated(x.kind, self.min), f"{_said(self.min)} or {'later' if timed else 'more'}"
            yield f"is below min: expected {beside}", x.since(least) < 0 if timed else x < least
        if self.max is not None:
            most, beside = _stated(x.kind, self.max), f"{_said(self.max)} or {'earlier' if timed else 'less'}"
            yield f"is above max: expected {beside}", x.since(most) > 0 if timed else x > most
        if self.allowed is not None:
            expected = listing(quote(v) if isinstance(v, str) else _said(v) for v in self.allowed)
            one_of = "one of " if len(self.allowed) > 1 else ""
            yield f"is not allowed: expected {one_of}{expected}", _is_other(x, self.allowed)
        if self.pattern is not None:
            matches = x.of_text(Matches(self.pattern))
            yield f"doesn't match pattern: expected {quote(self.pattern)}, as a whole", matches == 0


def _misfits(kind: Kind, what: str, given: Mapping[str, Any]) -> Iterator[str]:
    """What of the rules doesn't go with columns of a kind, which ``what`` names."""
    for rule in given:
        if rule not in _RULES[kind]:
            known = " and ".join((", ".join(_RULES[kind]), "not_null"))
            yield (
                f"{rule} is no rule for {what}: there are {known}; take another, or give such columns a "
                "require stage of their own"
            )
    stated: dict[str, float] = {}
    for rule, value in given.items():
        if rule not in _RULES[kind] or rule == "pattern":
            continue
        for place, one in enumerate(value) if rule == "allowed" else ((None, value),):
            where = rule if place is None else f"{rule}[{place}]"
            try:
                stated[where] = _stated(kind, one)
            except Misfit as misfit:
                yield f"{where} of {what} {misfit.message}"
    if "min" in stated and "max" in stated and stated["min"] > stated["max"]:
        yield f"min ({_said(given['min'])}) is above max ({_said(given['max'])}), so that no value passes"


def _stated(kind: Kind, value: bool | float | str) -> Any:
    """A value of an option as columns of a kind have it: a number, µs since 1970, or a text.

    Raises
    ------
    Misfit
        It is of another kind.
    """
    if kind in (Kind.CATEGORY, Kind.TEXT):
        return convert(value, str)
    if kind is Kind.TIMESTAMP:
        try:
            return parse_time(convert(value, str))
        except (Misfit, ValueError):
            raise Misfit(
                f"must be a moment such as 2013-01-01T18:30:00Z, or a date, not {shown(value)}"
            ) from None
    number: float = (
        float(value) if isinstance(value, bool) and kind is Kind.BOOLEAN else convert(value, float)
    )
    if isnan(number):
        raise Misfit("is NaN, which is what is missing: a number is expected")
    return number


def _missing(x: Expr) -> Expr:
    return x.of_text(Length()).isnan() if x.kind in (Kind.CATEGORY, Kind.TEXT) else x.isnan()


def _is_other(x: Expr, values: Sequence[bool | float | str]) -> Expr:
    """Whether a value is there, and none of those stated."""
    if x.kind in (Kind.CATEGORY, Kind.TEXT):
        return x.of_text(OneOf(_texts(values))) == 0
    numbers = sorted(_stated(x.kind, value) for value in values)
    return ~((table(numbers)[search(x, numbers) - 1] == x) | x.isnan())


def _texts(values: Sequence[bool | float | str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if isinstance(value, str)}))


def _said(value: bool | float | str) -> str:
    """A value of an option as a config has it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else shown(value)
