"""Train an XGBoost model on columns, the same bits in every run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError, UserError, listing
from engine.forest.categories import as_codes
from engine.forest.parameters import for_training
from engine.forest.weights import group_weights
from engine.forest.xgb import first_line
from engine.learning import Part
from engine.values import Categories

if TYPE_CHECKING:
    import xgboost

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Given:
    """What the columns of a part are to the model.

    Parameters
    ----------
    features : tuple of str
        In the model's order.
    texts : mapping of str to tuple of str
        The vocabularies of those features that are categories.
    base_margin : tuple of str
        Columns from which the sums of leaves start, one for each margin.
    """

    features: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    base_margin: tuple[str, ...] = ()


def train(
    train_part: Part,
    valid_part: Part | None,
    given: Given,
    *,
    objective: str,
    params: Mapping[str, Any],
    rounds: int,
    early_stopping: int | None,
    seed: int,
    progress: Progress,
) -> bytes:
    """Train a model and return it as UBJSON.

    Columns become float32 features in their order and without names. With early stopping, only the trees up
    to the best iteration are kept.

    Parameters
    ----------
    train_part, valid_part : Part
        ``valid_part`` is read for early stopping only.
    given : Given
    objective : str
    params : mapping
        XGBoost's parameters besides.
    rounds : int
    early_stopping : int or None
    seed : int
        Used unless ``params`` has one.
    progress : callable
        ``progress(done, total, text)`` after each round.

    Raises
    ------
    UserError
        XGBoost refuses a parameter or the target, or a feature is infinite.
    """
    import xgboost

    try:
        parameters: dict[str, Any] = {
            "seed": seed % 2**31,
            **for_training(params, given.features),
            "objective": objective,
            "validate_parameters": 1,
        }
    except ValueError as error:
        raise UserError(str(error)) from error
    if "random_state" in params:
        del parameters["seed"]
    if parameters.get("booster") == "gblinear":
        parameters.setdefault("updater", "coord_descent")  # the other way gives other numbers in every run
    try:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            matrix = _matrix(train_part, given, parameters, None)
            watched = []
            if early_stopping is not None and valid_part is not None:
                watched = [(_matrix(valid_part, given, parameters, matrix), "valid")]
            booster = xgboost.train(
                parameters,
                matrix,
                rounds,
                evals=watched,
                early_stopping_rounds=early_stopping,
                verbose_eval=False,
                callbacks=[_reporter(progress, rounds)],
            )
            if early_stopping is not None:
                booster = booster[: booster.best_iteration + 1]
    except xgboost.core.XGBoostError as error:
        raise UserError(
            f"XGBoost {xgboost.__version__} can't train this model: {first_line(error)}"
        ) from error
    _heed([str(note.message) for note in noted])
    return bytes(booster.save_raw("ubj"))


def as_features(part: Part, given: Given) -> NDArray[np.float32]:
    """The features of a part as a float32 matrix ``(n, n_features)``, each number rounded once.

    Raises
    ------
    DataError
        A column is infinite somewhere (in float32), which XGBoost doesn't learn from.
    """
    matrix = np.empty((part.rows, len(given.features)), np.float32)
    infinite = []
    for position, name in enumerate(given.features):
        values = part.columns[name]
        with np.errstate(over="ignore"):
            matrix[:, position] = (
                as_codes(values, given.texts[name]) if isinstance(values, Categories) else values
            )
        if np.isinf(matrix[:, position]).any():
            infinite.append(name)
    if infinite:
        raise DataError(
            f"XGBoost can't learn from infinite values (or beyond float32), found in: {listing(infinite)}\n"
            "  put a clip in front of the model: {use: clip, lo: -1e30, hi: 1e30}"
        )
    return matrix


def base_margins(part: Part, given: Given) -> NDArray[np.float32] | None:
    """The base margins of each row: ``(n, n_margins)``.

    Raises
    ------
    DataError
        One is missing or infinite.
    """
    if not given.base_margin:
        return None
    with np.errstate(over="ignore"):
        found = np.column_stack([np.asarray(part.columns[n], np.float32) for n in given.base_margin])
    lacking = int(np.count_nonzero(~np.isfinite(found).all(axis=1)))
    if lacking:
        raise DataError(
            f"base_margin: {listing(given.base_margin)} is missing or infinite in {lacking:,} of "
            f"{len(found):,} rows; a sum has to start somewhere: impute it first"
        )
    return found


def _matrix(part: Part, given: Given, parameters: Mapping[str, Any], reference: Any) -> xgboost.DMatrix:
    import xgboost

    features, y, weight = as_features(part, given), part.y, part.weight
    info: dict[str, Any] = {"nthread": parameters.get("nthread", parameters.get("n_jobs"))}
    base = base_margins(part, given)
    if str(parameters["objective"]).startswith("rank:"):
        if part.group is None:
            raise UserError(f"objective {parameters['objective']!r} needs the config's 'group'")
        order = np.argsort(part.group, kind="stable")
        info["qid"] = part.group[order]
        features, y = features[order], y[order] if y is not None else None
        base = base[order] if base is not None else None
        weight = group_weights(weight[order], info["qid"]) if weight is not None else None
    if base is not None:
        info["base_margin"] = base
    if parameters["objective"] == "survival:aft" and y is not None:
        info.update(label_lower_bound=y[:, 0], label_upper_bound=y[:, 1], weight=weight)
    else:
        info.update(label=y, weight=weight)
    if given.texts:
        info["feature_types"] = ["c" if name in given.texts else "q" for name in given.features]
        info["enable_categorical"] = True
    by_histogram = parameters.get("tree_method", "auto") in ("auto", "hist") and "updater" not in parameters
    if by_histogram and parameters.get("booster") != "gblinear":
        bins = parameters.get("max_bin", 256)
        return xgboost.QuantileDMatrix(features, ref=reference, max_bin=bins, **info)
    return xgboost.DMatrix(features, **info)


def _reporter(progress: Progress, rounds: int) -> Any:
    import xgboost

    class Report(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
            texts = [
                f"{part} {metric} {values[-1]:.5g}"
                for part, metrics in evals_log.items()
                for metric, values in metrics.items()
            ]
            progress(epoch + 1, rounds, ", ".join(texts) or "rounds")
            return False

    return Report()


def _heed(notes: Sequence[str]) -> None:
    for note in notes:
        if "are not used" in note and "Parameters:" in note:
            names = note[note.index("{") + 1 : note.index("}")].replace('"', "").strip()
            raise UserError(
                f"params: XGBoost has no use for {names} with this objective and booster; remove it"
            )
    for text in dict.fromkeys(notes):
        warnings.warn(f"XGBoost: {first_line(UserWarning(text.replace('WARNING: ', '')))}", stacklevel=4)
