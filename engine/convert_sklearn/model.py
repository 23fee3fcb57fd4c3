"""XGBClassifier and XGBRegressor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from engine.convert_sklearn.draft import Draft, Feature, Path, quoted
from engine.convert_sklearn.refuse import Refused
from engine.errors import UserError
from engine.forest import parameters
from engine.schema import Kind

_ESTIMATORS = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
_NOT_OURS = (
    "n_estimators",
    "objective",
    "missing",
    "enable_categorical",
    "early_stopping_rounds",
    "callbacks",
)
_OF_THE_PROCESS = ("n_jobs", "nthread", "verbosity", "device", "validate_parameters")


def check_model(estimator: Any) -> None:
    """See that the last step is a fitted estimator of XGBoost that can be converted.

    Raises
    ------
    Refused
    """
    cls = type(estimator)
    if not cls.__module__.startswith("xgboost.") or cls.__name__ not in _ESTIMATORS:
        found = repr(estimator) if isinstance(estimator, str) else f"{cls.__module__}.{cls.__qualname__}"
        raise Refused(
            f"the last step is {found}; only a pipeline that ends in XGBoost can be converted",
            "what can: XGBClassifier and XGBRegressor",
        )
    if not estimator.__sklearn_is_fitted__():
        raise Refused(f"this {cls.__name__} isn't fitted", "call fit on the whole pipeline first")
    if estimator.get_booster().feature_types and "c" in estimator.get_booster().feature_types:
        raise Refused(
            "the model splits on categories (enable_categorical), which isn't converted",
            "encode them in the pipeline, by OneHotEncoder or OrdinalEncoder",
        )
    if callable(estimator.objective):
        raise Refused(
            "the objective is a function of yours, which no config can train with",
            "give one of XGBoost's, such as objective='binary:logistic'",
        )
    if estimator.booster == "gblinear":
        raise Refused("booster='gblinear' can't be scored row by row", "use gbtree or dart")


def convert_model(
    draft: Draft, path: Path, estimator: Any, features: Sequence[Feature], *, sparse: bool
) -> tuple[str, ...]:
    """Add the stage ``xgboost``, and in front of it what makes numbers missing to XGBoost.

    Parameters
    ----------
    draft : Draft
    path : tuple of str
    estimator : XGBModel
    features : sequence of Feature
        In the order in which scikit-learn hands them over.
    sparse : bool
        Whether it does so as a sparse matrix, whose zeros are missing to XGBoost.

    Returns
    -------
    tuple of str
        The columns that the model takes.

    Raises
    ------
    Refused
    """
    booster = estimator.get_booster()
    texts = [f for f in features if f.kind not in (Kind.NUMBER, Kind.BOOLEAN)]
    if texts:
        raise Refused(
            f"{texts[0].name!r} reaches the model as a {texts[0].kind}, and models take numbers",
            "encode it in the pipeline, drop it, or say in inputs that it is a number",
        )
    if booster.num_features() != len(features):
        raise Refused(
            f"the model takes {booster.num_features():,} features, and the steps before it make "
            f"{len(features):,}",
            "fit the whole pipeline at once",
        )
    seen: Counter[str] = Counter()
    names = []
    for feature in features:
        seen[feature.name] += 1
        twice = seen[feature.name] > 1
        made = draft.expr(path, feature.name, f"{quoted(feature.name)} + 0") if twice else feature
        names.append(made.name)
    missing = [] if estimator.missing is None or math.isnan(estimator.missing) else [float(estimator.missing)]
    for value in dict.fromkeys([*([0.0] if sparse else []), *missing]):
        draft.stage((*path, "missing"), "null_if", names, value=value)
    draft.stage(
        path, "xgboost", _selectors(names, draft), learned=_learned(estimator, names), **_options(estimator)
    )
    return tuple(names)


def _learned(estimator: Any, names: Sequence[str]) -> dict[str, Any]:
    from engine.forest.choose import choose_scorer
    from engine.forest.model import read_model

    booster = estimator.get_booster()
    try:  # the wrapper stops at the best round of an early stopping
        booster = booster[: estimator.best_iteration + 1]
    except AttributeError:
        booster = booster.copy()
    # names are the columns' here; the model itself counts
    if estimator.objective == "multi:softmax":
        booster.set_param({"objective": "multi:softprob"})  # whose probabilities predict_proba gives, too
    booster.feature_names = None
    booster.feature_types = None
    try:
        facts = read_model(bytes(booster.save_raw("ubj")), "the model")
        # XGBoost itself holds it already, so it may be read in this process; what comes of that is kept
        choose_scorer(facts.ubj, "the model", trusted=True)
    except UserError as error:
        raise Refused(str(error)) from error
    classes = tuple(map(str, range(facts.num_class))) if facts.num_class > 1 else ()
    if facts.objective == "multi:softprob":
        suffixes = tuple(f"_{name}" for name in classes)
    elif facts.alphas:
        letter = "e" if facts.objective == "reg:expectileerror" else "q"
        suffixes = tuple(f"_{letter}{alpha:g}" for alpha in facts.alphas)
    elif facts.n_outputs == 1:
        suffixes = ("",)
    else:
        suffixes = tuple(f"_{i}" for i in range(facts.n_outputs))
    return {
        "model": np.frombuffer(facts.ubj, np.uint8),
        "classes": classes,
        "objective": (facts.objective,),
        "features": tuple(names),
        "suffixes": suffixes,
    }


def _options(estimator: Any) -> dict[str, Any]:
    """What the stage is to train with when it is fitted again."""
    import json

    learner = json.loads(estimator.get_booster().save_config())["learner"]
    objective = learner["objective"]["name"].replace("multi:softmax", "multi:softprob")
    if parameters.objective_mistake(objective):
        raise Refused(f"the objective {objective!r} can't be trained by the engine")
    params = {
        name: _plain(value)
        for name, value in estimator.get_xgb_params().items()
        if name not in (*_NOT_OURS, *_OF_THE_PROCESS) and value is not None and not callable(value)
    }
    params = {name: value for name, value in params.items() if not list(parameters.mistakes({name: value}))}
    if objective.startswith("multi:"):
        params["num_class"] = int(estimator.n_classes_)
    stopping = estimator.early_stopping_rounds
    return {
        "objective": objective,
        "rounds": int(estimator.get_num_boosting_rounds()),
        "params": params,
        "early_stopping": None if stopping is None else int(stopping),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _selectors(names: Sequence[str], draft: Draft) -> list[str]:
    """The columns; those of a ``onehot`` by pattern, so that another fit may find other categories."""
    found: list[str] = []
    rest = list(names)
    stems = [
        column
        for config in draft.stages.values()
        if config["use"] == "onehot"
        for column in config["columns"]
    ]
    while rest:
        for stem in stems:
            glob = f"{stem}_*"
            alike = [name for name in draft.columns if fnmatchcase(name, glob)]
            if len(alike) > 1 and rest[: len(alike)] == alike:
                found.append(glob)
                rest = rest[len(alike) :]
                break
        else:
            found.append(rest.pop(0))
    return found
