"""What the engine needs to know of an XGBoost model, whoever scores it.

A model file is not trusted: its outer structure is checked here before XGBoost reads it, because XGBoost
ends the process on some damaged files (an empty one, for instance).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import ModelError
from engine.forest import ubjson
from engine.forest.texts import kept_texts

MOST_BYTES = 2**31
"""The largest model that is read."""

_EXPECTED = 'expected an XGBoost model saved by booster.save_model("model.ubj") or ("model.json")'

_LOOKS_LIKE = (
    (b"\x80", "it looks like a pickle, which can run any code; load it where it is trusted, then save it"),
    (b"binf", "it is XGBoost's old binary format; load it with XGBoost < 3.1 and save it again"),
    (b"bs64", "it is XGBoost's old binary format; load it with XGBoost < 3.1 and save it again"),
    (b"\x1f\x8b", "it is compressed by gzip; unpack it first"),
    (b"PK\x03\x04", "it is a zip archive; unpack it first"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself; run `git lfs pull`"),
    (b"tree\nversion", "it looks like a LightGBM model"),
    (b"[", "it looks like booster.get_dump(format='json'), which can't be loaded again"),
    (b"<", "it looks like a web page or XML"),
)


@dataclass(frozen=True)
class Model:
    """The facts of one XGBoost model.

    Parameters
    ----------
    ubj : bytes
        The model itself, in UBJSON.
    n_features, n_outputs, n_trees : int
        ``n_outputs`` counts the predictions of a row: 1 for multi:softmax, the classes for multi:softprob.
    objective : str
        Such as ``binary:logistic``.
    booster : {"gbtree", "dart", "gblinear"}
    base_score : str
        As saved: ``5E-1`` or ``[5E-1]``.
    num_class, n_targets : int
        ``num_class`` is 0 unless the objective has classes.
    feature_names : tuple of str
        Empty if the model was trained without.
    used : frozenset of int
        Features that some split reads.
    alphas : tuple of float
        The quantiles (or expectiles) predicted, for such objectives.
    categorical, vector_leaves : bool
        Whether some split is on a set of categories, and some tree gives several outputs.
    feature_types : tuple of str
        XGBoost's own, ``c`` for a category; empty if it was trained without.
    texts : tuple of tuple of str
        The categories of each feature in the order of their codes; empty if the model keeps none.
    best_iteration : int or None
        What early stopping noted. Predictions use all trees all the same.
    """

    ubj: bytes = field(repr=False)
    n_features: int
    n_outputs: int
    n_trees: int
    objective: str
    booster: str
    base_score: str
    num_class: int
    n_targets: int
    feature_names: tuple[str, ...] = ()
    used: frozenset[int] = frozenset()
    alphas: tuple[float, ...] = ()
    categorical: bool = False
    vector_leaves: bool = False
    feature_types: tuple[str, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()
    best_iteration: int | None = None

    @property
    def n_margins(self) -> int:
        """How many margins a row has: one for each class or target."""
        return max(self.num_class, self.n_targets, 1)

    def splits_categories(self, feature: int) -> bool:
        """Whether a feature is a category to the model."""
        return feature < len(self.feature_types) and self.feature_types[feature] == "c"


def read_model(data: bytes, where: str) -> Model:
    """The facts of a saved XGBoost model. UBJSON is read without importing XGBoost.

    Parameters
    ----------
    data : bytes
        The whole file: UBJSON or JSON.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        The bytes are no XGBoost model, or a damaged one.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> X = np.arange(8, dtype=np.float32).reshape(4, 2)
    >>> booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, [0, 0, 1, 1]), 3)
    >>> read_model(bytes(booster.save_raw("ubj")), "model.ubj").objective
    'reg:squarederror'
    """
    if not data:
        raise ModelError(f"{where} is empty; {_EXPECTED}")
    if len(data) > MOST_BYTES:
        raise ModelError(f"{where} has {len(data):,} bytes; at most {MOST_BYTES:,} are read")
    if data[:2] == b"{L":
        try:
            document = ubjson.parse(bytes(data))
        except ubjson.UBJSONError as error:
            raise ModelError(f"{where} is damaged or cut short: {error}; {_EXPECTED}") from error
        return _facts(document, bytes(data), where)
    if data.lstrip()[:1] == b"{":
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{where} is damaged or cut short JSON: {error}; {_EXPECTED}") from error
        _facts(document, b"", where)
        from engine.forest.xgb import load_booster

        # What is kept is UBJSON, whichever way it came, so one model has one version.
        return read_model(bytes(load_booster(bytes(data).lstrip(), where).save_raw("ubj")), where)
    raise ModelError(f"{where} {_beginning(data)}")


def _beginning(data: bytes) -> str:
    text = f"is no XGBoost model: it starts with {bytes(data[:12])!r}; {_EXPECTED}"
    hint = next((hint for start, hint in _LOOKS_LIKE if data.startswith(start)), "")
    return f"{text}\n  {hint}" if hint else text


def _facts(document: Any, ubj: bytes, where: str) -> Model:
    try:
        if isinstance(document, Mapping) and "Model" in document and "learner" not in document:
            raise ModelError(
                f"{where} holds a pickled booster's state, which only its own release reads; {_EXPECTED}"
            )
        if not isinstance(document, Mapping) or "learner" not in document:
            found = list(document)[:5] if isinstance(document, Mapping) else type(document).__name__
            raise ModelError(f"{where} is no XGBoost model: it has no 'learner', only {found}; {_EXPECTED}")
        return _learner(document["learner"], ubj)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{where} is no whole XGBoost model: {reason}; {_EXPECTED}") from error


def _learner(learner: Mapping[str, Any], ubj: bytes) -> Model:
    parameters = learner["learner_model_param"]
    objective = learner["objective"]
    name = str(objective["name"])
    n_features = int(parameters["num_feature"])
    num_class = int(parameters.get("num_class", 0))
    n_targets = int(parameters.get("num_target", 1))
    booster, grown = _grown(learner["gradient_booster"])
    trees = [] if booster == "gblinear" else list(grown["trees"])
    used: set[int] = set()
    categorical = vectors = False
    for number, tree in enumerate(trees):
        features = _split_features(tree, number, n_features)
        used.update(features)
        categorical = categorical or len(tree.get("categories_nodes", ())) > 0
        vectors = vectors or int(tree.get("tree_param", {}).get("size_leaf_vector", 0)) > 1
    best = learner.get("attributes", {}).get("best_iteration")
    return Model(
        ubj=ubj,
        n_features=n_features,
        n_outputs=1 if name == "multi:softmax" else max(num_class, n_targets, 1),
        n_trees=len(trees),
        objective=name,
        booster=booster,
        base_score=str(parameters["base_score"]),
        num_class=num_class,
        n_targets=n_targets,
        feature_names=tuple(map(str, learner.get("feature_names", ()))),
        used=frozenset(range(n_features)) if booster == "gblinear" else frozenset(used),
        alphas=_alphas(objective),
        categorical=categorical,
        vector_leaves=vectors,
        feature_types=tuple(map(str, learner.get("feature_types", ()))),
        texts=kept_texts(grown, n_features),
        best_iteration=int(best) if best is not None else None,
    )


def _grown(gradient_booster: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The booster, and the part that holds its trees."""
    name = str(gradient_booster["name"])
    if name == "dart":
        return name, gradient_booster["gbtree"]["model"]
    if name == "gbtree":
        # From XGBoost 3.4 on, DART is a gbtree with weights for its trees.
        model = gradient_booster["model"]
        dropped = bool(len(model.get("weight_drop", ())) or len(gradient_booster.get("weight_drop", ())))
        return "dart" if dropped else name, model
    if name == "gblinear":
        return name, {}
    raise ValueError(f"its booster is {name!r}, not gbtree, dart or gblinear")


