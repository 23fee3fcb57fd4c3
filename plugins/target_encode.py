"""Categories as what the target is where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import FitContext, FitResult, Learned, RowStage, option, stage
from engine.training.categories import by_name, seen_texts, with_missing
from engine.training.folds import fold_rows
from engine.values import FIRST, Categories, FloatArray, Values


@stage("target_encode")
class TargetEncode(RowStage):
    """Make a number ``<column>_target`` of a category: the target's mean where it is, smoothed.

    As scikit-learn's ``TargetEncoder``. The target's mean is a share of true for a boolean. A target of
    classes makes ``<column>_<class>``, the class's share, for each class; for two classes the second alone. A
    missing category is one of its own; an unknown one gets the mean of all rows.

    Later stages learn from other numbers than those that the training rows would get: the training rows
    are parted in ``cv`` folds, and those of a fold are encoded by what the others tell. Otherwise a
    category of few rows would give away their target.

    A category of n rows is drawn to the mean of all rows as if it had m more rows of that mean, where m is
    ``smooth``; with ``auto`` as empirical Bayes says: m is the target's variance within the category over
    that of all rows.

    References
    ----------
    Micci-Barreca, D. (2001). A preprocessing scheme for high-cardinality categorical attributes in
    classification and prediction problems. SIGKDD Explorations 3(1), equations 3 to 6.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> late = [True, False, False, False]
    >>> run_stage("target_encode", {"carrier": ["UA", "UA", "AA", None]}, smooth=1, target=late)
    {'carrier_target': [0.4166666666666667, 0.4166666666666667, 0.125, 0.125]}
    """

    accepts = (Kind.CATEGORY,)

    smooth: Literal["auto"] | float = option(
        "auto", ge=0, help="how many rows of the mean of all are added to each category's; auto: see above"
    )
    cv: int = option(5, ge=2, help="the folds by which the training rows are encoded")

    def declare(self, columns: Sequence[Column]) -> Sequence[Column]:
        return [Column(f"{column.name}_*", Kind.NUMBER, open=True) for column in columns]

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> FitResult:
        targets, suffixes = _targets(context)
        weight = context.train.weight
        weight = np.ones(len(targets)) if weight is None else weight
        if not weight.sum() > 0:
            raise UserError("target_encode can't learn from rows that all have weight 0")
        stratified = context.target is not Kind.NUMBER
        folds = fold_rows(len(targets), self.cv, context.rng, context.train.y if stratified else None)
        categories: list[tuple[str, ...]] = []
        encodings: list[FloatArray] = []
        training: dict[str, FloatArray] = {}
        for name, values in columns.items():
            assert isinstance(values, Categories)
            codes, size = values.codes, FIRST + len(values.texts)
            texts = seen_texts(name, values, "target_encode", "leave the column out")
            categories.append(tuple(texts))
            made = [self._encode(codes, y, weight, size) for y in targets.T]
            encodings.append(np.stack([with_missing(texts, found) for found in made], axis=1))
            for suffix, y in zip(suffixes, targets.T, strict=True):
                training[f"{name}{suffix}"] = self._crossed(codes, y, weight, size, folds)
        rows = np.concatenate(encodings)
        with np.errstate(all="ignore"):
            mean = np.average(targets, axis=0, weights=weight)
        if not (np.isfinite(rows).all() and np.isfinite(mean).all()):
            raise UserError("target_encode can't learn from a target with numbers as large as these")
        learned = {"categories": tuple(categories), "encodings": rows, "mean": mean, "suffixes": suffixes}
        return learned, training

    def _crossed(
        self, codes: NDArray[np.int32], y: FloatArray, weight: FloatArray, size: int, folds: NDArray[np.int64]
    ) -> FloatArray:
        """What the other folds say of each row's category."""
        found = np.empty(len(y))
        for fold in np.unique(folds):
            here = folds == fold
            # where the others weigh nothing, there is no saying without the fold itself
            others = ~here if weight[~here].sum() > 0 else np.ones(len(y), bool)
            found[here] = self._encode(codes[others], y[others], weight[others], size)[codes[here]]
        return found

    def _encode(self, codes: NDArray[np.int32], y: FloatArray, weight: FloatArray, size: int) -> FloatArray:
        """The encoding of each code; the mean for those of no row."""
        count = np.bincount(codes, weight, size)
        with np.errstate(all="ignore"):
            mean = np.average(y, weights=weight)
            total = np.bincount(codes, weight * y, size)
            if self.smooth != "auto":
                found = (total + self.smooth * mean) / (count + self.smooth)
                return np.where(count > 0, found, mean)
            own = total / count
            variance = np.average((y - mean) ** 2, weights=weight)
            within = np.bincount(codes, weight * (y - own[codes]) ** 2, size) / count
            share = variance * count / (variance * count + within)
            # a target that is the same everywhere has neither variance
            return np.where(np.isnan(share), mean, share * own + (1 - share) * mean)

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Mapping[str, Expr]:
        return by_name("target_encode", self._made(columns, learned))

    def _made(self, columns: Mapping[str, Expr], learned: Learned) -> Iterator[tuple[str, Expr]]:
        first = 0
        for (name, x), texts in zip(columns.items(), learned["categories"], strict=True):
            rows = learned["encodings"][first : first + 1 + len(texts)].T.tolist()
            first += 1 + len(texts)
            for suffix, mean, (missing, *numbers) in zip(
                learned["suffixes"], learned["mean"].tolist(), rows, strict=True
            ):
                table = dict(zip(texts, numbers, strict=True))
                yield f"{name}{suffix}", x.lookup(table, missing=missing, unknown=mean)


def _targets(context: FitContext) -> tuple[FloatArray, tuple[str, ...]]:
    """What means are taken of, float64 ``(n_rows, n)``, and what the columns' names end in."""
    y = context.train.y
    if y is None or not len(y):
        raise UserError("target_encode learns from the target, and there is none; set 'target'")
    if context.target is not Kind.CATEGORY:
        return y.reshape(-1, 1), ("_target",)
    numbers = range(len(context.classes))
    chosen = numbers[1:] if len(numbers) == 2 else numbers
    shares = np.stack([(y == number).astype(np.float64) for number in chosen], axis=1)
    return shares, tuple(f"_{context.classes[number]}" for number in chosen)
