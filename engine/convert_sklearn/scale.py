"""StandardScaler, MinMaxScaler, RobustScaler and MaxAbsScaler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.convert_sklearn.draft import Draft, Feature, Path
from engine.values import FloatArray


def standard_scaler(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``scale`` by mean and deviation."""
    center = step.mean_ if step.with_mean else None
    by = step.scale_ if step.with_std else None
    return _scaled(draft, path, features, center, by, refittable=True, strategy="standard")


def min_max_scaler(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``scale`` by least and greatest; with ``clip`` a stage ``clip`` behind it."""
    start, stop = map(float, step.feature_range)
    by = 1 / step.scale_
    center = np.asarray(step.data_min_) - start * by
    made = _scaled(
        draft, path, features, center, by,
        refittable=True, strategy="minmax", feature_range=[start, stop] if (start, stop) != (0, 1) else None,
    )  # fmt: skip
    return _clipped(draft, path, step, made, start, stop)


def robust_scaler(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``scale`` by median and percentiles."""
    center = step.center_ if step.with_centering else None
    by = step.scale_ if step.with_scaling else None
    low, high = map(float, step.quantile_range)
    shown = [low, high] if (low, high) != (25, 75) and not step.unit_variance else None
    refittable = not step.unit_variance
    return _scaled(
        draft, path, features, center, by,
        refittable=refittable, strategy="robust", quantile_range=shown,
    )  # fmt: skip


def max_abs_scaler(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``scale`` by the greatest magnitude."""
    center = np.zeros(len(features))
    made = _scaled(draft, path, features, center, step.scale_, refittable=True, strategy="maxabs")
    return _clipped(draft, path, step, made, -1.0, 1.0)


def _scaled(
    draft: Draft,
    path: Path,
    features: Sequence[Feature],
    center: FloatArray | None,
    by: FloatArray | None,
    *,
    refittable: bool,
    **options: Any,
) -> list[Feature]:
    own = draft.numbers(path, features)
    names = [feature.name for feature in own]
    if center is None and by is None:
        return own
    if center is not None and by is not None and refittable:
        learned = {"center": np.array(center, np.float64), "by": np.array(by, np.float64)}
        draft.stage(path, "scale", names, learned=learned, **options)
        return own
    # one of the two alone isn't learned by the stage: the numbers are stated
    stated = {
        key: np.asarray(given, np.float64).tolist()
        for key, given in (("center", center), ("by", by))
        if given is not None
    }
    draft.stage(path, "scale", names, **stated)
    return own


def _clipped(
    draft: Draft, path: Path, step: Any, features: list[Feature], lo: float, hi: float
) -> list[Feature]:
    if getattr(step, "clip", False):
        draft.stage((*path, "clip"), "clip", [feature.name for feature in features], lo=lo, hi=hi)
    return features
