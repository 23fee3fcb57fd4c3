"""The reasons of a score: the features that moved it most, by XGBoost's SHAP contributions.

A contribution is a feature's Shapley value: contributions and a bias sum up to the margin. XGBoost computes
them exactly for trees (``pred_contribs``; Lundberg et al. 2018, https://arxiv.org/abs/1802.03888), in its own
float32 bits. It takes rows from a DMatrix, so ±inf counts as the greatest and least float32.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.forest.explained import Explain
from engine.forest.model import Model
from engine.forest.xgb import first_line, load_booster
from engine.scorer import Scorer

_BLOCK = 4096
"""Rows whose contributions are computed at a time, at most."""
_MOST_NUMBERS = 1 << 24
"""Contributions that are held at a time: there is one for each row, feature and class."""


class Reasons:
    """A scorer that gives reasons behind the scores of another: four float32 for each.

    They are the number of the feature, its value (missing of a category), its contribution to the margin, and
    of a category the place of its text among those of all features. A feature that contributes nothing is no
    reason: all four are then missing.

    Parameters
    ----------
    scorer : Scorer
        Gives the scores, and narrowed to them it is all that is left.
    model : Model
    where : str
        The file or stage, for messages.
    explain : Explain
    place : int or None
        The margin that is explained; None: that of the greatest score, or of the class that is the score.
    classes : bool
        Whether margins are those of classes.
    texts : sequence of sequence of str
        The texts behind each feature's codes; empty: none is a category.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> from engine.forest.model import read_model
    >>> from engine.forest.xgb import XGBoostScorer
    >>> X = np.arange(8, dtype=np.float32).reshape(4, 2)
    >>> booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, [0, 0, 1, 1]), 3)
    >>> model = read_model(bytes(booster.save_raw("ubj")), "model")
    >>> reasons = Reasons(XGBoostScorer(model), model, "model", Explain(1), None, False, ())
    >>> contributions = booster.predict(xgboost.DMatrix(X), pred_contribs=True)
    >>> np.array_equal(reasons.many(X)[:, 3], contributions[:, 0])
    True
    """

    def __init__(
        self,
        scorer: Scorer,
        model: Model,
        where: str,
        explain: Explain,
        place: int | None,
        classes: bool,
        texts: Sequence[Sequence[str]],
    ) -> None:
        self._scorer, self._model, self._where = scorer, model, where
        self._top, self._place, self._classes = explain.top, place, classes
        sizes = [len(found) for found in texts] or [0] * model.n_features
        self._first = np.cumsum([0, *sizes[:-1]]).astype(np.float32)
        self._coded = np.array(sizes) > 0
        self.n_features = scorer.n_features
        self.n_outputs = scorer.n_outputs + 4 * explain.top
        self.used = scorer.used
        self.note = f"{scorer.note}; {explain.top} reasons of each score by XGBoost's SHAP contributions"
        self._lock = threading.Lock()
        self._loaded: Any = None

    def narrow(self, outputs: Collection[int]) -> Scorer:
        """The scorer alone, where nobody reads reasons; see `engine.stage.Scorer`."""
        return self if any(output >= self._scorer.n_outputs for output in outputs) else self._scorer

    def many(self, features: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
        """Scores and reasons of a block of rows; see `engine.stage.Scorer`.

        Raises
        ------
        ModelError
            XGBoost can't explain this model.
        """
        found = np.empty((len(features), self.n_outputs), np.float32)
        scores = self._scorer.many(features, threads)
        found[:, : scores.shape[1]] = scores
        margins = max(self._scorer.n_outputs, self._model.num_class, 1)
        block = max(1, min(_BLOCK, _MOST_NUMBERS // ((self.n_features + 1) * margins)))
        for start in range(0, len(features), block):
            part = slice(start, start + block)
            own = np.ascontiguousarray(features[part, : self._model.n_features], np.float32)
            found[part, scores.shape[1] :] = self._strongest(own, scores[part])
        return found

    def one(self, features: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        """Score one row in place; see `engine.stage.Scorer`."""
        scores[:] = self.many(features.reshape(1, -1))[0]

    def _strongest(self, rows: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float32]:
        contributions = self.contributions(rows)
        n_rows = np.arange(len(rows))
        if contributions.ndim == 3:
            which: Any = self._place or 0
            if self._place is None and self._classes:
                likeliest = scores[:, 0] if scores.shape[1] == 1 else scores.argmax(axis=1)
                which = likeliest.astype(np.int64)
            contributions = contributions[n_rows, which]
        moved = contributions[:, :-1]  # the last is the bias
        strongest = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, : self._top]
        reasons = np.full((len(rows), self._top, 4), np.nan, np.float32)
        here = n_rows[:, None]
        part = reasons[:, : strongest.shape[1]]
        values, coded = rows[here, strongest], self._coded[strongest]
        part[..., 0] = strongest
        part[..., 1] = np.where(coded, np.float32(np.nan), values)
        part[..., 2] = moved[here, strongest]
        part[..., 3] = np.where(coded, self._first[strongest] + values, np.float32(np.nan))
        part[part[..., 2] == 0] = np.nan
        return reasons.reshape(len(rows), -1)

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each feature, and last the bias, adds to the margin.

        Parameters
        ----------
        rows : float32 array, shape (n, n_features)

        Returns
        -------
        float32 array, shape (n, n_features + 1) or (n, n_margins, n_features + 1)

        Raises
        ------
        ModelError
            XGBoost can't explain this model.
        """
        import xgboost

        booster = self._booster()
        greatest = np.finfo(np.float32).max
        matrix = xgboost.DMatrix(
            np.clip(rows, -greatest, greatest),
            nthread=1,
            feature_types=booster.feature_types,
            enable_categorical=True,
        )
        # only trees may be asked from several threads at once
        alone = self._lock if self._model.booster == "gblinear" else contextlib.nullcontext()
        with alone:
            try:
                found = booster.predict(matrix, pred_contribs=True, validate_features=False)
            except xgboost.core.XGBoostError as error:
                raise ModelError(
                    f"{self._where} can't be explained: XGBoost says: {first_line(error)}"
                ) from error
        return np.asarray(found, np.float32)

    def _booster(self) -> Any:
        with self._lock:
            if self._loaded is None:
                self._loaded = load_booster(self._model.ubj, self._where)
                import xgboost

                # the first call configures the booster, which must not happen in two threads at once
                nothing = xgboost.DMatrix(
                    np.zeros((1, self._model.n_features), np.float32),
                    nthread=1,
                    feature_types=self._loaded.feature_types,
                    enable_categorical=True,
                )
                with contextlib.suppress(xgboost.core.XGBoostError):
                    self._loaded.predict(nothing, pred_contribs=True, validate_features=False)
            return self._loaded
