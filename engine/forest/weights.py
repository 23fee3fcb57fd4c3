"""What rows weigh in training: by their class, and by their group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError, UserError, did_you_mean, listing
from engine.forest.names import numbered
from engine.learning import Part
from engine.schema import Kind
from engine.values import FloatArray

ClassWeight = str | Mapping[Any, float]
"""``balanced``, or a weight for some classes; the others have 1."""


def weighs_classes(objective: str) -> bool:
    """Whether an objective learns classes.

    >>> weighs_classes("binary:logistic"), weighs_classes("reg:squarederror")
    (True, False)
    """
    return objective.startswith(("binary:", "multi:")) or objective == "reg:logistic"


def class_weights(
    wanted: ClassWeight, y: FloatArray, kind: Kind | None, classes: Sequence[str]
) -> NDArray[np.float64]:
    """The weight of each class, by its index.

    Parameters
    ----------
    wanted : "balanced" or mapping
        Balanced: ``n / (k * n_of_class)``, so that each of the ``k`` classes weighs as much
        (as `sklearn.utils.class_weight.compute_class_weight`).
    y : float64 array, shape (n,)
        Of the training rows.
    kind : Kind or None
        The target's.
    classes : sequence of str
        Their names; empty: they are numbers.

    Raises
    ------
    UserError
        The target holds no classes, or there is no such class.

    Examples
    --------
    >>> class_weights("balanced", np.array([0.0, 0.0, 0.0, 1.0]), Kind.BOOLEAN, ()).round(3).tolist()
    [0.667, 2.0]
    """
    if y.ndim > 1:
        raise UserError("class_weight: takes one target, and there are several; use the root key 'weight'")
    if (y < 0).any() or (y != np.floor(y)).any() or y.max(initial=0) > 1e6:
        raise UserError("class_weight: the target holds numbers that are no classes; remove it")
    highest = int(y.max(initial=0))
    names = tuple(classes) or (("false", "true") if kind is Kind.BOOLEAN else numbered(max(2, highest + 1)))
    if isinstance(wanted, str):
        counts = np.bincount(y.astype(np.int64), minlength=len(names))
        there = counts > 0
        return np.where(there, len(y) / (there.sum() * np.maximum(counts, 1)), 1.0)
    found = np.ones(len(names))
    for key, weight in wanted.items():
        name = class_name(key)
        if name in ("0", "1") and kind is Kind.BOOLEAN:
            name = names[int(name)]
        if name not in names:
            raise UserError(
                f"class_weight: there is no class {name!r}.{did_you_mean(name, names)} "
                f"There are: {listing(names)}"
            )
        found[names.index(name)] = weight
    return found


def class_name(key: Any) -> str:
    """A class as a config's key names it: YAML reads some names as booleans or numbers.

    >>> class_name(True), class_name(2.0), class_name("UA")
    ('true', '2', 'UA')
    """
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, float):
        return f"{key:g}"
    return {"True": "true", "False": "false"}.get(key, key) if isinstance(key, str) else str(key)


def weighted(part: Part, weights: NDArray[np.float64]) -> Part:
    """The rows with another weight: their own, if they have one, times that of their class."""
    assert part.y is not None
    # XGBoost refuses a class of the valid part that no training row has
    mine = weights[np.clip(part.y, 0, len(weights) - 1).astype(np.int64)]
    return replace(part, weight=mine if part.weight is None else part.weight * mine)


def group_weights(weight: FloatArray, group: NDArray[np.int64]) -> FloatArray:
    """One weight for each group, which is how XGBoost weighs rankings.

    Parameters
    ----------
    weight : float64 array, shape (n,)
    group : int64 array, shape (n,)
        Ascending.

    Raises
    ------
    DataError
        Rows of a group have different weights.
    """
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    found: FloatArray = weight[first]
    differ = len(np.unique(which[weight != found[which]]))
    if differ:
        raise DataError(
            f"weight: rows of one group weigh differently in {differ:,} of {len(first):,} groups; "
            "a ranking has one weight for each group"
        )
    return found
