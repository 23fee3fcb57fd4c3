"""Preparation folded into a forest: splits on raw columns in place of splits on features made of them.

Four things go into the splits, and need not be computed any more. Each is exact, whatever the row holds:

* **A feature of one category input** (a one-hot column, ``k == 'red'``, a missing flag, arithmetic on them)
  has one value for each code of the vocabulary, so a split on it is a set of codes. All such features of an
  input become one: its code.
* **An imputation** ``where(isnan(x), c, x)`` becomes the default direction: that of ``c``.
* **A limit** (``clip``, ``min``, ``max`` with constants). Rounding to float32 keeps the order, so where ``t``
  lies within the limits, ``float32(clip(x)) < t`` just where ``float32(x) < t``; a threshold outside is
  decided for every number.

* **A monotone chain** with a logarithm or an exponential (`engine.forest.chains`): its thresholds become
  edges of the number under it. Those are float64 and a kernel compares float32, so the number is rounded to
  its side of each edge (`engine.expr.single`).

What is left under them becomes the feature; equal ones become one. Arithmetic alone stays: computing it costs
as little as rounding to edges. So do features of a category on which many different thresholds split, such as
ordinals: a set for each costs more than a search among them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.compile.passes import fold, share
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.expr.walk import leaves
from engine.forest.chains import COSTLY, place, read_fill, read_limits
from engine.forest.forest import Forest
from engine.forest.sizes import GREATEST_CATEGORY
from engine.schema import Kind
from engine.values import FIRST, MISSING, UNKNOWN, Categories

MOST_SETS = 4
"""Sets of categories that may replace one feature."""

_MOST_VALUES = 2**22
"""Values of features by code that are computed for a model: about a second."""
_MOST_EDGES = 2**15
"""Thresholds on chains whose edges are searched for: at most about a second."""
_CUT_OFF = np.float32(-np.inf)
"""The threshold that nothing is below."""


@dataclass(frozen=True)
class Folded:
    """A forest with preparation folded into it.

    Parameters
    ----------
    features : tuple of (str, Expr)
        What it reads instead, in order.
    forest : Forest
    note : str
        What was folded, for people.
    """

    features: tuple[tuple[str, Expr], ...]
    forest: Forest
    note: str


def fold_forest(
    forest: Forest,
    features: Mapping[int, tuple[str, Expr]],
    vocabularies: Mapping[str, Sequence[str]],
    most_sets: int = MOST_SETS,
    costly: Collection[str] = COSTLY,
) -> Folded | None:
    """The same model on fewer and simpler features; None where there is nothing to fold.

    Parameters
    ----------
    forest : Forest
    features : mapping of int to (str, Expr)
        Name and expression of every feature that a split reads, by its number.
    vocabularies : mapping of str to sequence of str
        What the codes of each category input stand for.
    most_sets : int
        Sets of categories that may replace one feature.
    costly : collection of str
        A monotone chain is folded where it holds one of these operators.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> from engine.expr.graph import where
    >>> from engine.forest.forest import read_document, read_forest
    >>> X = np.arange(8, dtype=np.float32).reshape(8, 1)
    >>> booster = xgboost.train({"max_depth": 1}, xgboost.DMatrix(X, X[:, 0]), 1)
    >>> forest = read_forest(read_document(bytes(booster.save_raw("ubj")), "model"), "model", (3, 2))
    >>> x = Expr.input("delay", Kind.NUMBER)
    >>> folded = fold_forest(forest, {0: ("filled", where(x.isnan(), 2.5, x))}, {})
    >>> folded.features, folded.note
    ((('filled', delay),), '1 imputation into default directions')
    """
    trees = forest.trees
    nodes = np.flatnonzero(trees.left >= 0)
    nodes = nodes[np.argsort(trees.feature[nodes], kind="stable")]
    numbers, starts = np.unique(trees.feature[nodes], return_index=True)
    parts = np.split(nodes, starts[1:]) if len(nodes) else []
    made = _Made(forest, [features[number] for number in range(forest.first_given, forest.n_features)])
    simple = share(fold([features[number][1] for number in numbers.tolist()]))
    for number, part, expr in zip(numbers.tolist(), parts, simple, strict=True):
        name = features[number][0]
        if (trees.category[part] >= 0).any():
            made.keep(number, part, name, expr)
        elif not made.by_category(part, expr, vocabularies, most_sets) and not made.by_order(
            part, name, expr, costly
        ):
            made.by_number(part, name, expr)
    return made.folded()


class _Made:
    """The new forest as it is made, feature by feature."""

    def __init__(self, forest: Forest, given: Sequence[tuple[str, Expr]]) -> None:
        trees = forest.trees
        self._given = tuple(given)
        self._forest = forest
        self._feature = trees.feature.copy()
        self._threshold = trees.threshold.copy()
        self._default_left = trees.default_left.copy()
        self._category = trees.category.copy()
        self._sets = list(trees.sets)
        self._numbered: dict[bytes, int] = {}
        self._features: dict[Any, tuple[int, str, Expr]] = {}
        self._columns: dict[str, int] = {}
        self._imputed = self._limited = self._chains = 0
        self._room = _MOST_VALUES
        self._edges = _MOST_EDGES

    def _number(self, key: Any, name: str, expr: Expr) -> int:
        return self._features.setdefault(key, (len(self._features), name, expr))[0]

    def _set(self, codes: NDArray[np.int64]) -> int:
        key = codes.tobytes()
        if key not in self._numbered:
            self._numbered[key] = len(self._sets)
            self._sets.append(codes)
        return self._numbered[key]

    def keep(self, number: int, nodes: NDArray[np.int64], name: str, expr: Expr) -> None:
        """Leave a feature as it is."""
        self._feature[nodes] = self._number(("kept", number), name, expr)

    def by_category(
        self, nodes: NDArray[np.int64], expr: Expr, vocabularies: Mapping[str, Sequence[str]], most_sets: int
    ) -> bool:
        """Make splits on a function of one category input splits on its code, if there are few sets."""
        found = leaves([expr])
        if len(found) != 1 or found[0].op != "input" or found[0].kind is not Kind.CATEGORY:
            return False
        column = found[0]
        texts = vocabularies[column.data]
        self._room -= FIRST + len(texts)
        if self._room < 0 or FIRST + len(texts) > GREATEST_CATEGORY:
            return False
        values = values_by_code(expr, column, texts)
        missing = np.isnan(values)
        # A threshold matters by which of the values are below it, a default if a code is missing.
        ordered = np.unique(values[~missing])
        below = np.searchsorted(ordered, self._threshold[nodes])
        asked = np.column_stack([below, self._default_left[nodes] & missing.any()])
        distinct, question = np.unique(asked, axis=0, return_inverse=True)
        if len(distinct) > most_sets:
            return False
        place = np.searchsorted(ordered, values)
        right = [np.flatnonzero(~np.where(missing, bool(left), place < count)) for count, left in distinct]
        code = column.lookup(
            {text: float(FIRST + i) for i, text in enumerate(texts)}, missing=MISSING, unknown=UNKNOWN
        )
        self._feature[nodes] = self._number(("code", column.data), column.data, code)
        self._category[nodes] = np.array([self._set(codes) for codes in right])[question.ravel()]
        self._threshold[nodes] = 0
        self._columns[column.data] = self._columns.get(column.data, 0) + 1
        return True

    def by_order(self, nodes: NDArray[np.int64], name: str, expr: Expr, costly: Collection[str]) -> bool:
        """Make splits on a monotone chain splits on what lies under it."""
        asked, which = np.unique(self._threshold[nodes], return_inverse=True)
        if len(asked) > self._edges:
            return False
        placed = place(expr, asked, costly)
        if placed is None:
            return False
        self._edges -= len(asked)
        self._chains += 1
        default_left = self._default_left[nodes]
        if not np.isnan(placed.missing):
            default_left = _single(placed.missing) < self._threshold[nodes]
        number = self._number(("chain", placed.key), name, placed.feature)
        self._split(nodes, number, placed.thresholds[which], default_left, placed.always[which])
        return True

    def by_number(self, nodes: NDArray[np.int64], name: str, expr: Expr) -> None:
        """Take imputations and limits off a number."""
        threshold, default_left = self._threshold[nodes], self._default_left[nodes]
        # where every number, but not necessarily a missing one, goes left
        always = np.zeros(len(nodes), bool)
        imputed = limited = False
        while True:
            if filled := read_fill(expr):
                expr, value = filled[0], _single(filled[1])
                if not np.isnan(value):
                    default_left = always | (value < threshold)
                imputed = True
            elif limits := read_limits(expr):
                expr, least, most = limits[0], _single(limits[1]), _single(limits[2])
                always = always | (most < threshold)
                threshold = np.where(least < threshold, threshold, _CUT_OFF)
                limited = True
            else:
                break
        self._imputed += imputed
        self._limited += limited
        self._split(nodes, self._number(("number", id(expr)), name, expr), threshold, default_left, always)

    def _split(
        self,
        nodes: NDArray[np.int64],
        feature: int,
        threshold: NDArray[np.float32],
        default_left: NDArray[np.bool_],
        always: NDArray[np.bool_],
    ) -> None:
        self._feature[nodes] = feature
        self._threshold[nodes] = np.where(always, np.float32(0), threshold)
        self._default_left[nodes] = default_left
        if always.any():
            # No number is in the empty set, +inf included; a threshold would send that one right.
            self._category[nodes[always]] = self._set(np.zeros(0, np.int64))

    def folded(self) -> Folded | None:
        """What came of it."""
        before = len(self._forest.used) - len(self._given)
        changed = self._columns or self._imputed or self._limited or self._chains
        if not changed and len(self._features) == before:
            return None
        trees = replace(
            self._forest.trees, feature=self._feature, threshold=self._threshold,
            default_left=self._default_left, category=self._category, sets=tuple(self._sets),
        )  # fmt: skip
        features = (*((name, expr) for _, name, expr in self._features.values()), *self._given)
        forest = replace(self._forest, trees=trees, n_features=len(features))
        return Folded(features, forest, self._note(before))

    def _note(self, before: int) -> str:
        said = []
        if self._columns:
            count = sum(self._columns.values())
            said.append(f"{_count(count, 'feature')} of {', '.join(self._columns)} into sets of categories")
        if self._imputed:
            said.append(f"{_count(self._imputed, 'imputation')} into default directions")
        if self._limited:
            said.append(f"{_count(self._limited, 'limit')} into thresholds")
        if self._chains:
            said.append(f"{_count(self._chains, 'monotone chain')} into thresholds")
        return "; ".join(said) or f"{before} features are {len(self._features)} different ones"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("s" if number != 1 else "")


def values_by_code(expr: Expr, column: Expr, texts: Sequence[str]) -> NDArray[np.float32]:
    """What a feature of one category column is for each of its codes.

    >>> colour = Expr.input("colour", Kind.CATEGORY)
    >>> flag = colour.lookup({"red": 1.0}, missing=float("nan"), unknown=0.0)
    >>> values_by_code(1 - flag, colour, ("blue", "red")).tolist()
    [nan, 1.0, 1.0, 0.0]
    """
    codes = np.arange(FIRST + len(texts), dtype=np.int32)
    leaf = {(column.op, column.data): Categories(codes, tuple(texts))}
    (values,) = interpret([expr], leaf, len(codes))
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


def _single(value: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(value)
