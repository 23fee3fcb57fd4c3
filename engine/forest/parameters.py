"""Parameters of XGBoost's training: their names, which are whole numbers, and the objectives.

Source: https://xgboost.readthedocs.io/en/stable/parameter.html and ``Booster.save_config()`` of 3.2 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine.errors import did_you_mean, listing

OBJECTIVES = (
    "reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror",
    "reg:quantileerror", "reg:expectileerror", "reg:gamma", "reg:tweedie", "binary:logistic",
    "binary:logitraw", "binary:hinge", "count:poisson", "survival:cox", "survival:aft", "multi:softmax",
    "multi:softprob", "rank:ndcg", "rank:map", "rank:pairwise", "reg:linear",
)  # fmt: skip
"""Objectives that can be trained; ``reg:expectileerror`` from XGBoost 3.3 on."""

SAME_MEANING: Mapping[str, str] = MappingProxyType({"reg:linear": "reg:squarederror"})
"""Old names of objectives."""

_WHOLE = (
    "max_depth", "max_leaves", "max_bin", "num_parallel_tree", "max_cat_to_onehot", "max_cat_threshold",
    "max_cached_hist_node", "lambdarank_num_pair_per_sample", "num_class", "seed", "random_state", "nthread",
    "n_jobs", "verbosity", "top_k",
)  # fmt: skip

_OTHER = (
    "booster", "device", "eta", "learning_rate", "gamma", "min_split_loss", "min_child_weight",
    "max_delta_step", "subsample", "sampling_method", "colsample_bytree", "colsample_bylevel",
    "colsample_bynode", "lambda", "reg_lambda", "alpha", "reg_alpha", "tree_method", "scale_pos_weight",
    "updater", "refresh_leaf", "process_type", "grow_policy", "monotone_constraints",
    "interaction_constraints", "multi_strategy", "sample_type", "normalize_type", "rate_drop", "one_drop",
    "skip_drop", "base_score", "boost_from_average", "eval_metric", "disable_default_eval_metric",
    "seed_per_iteration", "tweedie_variance_power", "huber_slope", "quantile_alpha", "expectile_alpha",
    "lambdarank_pair_method", "lambdarank_normalization", "lambdarank_score_normalization",
    "lambdarank_unbiased", "lambdarank_bias_norm", "ndcg_exp_gain", "feature_selector", "validate_parameters",
    "fail_on_invalid_gpu_id", "debug_synchronize", "sparse_threshold", "aft_loss_distribution",
    "aft_loss_distribution_scale",
)  # fmt: skip

NAMES = (*_WHOLE, *_OTHER)
"""Every parameter that ``params`` may hold."""

_OPTIONS_INSTEAD = {
    "objective": "objective",
    "num_boost_round": "rounds",
    "num_round": "rounds",
    "n_estimators": "rounds",
    "early_stopping_rounds": "early_stopping",
    "enable_categorical": "",
    "missing": "",
}


def mistakes(params: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with these parameters, a sentence each, as far as it shows without data.

    >>> list(mistakes({"max_dpth": 3}))
    ["params.max_dpth: XGBoost has no parameter 'max_dpth'. Did you mean 'max_depth'?"]
    """
    for name, value in params.items():
        where = f"params.{name}"
        if name in _OPTIONS_INSTEAD:
            other = _OPTIONS_INSTEAD[name]
            yield f"{where}: give it as the stage's option {other!r}" if other else f"{where}: can't be set"
        elif name not in NAMES:
            yield f"{where}: XGBoost has no parameter {name!r}.{did_you_mean(name, NAMES)}"
        elif name in _WHOLE and _whole(value) is None:
            yield f"{where}: {value!r} is no whole number"
        elif value is None:
            yield f"{where}: it has no value; remove it, or give one"
        elif name == "booster" and value not in ("gbtree", "dart", "gblinear"):
            yield f"{where}: there is no booster {value!r}; use gbtree, dart or gblinear"
        elif name == "updater" and value == "shotgun":
            yield f"{where}: 'shotgun' gives other numbers in every run; use coord_descent"


def objective_mistake(objective: str) -> str | None:
    """What is wrong with an objective's name, or None.

    >>> objective_mistake("binary:logistc")
    "objective: 'binary:logistc' is none that can be trained. Did you mean 'binary:logistic'?"
    """
    if objective == "auto" or objective in OBJECTIVES:
        return None
    known = ("auto", *OBJECTIVES)
    guess = did_you_mean(objective, known) or f" There are: {listing(known, 40)}"
    return f"objective: {objective!r} is none that can be trained.{guess}"


def for_training(params: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """The parameters as XGBoost takes them: whole numbers whole, and columns by number instead of by name.

    Raises
    ------
    ValueError
        A constraint names a column that is no feature.
    """
    made = {name: _whole(value) if name in _WHOLE else value for name, value in params.items()}
    made = {name: int(value) if isinstance(value, bool) else value for name, value in made.items()}
    monotone = made.get("monotone_constraints")
    if isinstance(monotone, Mapping):
        for name in monotone:
            _position(name, columns, "monotone_constraints")
        made["monotone_constraints"] = str(tuple(int(monotone.get(name, 0)) for name in columns))
    elif isinstance(monotone, Sequence) and not isinstance(monotone, str):
        made["monotone_constraints"] = "(" + ",".join(str(int(sign)) for sign in monotone) + ")"
    groups = made.get("interaction_constraints")
    if isinstance(groups, Sequence) and not isinstance(groups, str):
        numbered = [
            [_position(name, columns, "interaction_constraints") for name in group] for group in groups
        ]
        made["interaction_constraints"] = str(numbered)
    return made


def alphas(objective: str, params: Mapping[str, Any]) -> tuple[float, ...]:
    """The quantiles or expectiles to predict, for such objectives.

    >>> alphas("reg:quantileerror", {"quantile_alpha": [0.1, 0.9]})
    (0.1, 0.9)
    """
    name = {"reg:quantileerror": "quantile_alpha", "reg:expectileerror": "expectile_alpha"}.get(objective)
    given = params.get(name) if name else None
    if given is None:
        return ()
    return tuple(map(float, given)) if isinstance(given, list | tuple) else (float(given),)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value and abs(value) < 2**53 and int(value) == value else None


def _position(name: Any, columns: Sequence[str], where: str) -> int:
    if isinstance(name, int):
        return name
    if name not in columns:
        raise ValueError(f"params.{where}: {name!r} is no feature.{did_you_mean(str(name), columns)}")
    return list(columns).index(name)
