"""Categories as weights of evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log, nan
from typing import Any, Literal

import numpy as np

from engine.errors import UserError, listing
from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import ColumnStage, FitContext, Learned, option, stage
from engine.training.categories import code_counts, seen_texts, stacked, with_missing
from engine.values import FIRST, MISSING, FloatArray, Values


@stage("woe")
class WOE(ColumnStage):
    """Turn a category into its weight of evidence: log(share of positive rows / share of negative rows).

    As feature-engine's ``WoEEncoder``: above 0, the category speaks for the positive rows. Those are the rows
    in which a boolean target is true, or has the second of two classes. A category without positive or
    without negative rows has no weight, and is refused unless ``fill_value`` or ``regularization`` is given.

    The training rows know their own target by it: where categories are of few rows, put ``rare`` before, or
    use ``target_encode``, which learns for each row from others.

    References
    ----------
    Good, I. J. (1950). Probability and the Weighing of Evidence. Griffin, London.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> data = {"k": ["a", "a", "a", "b", "b", "b", None]}
    >>> found = run_stage("woe", data, target=[True, True, False, True, False, False, True])
    >>> [round(number, 4) for number in found["k"]]
    [0.6931, 0.6931, 0.6931, -0.6931, -0.6931, -0.6931, nan]
    """

    accepts = (Kind.CATEGORY,)

    fill_value: float | None = option(
        None, gt=0, help="the share that is taken where one is zero, such as 0.0001"
    )
    regularization: float = option(
        0.0,
        ge=0,
        help="rows added to each category's positive and negative ones, and twice so many to all",
    )
    unknown: Literal["zero", "missing"] = option(
        "zero", help="what a category becomes that no training row has: 0, which is no evidence, or missing"
    )
    missing: Literal["missing", "category"] = option(
        "missing", help="what a missing category becomes: missing, or what a category of its own would"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if self.fill_value is not None and self.regularization:
            yield "fill_value and regularization are two ways to mend shares of zero: give one of them"

    def result(self, kind: Kind) -> Kind:
        return Kind.NUMBER

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        positive = _positive(context)
        weight = context.train.weight
        weight = np.ones(len(positive)) if weight is None else weight
        categories, numbers = [], []
        for name, values in columns.items():
            texts, found = self._learn(name, values, positive * weight, (1 - positive) * weight)
            categories.append(texts)
            numbers.append(found)
        return {"categories": tuple(categories), "numbers": stacked(numbers)}

    def _learn(
        self, name: str, values: Any, positive: FloatArray, negative: FloatArray
    ) -> tuple[tuple[str, ...], FloatArray]:
        texts = seen_texts(name, values, "woe", "leave the column out")
        size = FIRST + len(values.texts)
        rows = code_counts(values)
        own = self.missing == "category" and rows[MISSING] > 0
        codes = [MISSING, *texts.values()] if own else [*texts.values()]
        said = [*(["missing"] if own else []), *map(repr, texts)]
        shares = []
        for what, weights in (("positive", positive), ("negative", negative)):
            counts = np.bincount(values.codes, weights, size)[codes]
            if not counts.sum() > 0:
                raise UserError(f"woe can't learn from {name!r}: no training row with a category is {what}")
            share = (counts + self.regularization) / (counts.sum() + 2 * self.regularization)
            lacking = [text for text, number in zip(said, share.tolist(), strict=True) if not number > 0]
            if lacking and self.fill_value is None:
                raise UserError(
                    f"woe can't learn from {name!r}: no {what} row has {listing(lacking)}, and zero has no "
                    "logarithm; put 'rare' before, or give fill_value (such as 0.0001) or regularization "
                    "(such as 1)"
                )
            shares.append(np.where(share > 0, share, self.fill_value or 0.0))
        found = np.zeros(size)
        for code, above, below in zip(codes, *(share.tolist() for share in shares), strict=True):
            found[code] = log(above / below)
        return tuple(texts), with_missing(texts, found)

    def express(self, x: Expr, learned: Learned) -> Expr:
        texts, (missing, *numbers) = learned["categories"], learned["numbers"].tolist()
        return x.lookup(
            dict(zip(texts, numbers, strict=False)),
            missing=missing if self.missing == "category" else nan,
            unknown=0.0 if self.unknown == "zero" else nan,
        )


def _positive(context: FitContext) -> FloatArray:
    """1.0 for each positive row, else 0.0."""
    y = context.train.y
    if y is None or not len(y):
        raise UserError("woe learns from the target, and there is none; set 'target'")
    if context.target is Kind.BOOLEAN or (context.target is Kind.CATEGORY and len(context.classes) == 2):
        return y
    found = f"{len(context.classes)} classes" if context.classes else "a number"
    raise UserError(
        f"woe needs a boolean target or one of two classes, not {found}: such as 'target.value=\"y > 0\"'"
    )
