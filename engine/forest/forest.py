"""A whole model as the native scorer takes it: trees, base margins and the way to predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.expr import libm
from engine.forest import jsonfile, ubjson
from engine.forest.faults import DamagedError, UnsupportedError
from engine.forest.jsonfile import single
from engine.forest.lists import numbers, whole
from engine.forest.scoring import PLAIN, Scoring
from engine.forest.trees import Trees, read_trees

Version = tuple[int, int]

MOST_FEATURES = 2**24
"""Features of a model, at most; each row holds them all."""

_SIGMOID = ("reg:logistic", "binary:logistic")
_EXP = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_IDENTITY = (
    "reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
    "rank:ndcg", "rank:map", "rank:pairwise", "binary:logitraw",
)  # fmt: skip
TRANSFORMS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(_SIGMOID, "sigmoid"),
        **dict.fromkeys(_EXP, "exp"),
        **dict.fromkeys(_IDENTITY, "identity"),
        "reg:quantileerror": "identity",
        "binary:hinge": "hinge",
        "multi:softprob": "softprob",
        "multi:softmax": "softmax",
    }
)
"""The way from margins to predictions, by objective."""


@dataclass(frozen=True)
class Forest:
    """A model, checked.

    Parameters
    ----------
    trees : Trees
    n_features, n_groups : int
        ``n_groups`` counts the margins of a row. The last of its features may be ``given`` base margins.
    base : float32 array, shape (n_groups,)
        The margins before the first tree.
    transform : {"identity", "sigmoid", "exp", "hinge", "softprob", "softmax", "sorted"}
        What makes predictions out of margins.
    objective : str
    dart : bool
        Whether trees are weighted, in whatever way they are stored.
    scoring : Scoring
    """

    trees: Trees
    n_features: int
    n_groups: int
    base: NDArray[np.float32]
    transform: str
    objective: str
    dart: bool
    scoring: Scoring = PLAIN

    @property
    def given(self) -> int:
        """How many base margins a row brings, behind the features of the model."""
        return self.n_groups if self.scoring.base_margin else 0

    @property
    def first_given(self) -> int:
        """The number of the first of these features."""
        return self.n_features - self.given

    @property
    def n_outputs(self) -> int:
        """How many predictions a row has."""
        return 1 if self.transform == "softmax" else self.n_groups

    @property
    def used(self) -> frozenset[int]:
        """Features that some split reads, and given base margins."""
        split = np.unique(self.trees.feature[self.trees.left >= 0]).tolist()
        return frozenset((*split, *range(self.first_given, self.n_features)))


def read_document(data: bytes, where: str) -> Any:
    """The document of a saved model, UBJSON or JSON.

    Raises
    ------
    ModelError
        The bytes are neither.
    """
    try:
        if data[:2] == b"{L":
            return ubjson.parse(data)
        return jsonfile.parse(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is damaged or no XGBoost model: {error}") from error


def read_forest(document: Any, where: str, version: Version, scoring: Scoring = PLAIN) -> Forest:
    """The forest of a model's document.

    Parameters
    ----------
    document : object
        What `read_document` gave.
    where : str
        The file, for messages.
    version : tuple of int
        The XGBoost release whose answers are wanted, such as ``(3, 2)``.
    scoring : Scoring
        What is wanted of it.

    Raises
    ------
    ModelError
        The model is damaged.
    UnsupportedError
        Only XGBoost can score it.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> X = np.arange(8, dtype=np.float32).reshape(4, 2)
    >>> booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, [0, 0, 1, 1]), 3)
    >>> document = read_document(bytes(booster.save_raw("ubj")), "model.ubj")
    >>> read_forest(document, "model.ubj", (3, 2)).trees.n_trees
    3
    """
    forest = _checked(document, where, lambda learner: _learner(learner, version))
    given = forest.n_groups if scoring.base_margin else 0
    return replace(
        forest,
        n_features=forest.n_features + given,
        transform="identity" if scoring.margin else forest.transform,
        scoring=scoring,
    )


def read_grown(document: Any, where: str) -> Forest:
    """The trees of a model whatever it makes of their sums: the forest gives margins, counted from zero.

    Parameters
    ----------
    document : object
        What `read_document` gave.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        The model is damaged.
    UnsupportedError
        Only XGBoost can score it.
    """
    return _checked(document, where, _grown)


def _checked(document: Any, where: str, read: Callable[[Mapping[str, Any]], Forest]) -> Forest:
    try:
        return read(document["learner"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{where} is damaged: {reason}") from error


def _grown(learner: Mapping[str, Any]) -> Forest:
    parameters = learner["learner_model_param"]
    objective = str(learner["objective"]["name"])
    n_features = int(parameters["num_feature"])
    n_groups = max(int(parameters.get("num_class", 0)), int(parameters.get("num_target", 1)), 1)
    if not 0 <= n_features <= MOST_FEATURES or n_groups > 2**16:
        raise DamagedError(f"it says that it has {n_features} features and {n_groups} outputs")
    model, weights = _booster(learner["gradient_booster"])
    documents = list(model["trees"])
    stated = int(model["gbtree_model_param"]["num_trees"])
    groups = whole(model["tree_info"])
    if not len(documents) == len(groups) == stated:
        raise DamagedError(f"it says {stated} trees, but holds {len(documents)}, with {len(groups)} outputs")
    if len(groups) and not 0 <= groups.min() <= groups.max() < n_groups:
        raise DamagedError(f"a tree adds to an output that is none of its {n_groups}")
    if weights is not None and len(weights) != len(documents):
        raise DamagedError(f"it has {len(weights)} weights for {len(documents)} trees")
    trees = read_trees(documents, groups, weights, n_features, n_groups)
    base = np.zeros(n_groups, np.float32)
    return Forest(trees, n_features, n_groups, base, "identity", objective, weights is not None)


def _learner(learner: Mapping[str, Any], version: Version) -> Forest:
    grown = _grown(learner)
    objective, n_groups = grown.objective, grown.n_groups
    if objective not in TRANSFORMS:
        raise UnsupportedError(f"its objective is {objective!r}")
    if not grown.trees.n_trees and objective in (*_SIGMOID, *_EXP):
        # XGBoost takes the base score of a model that was never boosted as the margin itself.
        raise UnsupportedError("it has no trees")
    transform = TRANSFORMS[objective]
    if objective == "reg:quantileerror" and version >= (3, 4) and n_groups > 1:
        transform = "sorted"
    text = str(learner["learner_model_param"]["base_score"])
    return replace(grown, base=_base_margins(text, objective, n_groups, version), transform=transform)


def _booster(booster: Mapping[str, Any]) -> tuple[Mapping[str, Any], NDArray[np.float32] | None]:
    """The part that holds the trees, and DART's weights."""
    name = str(booster["name"])
    if name == "dart":
        return booster["gbtree"]["model"], numbers(booster["weight_drop"])
    if name != "gbtree":
        raise UnsupportedError(f"its booster is {name!r}")
    model = booster["model"]
    for holder in (model, booster):
        if len(holder.get("weight_drop", ())):
            return model, numbers(holder["weight_drop"])
    return model, None


