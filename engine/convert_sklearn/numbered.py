"""OrdinalEncoder and TargetEncoder: a number for each category."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.convert_sklearn.categories import MOST_CASES, Known, known
from engine.convert_sklearn.draft import Draft, Feature, Path, chosen, copy_name, quoted
from engine.convert_sklearn.refuse import Refused
from engine.schema import Kind


def ordinal_encoder(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``ordinal``; for numbers, and where there are rare categories, an ``expr``."""
    made: dict[int, Feature] = {}
    stages: dict[float, list[tuple[int, Feature, Known]]] = {}
    refused = step.handle_unknown == "error"
    unknown = -1.0 if refused else float(step.unknown_value)
    infrequent = getattr(step, "infrequent_categories_", None)
    for i, feature in enumerate(features):
        found = known(feature, step.categories_[i])
        if refused:
            draft.reject(feature, found.texts, missing=found.missing is None)
        codes = dict(_codes(step, i, infrequent))
        missing = unknown if found.missing is None else codes[found.missing]
        plain = infrequent is None or infrequent[i] is None
        if feature.kind is Kind.CATEGORY and plain:
            key = math.inf if math.isnan(missing) else missing  # NaN is no key
            stages.setdefault(key, []).append((i, feature, found))
        else:
            numbers = [codes[place] for place in found.places]
            made[i] = _expression(draft, path, feature, found, numbers, missing, unknown, "ordinal")
    for key, group in stages.items():
        _add_ordinal(draft, path, step, None if key == math.inf else key, unknown, group, made)
    return [made[i] for i in range(len(features))]


def _add_ordinal(
    draft: Draft,
    path: Path,
    step: Any,
    missing: float | None,
    unknown: float,
    group: Sequence[tuple[int, Feature, Known]],
    made: dict[int, Feature],
) -> None:
    """One stage for those that may change in place, and one for each of the others."""
    alone = [[item] for item in group if item[1].shared]
    together = [item for item in group if not item[1].shared]
    for part in ([together] if together else []) + alone:
        options: dict[str, Any] = {"missing": missing}
        learned = None
        if isinstance(step.categories, str):
            learned = {"categories": tuple(found.texts for _, _, found in part)}
        else:
            options["categories"] = {feature.name: list(found.texts) for _, feature, found in part}
        into = draft.claim(copy_name(part[0][1])) if part[0][1].shared else ""
        names = [feature.name for _, feature, _ in part]
        draft.stage(path, "ordinal", names, learned=learned, into=into, unknown=unknown, **options)
        for i, feature, _ in part:
            made[i] = Feature(into or feature.name, Kind.NUMBER)


def _codes(step: Any, i: int, infrequent: Any) -> Iterator[tuple[int, float]]:
    """The number of each place in ``categories_``."""
    items = list(step.categories_[i].tolist())
    rare = set() if infrequent is None or infrequent[i] is None else set(infrequent[i])
    missing = [place for place, item in enumerate(items) if item is None or item != item]
    number = 0
    for place, item in enumerate(items):
        if place in missing:
            yield place, float(step.encoded_missing_value)
        elif item not in rare:
            yield place, float(number)
            number += 1
    # scikit-learn puts the rare ones together behind the others
    yield from ((place, float(number)) for place, item in enumerate(items) if item in rare)


def target_encoder(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``target_encode``; for numbers an ``expr``."""
    multiclass = step.target_type_ == "multiclass"
    suffixes = tuple(f"_{name}" for name in step.classes_.tolist()) if multiclass else ("_target",)
    means = np.atleast_1d(np.asarray(step.target_mean_, np.float64))
    made: dict[tuple[int, int], Feature] = {}
    together: list[tuple[str, tuple[str, ...], np.ndarray[Any, Any]]] = []
    for i, feature in enumerate(features):
        found = known(feature, step.categories_[i])
        first = i * len(suffixes)
        table = np.stack(step.encodings_[first : first + len(suffixes)], axis=1)
        missing = means if found.missing is None else table[found.missing]
        names = [f"{feature.name}{suffix}" for suffix in suffixes]
        if feature.kind is Kind.CATEGORY and all(map(draft.is_free, names)):
            rows = np.vstack([missing[None], table[list(found.places)]])
            together.append((feature.name, found.texts, rows))
            made |= {(i, k): Feature(draft.claim(name), Kind.NUMBER) for k, name in enumerate(names)}
            continue
        for k, suffix in enumerate(suffixes):
            numbers = table[list(found.places), k].tolist()
            made[i, k] = _expression(
                draft, path, feature, found, numbers, float(missing[k]), float(means[k]), suffix[1:]
            )
    if together:
        learned = {
            "categories": tuple(texts for _, texts, _ in together),
            "encodings": np.concatenate([rows for *_, rows in together]),
            "mean": means,
            "suffixes": suffixes,
        }
        smooth = step.smooth if step.smooth == "auto" else float(step.smooth)
        cv = int(step.cv) if isinstance(step.cv, int) else None
        draft.stage(
            path, "target_encode", [name for name, *_ in together], learned=learned, smooth=smooth, cv=cv
        )
    return [made[key] for key in sorted(made)]


def _expression(
    draft: Draft,
    path: Path,
    feature: Feature,
    found: Known,
    numbers: Sequence[float],
    missing: float,
    unknown: float,
    suffix: str,
) -> Feature:
    if len(found.values) > MOST_CASES:
        raise Refused(
            f"{feature.name!r} has {len(found.values):,} categories and rare ones among them, or is encoded "
            f"twice; at most {MOST_CASES} are converted then",
            "encode the column once, without min_frequency and max_categories",
        )
    cases = dict(zip(found.values, numbers, strict=True))
    value = chosen(cases, quoted(feature.name), missing=missing, unknown=unknown)
    return draft.expr(path, f"{feature.name}_{suffix}", value)
