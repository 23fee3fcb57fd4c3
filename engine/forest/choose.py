"""Who scores a model: the native scorer where it is equal to XGBoost, else XGBoost."""

from __future__ import annotations

import contextlib
from typing import Any

from engine.errors import ModelError
from engine.forest.faults import UnsupportedError
from engine.forest.forest import read_document, read_forest, read_grown
from engine.forest.model import Model, read_model
from engine.forest.oracle import CrashedError, FailedError, RefusedError, predict, predict_apart
from engine.forest.scoring import PLAIN, Scoring
from engine.forest.verify import difference, release, remembered, rows_around, xgboost_version
from engine.forest.xgb import XGBoostScorer, first_line
from engine.jit.cache import why_not
from engine.stage import Scorer

MODES = ("auto", "native", "xgboost")
"""What ``scorer:`` may say."""


def choose_scorer(
    data: bytes,
    where: str = "the model",
    mode: str = "auto",
    *,
    trusted: bool = False,
    scoring: Scoring = PLAIN,
) -> Scorer:
    """The scorer of a saved model.

    The native scorer is compared with the installed XGBoost on hard rows first. What comes of it is kept in
    the cache folder, so that the next load need not import XGBoost.

    Parameters
    ----------
    data : bytes
        The model, UBJSON or JSON.
    where : str
        The file or stage, for messages.
    mode : {"auto", "native", "xgboost"}
        ``auto``: native if it is supported and equal, else XGBoost, and ``note`` says why.
    trusted : bool
        The model was trained here. Any other is read by XGBoost in a child process first, because XGBoost
        ends the process on some damaged models.
    scoring : Scoring
        What is wanted of it.

    Raises
    ------
    ModelError
        The model is damaged, or nobody can score it, or ``native`` is wanted and can't be had.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> X = np.arange(8, dtype=np.float32).reshape(4, 2)
    >>> booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, [0, 0, 1, 1]), 3)
    >>> scorer = choose_scorer(bytes(booster.save_raw("ubj")))
    >>> np.array_equal(scorer.many(X)[:, 0], booster.inplace_predict(X))
    True
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it may be {', '.join(MODES)}")
    if data.lstrip()[:1] != b"{":
        read_model(data, where)  # says what it is instead
    installed = xgboost_version()
    reason = why_not()
    document = read_document(data, where)
    try:
        forest = read_forest(document, where, release(installed), scoring)
        if mode != "xgboost" and not reason:
            from engine.forest.native import NativeScorer

            native = NativeScorer(forest, where)

            def compare() -> str | None:
                rows = rows_around(forest)
                ask = predict if trusted else predict_apart
                return difference(native, rows, ask(data, rows, scoring.margin, forest.given))

            found = remembered(data, f"native{scoring.name}", compare)
            if found is None:
                native.note += f"; equal to XGBoost {installed}"
                return native
            reason = f"{found}; please report this"
    except UnsupportedError as error:
        reason = str(error)
    except (RefusedError, CrashedError, FailedError) as error:
        raise unreadable(where, error) from error
    if mode == "native":
        raise ModelError(f"{where} can't be scored natively: {reason}; use scorer: auto or xgboost")
    if not trusted:
        try_apart(data, document, where)
    scorer = XGBoostScorer(read_model(data, where), where, scoring)
    if reason:
        scorer.note += f"; not native: {reason}"
    return scorer


def read_checked(data: bytes, where: str) -> Model:
    """The facts of a model that somebody gave: its trees are checked, XGBoost tries it in a child process.

    Raises
    ------
    ModelError
        It is no model, or a damaged one.
    """
    if data.lstrip()[:1] != b"{":
        read_model(data, where)  # says what it is instead
    document = read_document(data, where)
    with contextlib.suppress(UnsupportedError):  # XGBoost may know more
        read_forest(document, where, release(xgboost_version()))
    try_apart(data, document, where)
    return read_model(data, where)


def try_apart(data: bytes, document: Any, where: str) -> None:
    """See that XGBoost survives a model, once, in a child process: it reads it, and scores hard rows.

    Parameters
    ----------
    data : bytes
        The model.
    document : object
        What `read_document` gives for it. Its trees are checked first.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        It doesn't, or refuses it, or the model is damaged.
    """
    try:
        rows = rows_around(read_grown(document, where))
    except UnsupportedError:  # XGBoost may know more
        rows = None

    def attempt() -> None:
        predict_apart(data, rows)

    try:
        remembered(data, "survives", attempt)
    except (RefusedError, CrashedError, FailedError) as error:
        raise unreadable(where, error) from error


def unreadable(where: str, error: Exception) -> ModelError:
    """What is said of a model that XGBoost can't read."""
    installed = xgboost_version()
    if isinstance(error, CrashedError):
        return ModelError(f"{where} is damaged: XGBoost {installed} doesn't survive it: {error}")
    if isinstance(error, FailedError):
        return ModelError(f"{where}: the process in which XGBoost {installed} was to try it failed: {error}")
    return ModelError(f"{where}: XGBoost {installed} can't load it: {first_line(error)}")