def _base_margins(text: str, objective: str, n_groups: int, version: Version) -> NDArray[np.float32]:
    items = text.strip().strip("[]").split(",")
    scores = [single(item.strip()) for item in items]
    if len(scores) not in (1, n_groups):
        raise DamagedError(f"it has {len(scores)} base scores for {n_groups} outputs")
    if not all(map(math.isfinite, scores)):
        raise UnsupportedError(f"its base score is {text}")
    margin = _base_margin(objective, version)
    with np.errstate(all="ignore"):
        margins = np.array([margin(score) for score in scores], np.float32)
    if not np.isfinite(margins).all():
        raise UnsupportedError(f"its base score {text} has no finite margin")
    return np.ascontiguousarray(np.broadcast_to(margins, n_groups))


def _base_margin(objective: str, version: Version) -> Callable[[np.float32], np.float32]:
    log = libm.scalar("logf")
    one = np.float32(1)
    least, most = np.float32(1e-6), one - np.float32(1e-6)

    def logit(score: np.float32) -> np.float32:
        if version >= (3, 2):
            score = min(max(score, least), most)
        if not 0 < score < 1:
            raise UnsupportedError(f"its base score {score} is no probability")
        return np.float32(-log(float(one / score - one)))

    def logarithm(score: np.float32) -> np.float32:
        if score <= 0:
            raise UnsupportedError(f"its base score {score} is not positive")
        return np.float32(log(float(score)))

    if objective in _SIGMOID:
        return logit
    return logarithm if objective in _EXP else lambda score: score
