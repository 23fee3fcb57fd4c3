"""What is wrong with the options of a model's stage, a sentence each, without seeing data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.errors import listing
from engine.forest.weights import class_name, weighs_classes
from engine.schema import Column, Kind


def alpha_mistakes(objective: str, params: Mapping[str, Any]) -> Iterable[str]:
    """Of the quantiles or expectiles that an objective needs."""
    name = {"reg:quantileerror": "quantile_alpha", "reg:expectileerror": "expectile_alpha"}.get(objective)
    if name is None:
        return
    given = params.get(name)
    values = given if isinstance(given, list | tuple) else [given]
    if given is None:
        yield f"params.{name}: this objective needs it, such as {name}: [0.1, 0.5, 0.9]"
    elif not values or not all(
        isinstance(value, int | float) and not math.isnan(value) and 0 < value < 1 for value in values
    ):
        yield f"params.{name}: {given!r} is not a number between 0 and 1, or a list of such"


def weight_mistakes(given: str | Mapping[Any, float] | None, objective: str) -> Iterable[str]:
    """Of the weights of classes.

    >>> list(weight_mistakes("balance", "auto"))
    ["class_weight: 'balance' is neither 'balanced' nor {class: weight}"]
    """
    if given is None:
        return
    if objective != "auto" and not weighs_classes(objective):
        yield f"class_weight: {objective!r} learns no classes; use the root key 'weight'"
    if isinstance(given, str):
        if given != "balanced":
            yield f"class_weight: {given!r} is neither 'balanced' nor {{class: weight}}"
        return
    for key, weight in given.items():
        if not (math.isfinite(weight) and weight >= 0):
            yield f"class_weight.{class_name(key)}: {weight:g} is no weight; expected 0 or more"


def booster_mistakes(
    params: Mapping[str, Any], early_stopping: int | None, explain: bool, columns: Sequence[Column]
) -> Iterable[str]:
    """Of what a booster, or a form of trees, can't do."""
    if explain and params.get("multi_strategy") == "multi_output_tree":
        yield "explain: XGBoost doesn't explain trees of several outputs; remove params.multi_strategy"
    if params.get("booster") != "gblinear":
        return
    if early_stopping is not None:
        yield "early_stopping: a linear model (gblinear) can't be cut at its best round; remove it"
    found = [column.name for column in columns if column.kind is Kind.CATEGORY]
    if found:
        yield f"columns: a linear model (gblinear) takes numbers, and {listing(found)} is a category"


def base_margin_mistakes(names: Sequence[str], columns: Sequence[Column]) -> Iterable[str]:
    """Of the columns in which margins begin; ``columns`` are these and the features."""
    kinds = {column.name: column.kind for column in columns}
    if len(set(names)) < len(names) or "" in names:
        yield f"base_margin: {listing(map(repr, names))}: expected columns, each once"
    for name in names:
        if kinds.get(name, Kind.NUMBER) is not Kind.NUMBER:
            yield f"base_margin: {name!r} is a {kinds[name]}; expected a number"
    if names and not set(kinds) - set(names):
        yield "base_margin: is no feature, and no other column is selected"
