"""The engine's answers held against scikit-learn's, on the caller's sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.convert_sklearn.refuse import Refused
from engine.pipeline import Pipeline
from engine.schema import Column, Kind

_TOLERANCE = 1e-6
"""How far predictions may lie apart, relative to the greater of 1 and their size."""
_MOST_SHARE = 0.001
_ULPS = 8
_NOISE = 1e-11
"""How far features may lie apart besides, relative to the column's greatest: what subtraction leaves."""

Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row whose prediction differs because a feature lies right at a split.

    Parameters
    ----------
    row : int
        In the sample, from 0.
    expected, found : tuple of float
        scikit-learn's predictions, and the engine's.
    feature : str
        The first feature that differs, by a few float32 ulps.
    """

    row: int
    expected: tuple[float, ...]
    found: tuple[float, ...]
    feature: str


def is_sparse(made: Any) -> bool:
    """Whether this is a sparse matrix of SciPy's."""
    return hasattr(made, "tocoo")


def expected_features(made: Any, missing: float) -> Singles:
    """What XGBoost gets of scikit-learn's output: float32 ``(n_rows, n_features)``, NaN where missing."""
    if is_sparse(made):
        entries = made.tocoo()
        found = np.full(made.shape, np.nan, np.float32)  # what isn't stored is missing to XGBoost
        found[entries.row, entries.col] = entries.data
    else:
        if hasattr(made, "to_numpy"):
            made = made.to_numpy(dtype=np.float64, na_value=np.nan)
        found = np.array(made, np.float64).astype(np.float32)
    if missing is not None and not np.isnan(missing):
        found[found == np.float32(missing)] = np.nan
    return found


def expected_scores(estimator: Any, made: Any) -> Singles:
    """scikit-learn's predictions, float32 ``(n_rows, n_scores)``: of two classes, of the second alone."""
    if hasattr(estimator, "predict_proba"):
        scores = estimator.predict_proba(made)
        scores = scores[:, 1:] if scores.shape[1] == 2 else scores
    else:
        scores = estimator.predict(made)
    scores = np.asarray(scores, np.float32)
    return scores.reshape(len(scores), -1)


def compare(
    pipeline: Pipeline, table: pa.Table, features: Singles, scores: Singles
) -> tuple[Difference, ...]:
    """The rows whose predictions differ by the rounding of a feature alone.

    Parameters
    ----------
    pipeline : Pipeline
    table : pyarrow.Table
        The sample.
    features, scores : float32 array
        scikit-learn's.

    Raises
    ------
    Refused
        Features differ by more than rounding, or predictions of more than 0.1 % of the rows.
    """
    answer, rejects = pipeline.predict_many(table, rejects=True)
    if rejects.num_rows:
        first = rejects.slice(0, 1).to_pylist()[0]
        raise Refused(
            f"the engine refuses {rejects.num_rows:,} rows of the sample that scikit-learn scores; the first "
            f"is row {first['row']}: {first['reason']}"
        )
    own = _singles(answer)
    names, made = _features(pipeline, table)
    near = _near(made, features)
    if not near.all():
        place = int(np.argmin(near.all(axis=0)))
        row = int(np.argmin(near[:, place]))
        raise Refused(
            f"the feature {names[place]!r} differs in {np.count_nonzero(~near[:, place]):,} of "
            f"{len(made):,} rows; the first is row {row}: scikit-learn has {features[row, place]!s}, the "
            f"engine {made[row, place]!s}",
            "give the sample and inputs the types that the pipeline was fitted on",
            "scikit-learn computes float32 columns in float32, the engine in float64: fit on float64",
            "scikit-learn tells None from NaN in texts, the engine doesn't: fit on NaN",
        )
    if own.shape != scores.shape:
        raise Refused(f"scikit-learn predicts {scores.shape[1]} numbers for a row, the engine {own.shape[1]}")
    with np.errstate(invalid="ignore"):
        same = (np.abs(own - scores) <= _TOLERANCE * np.maximum(1, np.abs(scores))) | (own == scores)
    rows = np.flatnonzero(~same.all(axis=1))
    found = []
    for row in rows.tolist():
        unlike = np.flatnonzero(~_equal(made[row], features[row]))
        if not len(unlike):
            raise Refused(
                f"row {row} has the same features, but scikit-learn predicts {scores[row].tolist()} and the "
                f"engine {own[row].tolist()}",
                "does the estimator score on another device, or with another iteration_range?",
            )
        expected, got = tuple(scores[row].tolist()), tuple(own[row].tolist())
        found.append(Difference(row, expected, got, names[unlike[0]]))
    if len(found) > _MOST_SHARE * len(made):
        first_one = found[0]
        raise Refused(
            f"predictions differ in {len(found):,} of {len(made):,} rows, because {first_one.feature!r} and "
            f"others lie right at splits and are rounded otherwise; the first is row {first_one.row}: "
            f"scikit-learn predicts {list(first_one.expected)}, the engine {list(first_one.found)}",
            "train a model on the converted config: engine fit",
        )
    return tuple(found)


def _features(pipeline: Pipeline, table: pa.Table) -> tuple[list[str], Singles]:
    """The model's features as the engine computes them."""
    point = pipeline.trace.scores[-1]
    columns = [(Column(str(i), Kind.NUMBER), node) for i, (_, node) in enumerate(point.features)]
    alone = Pipeline(replace(pipeline.plan, outputs=(), keep=()), pipeline.learned, interpreted=True)
    alone.trace = replace(pipeline.trace, outputs=tuple(columns))
    return [name for name, _ in point.features], _singles(alone.predict_many(table))


def _singles(answer: pa.Table) -> Singles:
    columns = [np.asarray(column.to_numpy(), np.float64) for column in answer.columns]
    return np.stack(columns, axis=1).astype(np.float32)


def _equal(a: Singles, b: Singles) -> NDArray[np.bool_]:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)), np.bool_)


def _near(a: Singles, b: Singles) -> NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(a), np.abs(b))
        greatest = np.max(np.where(np.isfinite(b), np.abs(b), 0), axis=0)
        apart = np.abs(a.astype(np.float64) - b)
        return np.asarray(_equal(a, b) | (apart <= _ULPS * np.spacing(size) + _NOISE * greatest), np.bool_)
