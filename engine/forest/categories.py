"""Category columns as XGBoost takes them: each text is a code, its place in the training rows' vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from engine.errors import UserError
from engine.expr.graph import Expr
from engine.values import FIRST, Categories, FloatArray


def learn_texts(name: str, values: Categories) -> tuple[str, ...]:
    """The texts of the training rows, sorted.

    Raises
    ------
    UserError
        There are none.
    """
    counts = np.bincount(values.codes, minlength=FIRST + len(values.texts))[FIRST:]
    found = tuple(sorted(text for text, count in zip(values.texts, counts, strict=True) if count))
    if not found:
        raise UserError(f"no training row has a text for {name!r}: leave the column out")
    return found


def as_codes(values: Categories, texts: Sequence[str]) -> FloatArray:
    """The code of each row's text; NaN where it is missing or not among the texts.

    >>> as_codes(Categories(np.array([0, 2, 3], np.int32), ("AA", "UA")), ["UA"])
    array([nan, nan,  0.])
    """
    place = {text: float(i) for i, text in enumerate(texts)}
    table = np.array([nan, nan, *(place.get(text, nan) for text in values.texts)])
    return table[values.codes]


def code(x: Expr, texts: Sequence[str]) -> Expr:
    """The same as an expression."""
    return x.lookup({text: float(i) for i, text in enumerate(texts)}, missing=nan, unknown=nan)
