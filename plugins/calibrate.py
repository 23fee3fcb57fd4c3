"""Make probabilities of scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from engine.errors import UserError, listing
from engine.expr.graph import Expr, clip, exp, search, table, where
from engine.schema import Column, Kind
from engine.stage import FitContext, Learned, Part, RowStage, option, stage
from engine.training.calibration import isotonic, platt
from engine.values import FloatArray, Values

_GREATEST = float(np.finfo(np.float64).max)


@stage("calibrate")
class Calibrate(RowStage):
    """Make probabilities out of a model's scores, as learned on the valid part; missing stays missing.

    ============  =========================================================================================
    method        the probability of a score ``s``
    ============  =========================================================================================
    ``platt``     ``1 / (1 + exp(slope * s + intercept))``, fitted as Platt (1999) says, with his smoothed
                  targets: scikit-learn's ``CalibratedClassifierCV(method="sigmoid")`` on these scores
    ``isotonic``  the non-decreasing function nearest to the targets (pool adjacent violators), with
                  straight lines between its points and level beyond them: scikit-learn's
                  ``IsotonicRegression(out_of_bounds="clip")``
    ============  =========================================================================================

    A boolean target takes one score column; the new one is a float64 called ``into``, or as the stage's
    label. A target of classes takes the score columns of all, each calibrated against the rest, then
    divided by their sum (where that is 0 they are equal); the new ones are ``<prefix>_<class>``.

    It learns from the rows of the valid part that no filter refused, by their weights. Early stopping watches
    the same rows. Isotonic regression needs many of them, about a thousand; Platt's two numbers need few.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> found = run_stage("calibrate", {"score": [0.1, 0.2, 0.3, 0.4, None]}, into="probability",
    ...                   method="isotonic", target=[False, True, False, True, True])
    >>> found
    {'probability': [0.0, 0.5, 0.5, 1.0, nan]}
    >>> found = run_stage("calibrate", {"score": [0.1, 0.2, 0.3, 0.4]}, into="probability",
    ...                   target=[False, True, False, True])
    >>> [round(p, 3) for p in found["probability"]]
    [0.35, 0.449, 0.551, 0.65]
    >>> found = run_stage("calibrate", {"score_high": [0.8, 0.1, 0.1], "score_low": [0.1, 0.8, 0.1],
    ...                                 "score_middle": [0.1, 0.1, 0.8]},
    ...                   method="isotonic", target=["high", "low", "middle"])
    >>> found["calibrated_low"]
    [0.0, 1.0, 0.0]
    """

    method: Literal["platt", "isotonic"] = option("platt", help="the shape of what is learned")
    prefix: str = option("calibrated", help="of several columns: what the new names begin with")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if not self.prefix:
            yield "prefix is empty"

    def declare(self, columns: Sequence[Column]) -> Kind | Sequence[Column]:
        if len(columns) == 1 and not columns[0].open:
            return Kind.NUMBER
        return [Column(f"{self.prefix}_*", Kind.NUMBER, open=True)]

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        names = list(columns)
        classes = _classes(names, context)
        part = context.valid
        if part is None or not part.rows:
            raise UserError(
                "calibrate learns on the valid part, and the split has none; set split.valid, such as 0.15"
            )
        scores = np.stack([np.asarray(part.columns[name], np.float64) for name in names])
        there = np.isfinite(scores).all(axis=0)
        if not there.any():
            raise UserError(
                f"calibrate can't learn from {listing(map(repr, names))}: in each of the {part.rows:,} valid "
                "rows a score is missing or infinite"
            )
        y, weight = _truth(part, there)
        hits = [y == context.classes.index(name) for name in classes] or [y > 0.5]
        for name, positive in zip(names, hits, strict=True):
            _expect_both(name, positive, weight, bool(classes))
        fitted = platt if self.method == "platt" else isotonic
        found = [fitted(s, p, weight) for s, p in zip(scores[:, there], hits, strict=True)]
        return _stored(self.method, found) | {"classes": classes}

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr | Mapping[str, Expr]:
        one = _sigmoid if self.method == "platt" else _interpolated
        found = [one(x, learned, i) for i, x in enumerate(columns.values())]
        if not learned["classes"]:
            return found[0]
        total = found[0]
        for p in found[1:]:
            total = total + p
        alike = 1 / len(found)
        return {
            f"{self.prefix}_{name}": where(total == 0, alike, p / total)
            for name, p in zip(learned["classes"], found, strict=True)
        }


def _classes(names: Sequence[str], context: FitContext) -> tuple[str, ...]:
    """The class that each column scores; none where the target is boolean."""
    if context.target is Kind.BOOLEAN:
        if len(names) != 1:
            raise UserError(
                f"calibrate takes one column where the target is boolean, not {len(names)}: {listing(names)}"
            )
        return ()
    if context.target is not Kind.CATEGORY:
        found = f"a {context.target}" if context.target else "none"
        raise UserError(
            f"calibrate needs a target that is boolean, or text: classes; it is {found}. "
            "Of a column of 0 and 1: 'target.value=\"NAME == 1\"'"
        )
    classes = context.classes
    for base in (names[0].removesuffix(name) for name in classes if names[0].endswith(name)):
        if len(names) == len(classes) and {base + name for name in classes} == set(names):
            return tuple(name.removeprefix(base) for name in names)
    raise UserError(
        f"calibrate takes the score columns of all {len(classes)} classes, such as "
        f"{listing(f'score_{name}' for name in classes)}; selected: {listing(names)}"
    )


def _truth(part: Part, rows: Any) -> tuple[FloatArray, FloatArray]:
    """Targets and weights of some rows."""
    if part.y is None:
        raise UserError("calibrate needs a target; set 'target'")
    weight = np.ones(part.rows) if part.weight is None else np.asarray(part.weight, np.float64)
    return part.y[rows], weight[rows]


def _expect_both(name: str, positive: Any, weight: FloatArray, of_class: bool) -> None:
    what = f"of the class of {name!r}" if of_class else "true"
    for some, said in ((positive, "none"), (~positive, "each")):
        if not weight[some].sum() > 0:
            raise UserError(
                f"calibrate can't learn from {name!r}: {said} of the {len(positive):,} valid rows is {what}; "
                "it needs others, too. See that 'split' says what it should"
            )


def _stored(method: str, found: Sequence[Any]) -> dict[str, Any]:
    """What was learned for each column, as arrays."""
    if method == "platt":
        slopes, intercepts = np.array(found).T
        return {"slope": slopes, "intercept": intercepts}
    return {
        "scores": np.concatenate([scores for scores, _ in found]),
        "shares": np.concatenate([shares for _, shares in found]),
        "points": np.array([len(scores) for scores, _ in found]),
    }


def _sigmoid(x: Expr, learned: Learned, i: int) -> Expr:
    finite = x.clip(-_GREATEST, _GREATEST)  # infinity times a slope of 0 is no number
    return 1 / (1 + exp(finite * float(learned["slope"][i]) + float(learned["intercept"][i])))


def _interpolated(x: Expr, learned: Learned, i: int) -> Expr:
    """Lines between points, as `numpy.interp` computes them; any number of points is the same code."""
    first = int(learned["points"][:i].sum())
    here = slice(first, first + int(learned["points"][i]))
    scores, shares = learned["scores"][here], learned["shares"][here]
    slopes = np.append(np.diff(shares) / np.diff(scores), 0.0)
    points = table(np.stack([scores, shares, slopes], axis=1))
    inside = clip(x, float(scores[0]), float(scores[-1]))
    place = search(inside, scores) - 1
    return points[place, 2] * (inside - points[place, 0]) + points[place, 1]
