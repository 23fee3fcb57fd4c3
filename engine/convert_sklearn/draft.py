"""The config that grows while a scikit-learn pipeline is walked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.convert_sklearn.refuse import Refused
from engine.errors import Mistake
from engine.expr.syntax import FUNCTIONS
from engine.schema import Kind
from engine.stage import Learned

Path = tuple[str, ...]
"""The names of steps, outermost first."""

_WORDS = ("and", "or", "not", "true", "false", "inf", "nan")


@dataclass(frozen=True, slots=True)
class Feature:
    """A column on its way through the steps.

    Parameters
    ----------
    name : str
        What the engine calls it.
    kind : Kind
    shared : bool
        Whether other steps read it, too: then it must not be changed in place.
    source : str
        The input that it is, as long as nothing changed it; else empty.
    branch : str
        The step of a ColumnTransformer that it went into: what a copy is named after.
    fill : str or None
        The text that an imputer puts where a category is missing. The encoder behind it sees to that.
    """

    name: str
    kind: Kind
    shared: bool = False
    source: str = ""
    branch: str = ""
    fill: str | None = None


class Draft:
    """Stages, what they learned, and what can't be converted, as they are found."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self.stages: dict[str, dict[str, Any]] = {}
        self.learned: dict[str, Learned] = {}
        self.mistakes: list[Mistake] = []
        self.policies: dict[str, dict[str, str]] = {}
        self.known: dict[str, set[str]] = {}
        """The categories outside of which scikit-learn refuses a row, by input."""
        self._names = dict.fromkeys(inputs)

    # -- names

    @property
    def columns(self) -> tuple[str, ...]:
        """Every name that is taken, in the order in which columns came to be."""
        return tuple(self._names)

    def is_free(self, name: str) -> bool:
        """Whether no column is called so."""
        return name not in self._names

    def claim(self, wanted: str) -> str:
        """The name, or where it is taken the next free one behind it; taken from now on."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names[name] = None
        return name

    # -- stages

    def stage(
        self,
        path: Path,
        use: str,
        columns: Sequence[str],
        *,
        learned: Learned | None = None,
        into: str = "",
        **options: Any,
    ) -> str:
        """Add a stage; returns its label."""
        stem = re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(path)) or use
        stem = stem if stem[0].isalpha() else f"{use}_{stem}"
        label, number = stem, 1
        while label in self.stages:
            number += 1
            label = f"{stem}_{number}"
        config: dict[str, Any] = {"use": use}
        if columns:
            config["columns"] = list(columns)
        if into:
            config["into"] = into
        self.stages[label] = config | {key: value for key, value in options.items() if value is not None}
        if learned is not None:
            self.learned[label] = learned
        return label

    def expr(
        self, path: Path, wanted: str, value: str, kind: Kind = Kind.NUMBER, *, label: str = ""
    ) -> Feature:
        """A new column from an expression."""
        name = self.claim(wanted)
        self.stage((*path, label or name), "expr", (), into=name, value=value)
        return Feature(name, kind)

    def numbers(self, path: Path, features: Sequence[Feature]) -> list[Feature]:
        """The features as numbers that may be changed in place: a shared one is copied.

        Raises
        ------
        Refused
            One is no number.
        """
        wrong = [f for f in features if f.kind not in (Kind.NUMBER, Kind.BOOLEAN)]
        if wrong:
            raise Refused(
                f"{wrong[0].name!r} is a {wrong[0].kind}, and this step takes numbers",
                f"say inputs={{{wrong[0].name!r}: 'number'}} if it is one, or leave the column out",
            )
        return [self._own(path, feature) for feature in features]

    def _own(self, path: Path, feature: Feature) -> Feature:
        if feature.kind is Kind.BOOLEAN:
            return self.expr(path, f"{feature.name}_number", f"{quoted(feature.name)} + 0")
        if feature.shared:
            return self.expr(path, copy_name(feature), quoted(feature.name), label="copy")
        return replace(feature, source="")

    # -- what scikit-learn refuses

    def reject(self, feature: Feature, texts: Sequence[str], *, missing: bool) -> None:
        """Have rows rejected that scikit-learn refuses: with other categories, perhaps with none.

        Raises
        ------
        Refused
            The feature is no input as it came.
        """
        if not feature.source:
            raise Refused(
                f"handle_unknown='error' of {feature.name!r}, which is a number or was changed before: only "
                "an input that is a category can refuse rows",
                "fit with handle_unknown='ignore', or 'use_encoded_value' of an OrdinalEncoder",
            )
        policy = self.policies.setdefault(feature.source, {})
        policy["unknown"] = "reject"
        if missing:
            policy["missing"] = "reject"
        known = self.known.setdefault(feature.source, set(texts))
        known &= set(texts)

    def refuse(self, path: Path, refused: Refused) -> None:
        """Note a step that can't be converted."""
        self.mistakes.append(Mistake(".".join(path) or "the pipeline", refused.message, refused.notes))


def quoted(name: str) -> str:
    """A column's name as expressions write it.

    >>> quoted("dep_delay"), quoted("wind gust")
    ('dep_delay', '`wind gust`')
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name not in (*_WORDS, *FUNCTIONS):
        return name
    return f"`{name.replace('`', '``')}`"


def literal(value: float | str) -> str:
    """A number or a text as expressions write it.

    >>> literal(1.0), literal("it's")
    ('1.0', "'it''s'")
    """
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(float(value))


def chosen(cases: Mapping[float | str, float], x: str, *, missing: float, unknown: float) -> str:
    """An expression: a number for each value of a column, texts or numbers.

    It halves the values again and again, because nesting has a limit.

    >>> chosen({1.0: 0.0, 2.0: 5.0}, "size", missing=float("nan"), unknown=-1.0)
    'where(isnan(size), nan, where(size < 2.0, where(size == 1.0, 0.0, -1.0), where(size == 2.0, 5.0, -1.0)))'
    """
    ordered = sorted(cases.items())
    return f"where(isnan({x}), {literal(missing)}, {_halved(ordered, x, literal(unknown))})"


def _halved(cases: Sequence[tuple[float | str, float]], x: str, unknown: str) -> str:
    if not cases:
        return unknown
    if len(cases) == 1:
        value, number = cases[0]
        return f"where({x} == {literal(value)}, {literal(number)}, {unknown})"
    left, right = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    if isinstance(right[0][0], str):
        test = " or ".join(f"{x} == {literal(value)}" for value, _ in left)
    else:
        test = f"{x} < {literal(right[0][0])}"
    return f"where({test}, {_halved(left, x, unknown)}, {_halved(right, x, unknown)})"


def copy_name(feature: Feature) -> str:
    """What a copy is called: ``num__dep_delay`` of the branch ``num``."""
    return f"{feature.branch or 'copy'}__{feature.name}"
