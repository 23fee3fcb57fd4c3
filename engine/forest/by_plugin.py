"""Models that a plugin scores: what XGBoost gives is found out before, and the plugin must give the same."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError, ModelError, fault
from engine.forest.choose import unreadable
from engine.forest.faults import UnsupportedError
from engine.forest.forest import read_document, read_grown
from engine.forest.model import read_model
from engine.forest.oracle import CrashedError, FailedError, RefusedError, predict, predict_apart
from engine.forest.verify import ROWS, difference, remembered, rows_around
from engine.scorer import Scorer, ScorerPlugin

_REMEDY = "use scorer: auto or xgboost"
_VALUES = 1 << 17
"""Predictions that are kept, at most."""


def scorer_by(plugin: ScorerPlugin, data: bytes, where: str, *, trusted: bool = False) -> Scorer:
    """The scorer that a plugin makes of a saved model.

    It is compared with the installed XGBoost on hard rows each time that it is made. XGBoost's answers are
    kept in the cache folder: another version of the plugin, or of what it is built on, is compared with the
    same, and XGBoost need not be imported again.

    Parameters
    ----------
    plugin : ScorerPlugin
    data : bytes
        The model, UBJSON or JSON. The plugin sees none that XGBoost doesn't survive.
    where : str
        The file or stage, for messages.
    trusted : bool
        The model was trained here.

    Raises
    ------
    ModelError
        The model is damaged, the plugin can't score it, or its scores are not XGBoost's.
    """
    rows = hard_rows(data, where)

    def ask() -> str:
        found = (predict if trusted else predict_apart)(data, rows)
        return base64.b64encode(found.tobytes()).decode()

    try:
        kept = remembered(data, "predictions", ask)
    except (RefusedError, CrashedError, FailedError) as error:
        raise unreadable(where, error) from error
    predicted = np.frombuffer(base64.b64decode(kept or ""), np.float32)
    with _in_plugin(plugin, where):
        made = plugin.make(data, where, trusted=trusted)
        if isinstance(made, str):
            raise ModelError(f"{where} can't be scored by {plugin.use!r}: {made}; {_REMEDY}")
        found = difference(made, plain_rows(made.n_features) if rows is None else rows, predicted)
    if found is not None:
        raise ModelError(
            f"{where}: the scorer {plugin.use!r} doesn't give XGBoost's own scores: {found}; {_REMEDY}\n"
            "  its author finds more by engine.testing.check_scorer"
        )
    return made


@contextmanager
def _in_plugin(plugin: ScorerPlugin, where: str) -> Iterator[None]:
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        file = inspect.getsourcefile(type(plugin)) or ""
        raise ModelError(
            f"{where}: the scorer {plugin.use!r} failed: {fault(error, file)}; {_REMEDY}"
        ) from error


def hard_rows(data: bytes, where: str) -> NDArray[np.float32] | None:
    """Rows on which the scorers of a model are compared; None: those of `plain_rows`.

    Raises
    ------
    ModelError
        The model is damaged.
    """
    if data.lstrip()[:1] != b"{":
        read_model(data, where)  # says what it is instead
    try:
        forest = read_grown(read_document(data, where), where)
    except UnsupportedError:  # XGBoost may know more
        return None
    return rows_around(forest, max(1, min(ROWS, _VALUES // forest.n_groups)))


def plain_rows(n_features: int) -> NDArray[np.float32]:
    """Rows for a model whose splits nobody can read: zeros, and all missing; those of `oracle.predict`."""
    rows = np.zeros((2, n_features), np.float32)
    rows[1] = np.nan
    return rows
