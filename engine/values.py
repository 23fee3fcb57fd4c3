"""Columns in memory, as every part hands them on.

==========  ===========================================================
kind        values of ``n`` rows
==========  ===========================================================
number      float64 ``(n,)``; missing is NaN. A model's scores: float32
boolean     bool ``(n,)``
timestamp   int64 ``(n,)``, µs since 1970 in UTC; missing is ``NAT``
category    `Categories`
==========  ===========================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.schema import Kind

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
CodeArray: TypeAlias = NDArray[np.int32]

NAT = -(2**63)
"""The missing timestamp."""

MISSING = 0
"""The code of a missing category."""
UNKNOWN = 1
"""The code of a category outside the vocabulary."""
FIRST = 2
"""The code of the vocabulary's first text; the others follow in order."""

SLOTS: Mapping[Kind, str] = {
    Kind.NUMBER: "d",
    Kind.BOOLEAN: "?7x",
    Kind.CATEGORY: "i4x",
    Kind.TEXT: "i4x",
    Kind.TIMESTAMP: "q",
}
"""`struct` formats of one value in a row's 8-byte slot; text that is passed on has a category's codes."""


@dataclass(frozen=True, slots=True)
class Categories:
    """A category column: a code for each row and what the codes stand for.

    Parameters
    ----------
    codes : int32 array, shape (n,)
        0 is missing, 1 is a text outside ``texts``, ``2 + i`` is ``texts[i]``.
    texts : tuple of str
        The vocabulary, without repetition.
    """

    codes: CodeArray
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[Any]) -> Categories:
        """The rows at these positions (or where a mask is true)."""
        return Categories(self.codes[rows], self.texts)


Values: TypeAlias = NDArray[Any] | Categories
"""The values of one column: an array of the dtype above, or `Categories`."""


def take(values: Values, rows: NDArray[Any]) -> Values:
    """The rows at these positions (or where a mask is true)."""
    return values.take(rows) if isinstance(values, Categories) else values[rows]


@dataclass(frozen=True, slots=True)
class BadValue:
    """A value that its input refuses.

    Parameters
    ----------
    row : int
        Position in the table that was decoded, from 0.
    column : str
    code : str
        ``missing``, ``invalid`` or ``unknown``.
    message : str
        What was found and what was expected.
    fatal : bool
        The input's policy is ``fail``: the run stops. Otherwise the row is rejected.
    """

    row: int
    column: str
    code: str
    message: str
    fatal: bool = False