def _split_features(tree: Mapping[str, Any], number: int, n_features: int) -> list[int]:
    left = np.asarray(tree["left_children"], np.int64)
    right = np.asarray(tree["right_children"], np.int64)
    features = np.asarray(tree["split_indices"], np.int64)
    n_nodes = len(left)
    lengths = {len(right), len(features), len(tree["split_conditions"]), len(tree["default_left"])}
    if not n_nodes or lengths != {n_nodes}:
        raise ValueError(f"the arrays of tree {number} have different lengths")
    inner = left != -1
    for children in (left[inner], right[inner]):
        if len(children) and (children.min() < 0 or children.max() >= n_nodes):
            raise ValueError(f"tree {number} has a child outside its {n_nodes} nodes")
    found = np.unique(features[inner]).tolist()
    if found and not 0 <= found[0] <= found[-1] < n_features:
        raise ValueError(f"tree {number} splits on feature {found[-1]}, but there are {n_features}")
    return found  # type: ignore[no-any-return]


def _alphas(objective: Mapping[str, Any]) -> tuple[float, ...]:
    for part, key in (("quantile_loss_param", "quantile_alpha"), ("expectile_loss_param", "expectile_alpha")):
        if part in objective:
            text = str(objective[part][key]).strip("[]() ")
            return tuple(float(item) for item in text.split(",") if item.strip())
    return ()
