"""SimpleImputer and MissingIndicator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.convert_sklearn.draft import Draft, Feature, Path, quoted
from engine.convert_sklearn.refuse import Refused
from engine.schema import Kind


def simple_imputer(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """Numbers are filled by ``impute``; a text is filled by the encoder behind it."""
    _only_nan(step)
    flags = _flags(draft, (*path, "missing"), step.indicator_, features) if step.add_indicator else []
    statistics = list(step.statistics_)
    empty = [_is_missing(value) for value in statistics]
    kept = [(f, value) for f, value, gone in zip(features, statistics, empty, strict=True) if not gone]
    filled: dict[int, Feature] = {}
    numbers: list[tuple[int, Feature, float]] = []
    for place, (feature, value) in enumerate(kept):
        if feature.kind is Kind.CATEGORY:
            if not isinstance(value, str):
                raise Refused(
                    f"{feature.name!r} is a category, and {value!r} is put where it is missing",
                    "impute with a text, such as fill_value='missing'",
                )
            # what another imputer filled is not missing any more
            filled[place] = replace(feature, fill=feature.fill if feature.fill is not None else value)
        else:
            if isinstance(value, str):
                raise Refused(
                    f"{feature.name!r} is a {feature.kind}, and {value!r} is put where it is missing"
                )
            numbers.append((place, feature, float(value)))
    own = draft.numbers(path, [feature for _, feature, _ in numbers])
    if own:
        names, values = [feature.name for feature in own], [value for *_, value in numbers]
        if step.strategy == "constant":
            draft.stage(path, "impute", names, strategy="constant", value=values[0])
        elif step.strategy in ("mean", "median", "most_frequent"):
            draft.stage(path, "impute", names, strategy=step.strategy, learned={"value": np.array(values)})
        else:
            raise Refused(f"the strategy {step.strategy!r} of SimpleImputer is unknown here")
    filled |= {place: feature for (place, *_), feature in zip(numbers, own, strict=True)}
    return [filled[place] for place in range(len(kept))] + flags


def missing_indicator(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``missing_flag``, for the columns that were missing somewhere in training, or for all."""
    _only_nan(step)
    return _flags(draft, path, step, features)


def _flags(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    chosen = [features[i] for i in step.features_]
    if wrong := [f for f in chosen if f.kind is Kind.BOOLEAN or f.fill is not None]:
        raise Refused(
            f"{wrong[0].name!r} is never missing here, so there is nothing to indicate",
            "put the MissingIndicator in front of what fills the column",
        )
    free = [f for f in chosen if draft.is_free(f"{f.name}_missing")]
    if free:
        draft.stage(path, "missing_flag", [feature.name for feature in free])
    made = {f.name: Feature(draft.claim(f"{f.name}_missing"), Kind.BOOLEAN) for f in free}
    for feature in chosen:
        if feature.name not in made:  # another branch has a flag of this name
            value = f"isnan({quoted(feature.name)})"
            made[feature.name] = draft.expr(path, f"{feature.name}_missing", value, Kind.BOOLEAN)
    return [made[feature.name] for feature in chosen]


def _only_nan(step: Any) -> None:
    if not _is_missing(step.missing_values):
        raise Refused(
            f"missing_values={step.missing_values!r}: only a missing value is taken as missing here",
            "replace it by NaN before, and fit with missing_values=np.nan",
        )


def _is_missing(value: Any) -> bool:
    # None, NaN and pandas' NA, whose comparisons are NA
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
