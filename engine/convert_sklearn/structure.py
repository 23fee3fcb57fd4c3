"""The walk through a fitted pipeline: what each step gets, and who converts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from engine.convert_sklearn import impute, numbered, onehot, scale, shape
from engine.convert_sklearn.draft import Draft, Feature, Path
from engine.convert_sklearn.refuse import Refused
from engine.errors import listing

Converter = Callable[[Draft, Path, Any, Sequence[Feature]], list[Feature]]

CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        "FunctionTransformer": shape.function_transformer,
        "KBinsDiscretizer": shape.k_bins,
        "MaxAbsScaler": scale.max_abs_scaler,
        "MinMaxScaler": scale.min_max_scaler,
        "MissingIndicator": impute.missing_indicator,
        "OneHotEncoder": onehot.one_hot_encoder,
        "OrdinalEncoder": numbered.ordinal_encoder,
        "PowerTransformer": shape.power_transformer,
        "QuantileTransformer": shape.quantile_transformer,
        "RobustScaler": scale.robust_scaler,
        "SimpleImputer": impute.simple_imputer,
        "StandardScaler": scale.standard_scaler,
        "TargetEncoder": numbered.target_encoder,
    }
)
"""By the class's name in scikit-learn."""

_COMPOSITES = ("Pipeline", "ColumnTransformer", "FeatureUnion")


def walk(draft: Draft, path: Path, step: Any, features: Sequence[Feature] | None) -> list[Feature] | None:
    """Convert a step and all within it.

    Parameters
    ----------
    draft : Draft
        Gets the stages, and what can't be converted.
    path : tuple of str
    step : object
        A fitted transformer, or ``passthrough`` or ``drop``.
    features : sequence of Feature or None
        None behind a step that can't be converted: what follows is still looked through for others.

    Returns
    -------
    list of Feature or None
        What it makes, in scikit-learn's order; None if something in it can't be converted.
    """
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return None if features is None else list(features)
    if isinstance(step, str) and step == "drop":
        return []
    try:
        name = _known(step)
        if name == "Pipeline":
            return _in_sequence(draft, path, step.steps, features)
        if name == "ColumnTransformer":
            return _by_columns(draft, path, step, features)
        if name == "FeatureUnion":
            return _united(draft, path, step, features)
        if features is not None:
            return CONVERTERS[name](draft, path, step, features)
    except Refused as refused:
        draft.refuse(path, refused)
    return None


def _known(step: Any) -> str:
    """The name of a class that is converted, if it is fitted.

    Raises
    ------
    Refused
    """
    cls = type(step)
    names = (*CONVERTERS, *_COMPOSITES)
    if not cls.__module__.startswith("sklearn.") or cls.__name__ not in names:
        raise Refused(
            f"a {cls.__module__}.{cls.__qualname__} can't be converted",
            f"what can: {listing(names, 40)}",
            "write it as a stage of your own, or put it in front of the engine",
        )
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    # a FunctionTransformer has nothing to fit, and steps tell of themselves
    if cls.__name__ not in ("FunctionTransformer", "Pipeline", "FeatureUnion"):
        try:
            check_is_fitted(step)
        except NotFittedError:
            raise Refused(
                f"this {cls.__name__} isn't fitted", "call fit on the whole pipeline first"
            ) from None
    return cls.__name__


def _in_sequence(
    draft: Draft, path: Path, steps: Sequence[tuple[str, Any]], features: Sequence[Feature] | None
) -> list[Feature] | None:
    found = None if features is None else list(features)
    for name, step in steps:
        found = walk(draft, (*path, name), step, found)
    return found


def _by_columns(
    draft: Draft, path: Path, step: Any, features: Sequence[Feature] | None
) -> list[Feature] | None:
    _no_weights(step)
    branches: list[tuple[str, Any, list[int]]] = []
    # names, slices, masks, callables and the remainder, all as numbers; no public attribute holds them
    places = step._transformer_to_input_indices
    for name, transformer, _ in step.transformers_:
        numbers = [int(place) for place in places[name]]
        if numbers and not (isinstance(transformer, str) and transformer == "drop"):
            branches.append((name, transformer, numbers))
    uses: dict[int, int] = {}
    for _, _, numbers in branches:
        for place in numbers:
            uses[place] = uses.get(place, 0) + 1
    made: list[list[Feature] | None] = []
    for name, transformer, numbers in branches:
        own = None
        if features is not None:
            own = [
                replace(features[i], shared=features[i].shared or uses[i] > 1, branch=name) for i in numbers
            ]
        made.append(walk(draft, (*path, name), transformer, own))
    return _joined(made)


def _united(draft: Draft, path: Path, step: Any, features: Sequence[Feature] | None) -> list[Feature] | None:
    _no_weights(step)
    branches = [(n, t) for n, t in step.transformer_list if not (isinstance(t, str) and t == "drop")]
    made: list[list[Feature] | None] = []
    for name, transformer in branches:
        own = None
        if features is not None:
            own = [replace(f, shared=f.shared or len(branches) > 1, branch=name) for f in features]
        made.append(walk(draft, (*path, name), transformer, own))
    return _joined(made)


def _joined(made: Sequence[list[Feature] | None]) -> list[Feature] | None:
    found: list[Feature] = []
    for features in made:
        if features is None:
            return None
        found += features
    return found


def _no_weights(step: Any) -> None:
    if step.transformer_weights:
        raise Refused(
            f"transformer_weights={step.transformer_weights!r} can't be converted",
            "a model of trees doesn't need them: fit without",
        )
