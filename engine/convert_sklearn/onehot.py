"""OneHotEncoder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.convert_sklearn.categories import MOST_CASES, Known, is_any, known
from engine.convert_sklearn.draft import Draft, Feature, Path
from engine.convert_sklearn.refuse import Refused
from engine.schema import Kind


@dataclass(frozen=True, slots=True)
class _Slot:
    """One output column: the places in ``categories_`` that it is 1 for."""

    places: tuple[int, ...]
    dropped: bool
    rare: bool
    unknown: bool


@dataclass(frozen=True, slots=True)
class _Column:
    feature: Feature
    known: Known
    slots: tuple[_Slot, ...]


def one_hot_encoder(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``onehot`` for categories; an ``expr`` for each category of a number."""
    columns = []
    for i, feature in enumerate(features):
        found = known(feature, step.categories_[i])
        if step.handle_unknown == "error":
            draft.reject(feature, found.texts, missing=found.missing is None)
        columns.append(_Column(feature, found, tuple(_slots(step, i))))
    made: dict[int, list[Feature]] = {}
    stages: dict[tuple[str, str | None], list[tuple[int, list[str]]]] = {}
    for i, column in enumerate(columns):
        if column.feature.kind is Kind.CATEGORY and (plan := _as_stage(draft, step, column)):
            key, texts = plan
            stages.setdefault(key, []).append((i, texts))
        else:
            made[i] = _as_expressions(draft, path, column)
    for (unknown, missing), group in stages.items():
        _add_stage(draft, path, step, unknown, missing, {columns[i].feature.name: t for i, t in group})
        for i, texts in group:
            made[i] = _features(draft, path, columns[i], texts, unknown)
    return [feature for i in range(len(columns)) for feature in made[i]]


def _slots(step: Any, i: int) -> Iterator[_Slot]:
    infrequent = getattr(step, "infrequent_categories_", None)
    rare_values = [] if infrequent is None or infrequent[i] is None else list(infrequent[i])
    drop = None if step.drop_idx_ is None else step.drop_idx_[i]
    items = list(step.categories_[i].tolist())
    rare = tuple(place for place, item in enumerate(items) if _among(item, rare_values))
    for place in range(len(items)):
        if place not in rare:
            yield _Slot((place,), place == drop, False, False)
    if rare:
        unknown = step.handle_unknown in ("infrequent_if_exist", "warn")
        yield _Slot(rare, drop in rare, True, unknown)


def _among(item: Any, values: Sequence[Any]) -> bool:
    return any(item == value or (item != item and value != value) for value in values)


def _as_stage(draft: Draft, step: Any, column: _Column) -> tuple[tuple[str, str | None], list[str]] | None:
    """``unknown`` and ``missing`` of a stage ``onehot`` and the texts; None where names are taken."""
    found, name = column.known, column.feature.name
    text_at = dict(zip(found.places, found.texts, strict=True))
    # a missing category of its own has no text: an expression makes its column
    texts = [text_at[slot.places[0]] for slot in column.slots if not slot.rare and slot.places[0] in text_at]
    missing = None if found.missing is None else text_at.get(found.missing)
    rare = next((slot for slot in column.slots if slot.rare), None)
    unknown = "zero"
    if rare is not None and rare.unknown:
        unknown = "other"
        if found.missing is None or found.missing in rare.places:  # a missing value counts as such, too
            missing = _unlike(texts, missing or "nan")
    elif step.handle_unknown == "error" and any(slot.dropped for slot in column.slots):
        unknown = "missing"  # every column then names all categories; unknown rows are rejected before
    if rare is not None and not rare.unknown and missing is not None and missing not in texts:
        missing = None  # the column of the rare ones sees to it
    names = [f"{name}_{text}" for text in (*texts, *(["other"] if unknown == "other" else []))]
    free = len(set(names)) == len(names) and all(map(draft.is_free, names))
    return ((unknown, missing), texts) if free and texts else None


def _unlike(texts: Sequence[str], wanted: str) -> str:
    while wanted in texts:
        wanted += "_"
    return wanted


def _add_stage(
    draft: Draft, path: Path, step: Any, unknown: str, missing: str | None, texts: dict[str, list[str]]
) -> None:
    options: dict[str, Any] = {"missing": missing}
    if unknown != "zero":
        options["unknown"] = unknown
    auto = isinstance(step.categories, str) and not isinstance(step.min_frequency, float)
    if not auto:  # a share of rows isn't what the stage learns by
        draft.stage(path, "onehot", list(texts), categories=texts, **options)
        return
    if step.min_frequency is not None and step.min_frequency > 1:
        options["min_count"] = math.ceil(step.min_frequency)
    if step.max_categories is not None and step.max_categories > 1:
        options["max_categories"] = int(step.max_categories) - 1  # scikit-learn counts the rare ones' column
    learned = {name: tuple(found) for name, found in texts.items()}
    draft.stage(path, "onehot", list(texts), learned=learned, **options)


def _features(draft: Draft, path: Path, column: _Column, texts: list[str], unknown: str) -> list[Feature]:
    name = column.feature.name
    frequent = iter(texts)
    made = []
    for slot in column.slots:
        if not slot.rare and slot.places[0] in column.known.places:
            feature = Feature(draft.claim(f"{name}_{next(frequent)}"), Kind.NUMBER)
        elif not slot.rare:
            feature = _expression(draft, path, column, slot, f"{name}_nan")
        elif unknown == "other":
            feature = Feature(draft.claim(f"{name}_other"), Kind.NUMBER)
        else:
            feature = _expression(draft, path, column, slot, f"{name}_infrequent")
        if not slot.dropped:
            made.append(feature)
    return made


def _as_expressions(draft: Draft, path: Path, column: _Column) -> list[Feature]:
    if len(column.known.values) > MOST_CASES:
        raise Refused(
            f"{column.feature.name!r} is encoded twice, and has {len(column.known.values):,} categories; at "
            f"most {MOST_CASES} are converted then",
            "encode the column once, and use the result twice",
        )
    value_at = dict(zip(column.known.places, column.known.values, strict=True))
    made = []
    for slot in column.slots:
        if slot.dropped:
            continue
        value = value_at.get(slot.places[0], "nan")
        text = f"{value:g}" if isinstance(value, float) else value
        wanted = f"{column.feature.name}_{'infrequent' if slot.rare else text}"
        made.append(_expression(draft, path, column, slot, wanted))
    return made


def _expression(draft: Draft, path: Path, column: _Column, slot: _Slot, wanted: str) -> Feature:
    """Whether the column is what the slot is for."""
    found = column.known
    missing = found.missing in slot.places if found.missing is not None else slot.unknown
    if slot.unknown:  # all but those of the other columns
        others = [v for v, place in zip(found.values, found.places, strict=True) if place not in slot.places]
        if found.missing is not None and not missing:
            value = is_any(column.feature, others, missing=True)
            return draft.expr(path, wanted, f"not ({value})", Kind.BOOLEAN)
        value = is_any(column.feature, others, missing=False)
        return draft.expr(path, wanted, f"not ({value})" if value else "true", Kind.BOOLEAN)
    values = [v for v, place in zip(found.values, found.places, strict=True) if place in slot.places]
    return draft.expr(path, wanted, is_any(column.feature, values, missing=missing), Kind.BOOLEAN)
