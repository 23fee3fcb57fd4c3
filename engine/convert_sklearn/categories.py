"""What encoders know of a column: its categories, the rare ones, and what a missing one counts as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.convert_sklearn.draft import Feature, literal, quoted
from engine.convert_sklearn.refuse import Refused
from engine.schema import Kind

MOST_CASES = 200
"""How many values one expression tells apart: beyond that, kernels get slow to compile."""


@dataclass(frozen=True, slots=True)
class Known:
    """The categories of one column in the encoder's order.

    Parameters
    ----------
    values : tuple of str or float
        All but the missing one.
    places : tuple of int
        Where each stands in ``categories_``.
    missing : int or None
        The place that a missing value has there: by itself, or by the text that fills it. None: it is
        unknown.
    """

    values: tuple[str | float, ...]
    places: tuple[int, ...]
    missing: int | None

    @property
    def texts(self) -> tuple[str, ...]:
        """The values of a category column."""
        return tuple(str(value) for value in self.values)


def known(feature: Feature, categories: Any) -> Known:
    """The categories of a column.

    Raises
    ------
    Refused
        They are not of the column's kind.
    """
    items = list(categories.tolist())
    none = [i for i, item in enumerate(items) if _is_missing(item)]
    if len(none) > 1:
        raise Refused(
            f"{feature.name!r} has two categories for missing values, None and NaN, which are one here",
            "replace None by NaN, and fit again",
        )
    places = tuple(i for i in range(len(items)) if i not in none)
    values = tuple(items[i] for i in places)
    if feature.kind is Kind.CATEGORY:
        wrong = [value for value in values if not isinstance(value, str)]
    elif feature.kind in (Kind.NUMBER, Kind.BOOLEAN):
        wrong = [value for value in values if not isinstance(value, bool | int | float)]
        values = tuple(value if isinstance(value, str) else float(value) for value in values)
    else:
        raise Refused(f"{feature.name!r} is a {feature.kind}, and encoders take categories and numbers")
    if wrong:
        raise Refused(
            f"{feature.name!r} is a {feature.kind}, and {wrong[0]!r} ({type(wrong[0]).__name__}) is among "
            "its categories",
            "give the column one type, texts or numbers, and say which in inputs",
        )
    if none and feature.fill is not None:
        raise Refused(
            f"{feature.name!r} still has missing values behind the imputer, because scikit-learn tells None "
            "from NaN, which are one here",
            "replace None by NaN, and fit again",
        )
    missing = none[0] if none else None
    if feature.fill is not None:
        missing = items.index(feature.fill) if feature.fill in values else None
    if feature.kind is not Kind.CATEGORY and len(values) > MOST_CASES:
        raise Refused(
            f"{feature.name!r} is a number with {len(values):,} categories; at most {MOST_CASES} are "
            "converted",
            "encode it as text: make the column a category",
        )
    return Known(values, places, missing)


def is_any(feature: Feature, values: Sequence[str | float], *, missing: bool) -> str:
    """An expression: whether the column has one of these values, or is missing."""
    x = quoted(feature.name)
    tests = [f"{x} == {literal(value)}" for value in values] + ([f"isnan({x})"] if missing else [])
    return " or ".join(tests)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
