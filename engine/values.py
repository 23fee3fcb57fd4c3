"""Columns in memory, as every part hands them on.

==========  ===========================================================
kind        values of ``n`` rows
==========  ===========================================================
number      float64 ``(n,)``; missing is NaN. A model's scores: float32.
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


@dataclass(frozen=True, slots=True)
class Stored:
    """Numbers, or categories, as Arrow stores them; a compiled program reads them as they are.

    Parameters
    ----------
    values : array of integers, float32 or float64, shape (n,)
        Numbers, or places in ``codes``. What lies where a value is missing means nothing.
    valid : uint8 array or None
        A bit for each value that is there, from the lowest up; None: all are.
    first : int
        The bit of the first value.
    codes : int32 array or None
        Of a category: the code of each text of its dictionary, and last that of a missing one.
    """

    values: NDArray[Any]
    valid: NDArray[np.uint8] | None = None
    first: int = 0
    codes: CodeArray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def plain(self) -> FloatArray | CodeArray:
        """The same numbers as float64, missing as NaN; the same categories as codes.

        >>> Stored(np.array([5, 6, 7]), np.array([0b1010], np.uint8), 1).plain()
        array([ 5., nan,  7.])
        """
        there = np.ones(len(self), bool)
        if self.valid is not None:
            bits = np.unpackbits(self.valid, bitorder="little")
            there = bits[self.first : self.first + len(self)].astype(bool)
        if self.codes is None:
            return np.where(there, self.values.astype(np.float64), np.nan)
        return self.codes[np.where(there, self.values, len(self.codes) - 1)]


Values: TypeAlias = NDArray[Any] | Categories
"""The values of one column: an array of the dtype above, or `Categories`."""


def take(values: Values, rows: NDArray[Any]) -> Values:
    """The rows at these positions (or where a mask is true)."""
    return values.take(rows) if isinstance(values, Categories) else values[rows]


FILTERED = "filtered"
"""The code of a row that a filter refuses."""


@dataclass(frozen=True, slots=True)
class BadValue:
    """A value that its input refuses, or a row that a filter does.

    Parameters
    ----------
    row : int
        Position in the table that was decoded, from 0.
    column : str
        The input; of a filter, the first column that it selects (empty: none).
    code : str
        ``missing``, ``invalid``, ``unknown`` or ``filtered``.
    message : str
        What was found and what was expected, or the filter's reason.
    fatal : bool
        The input's policy is ``fail``: the run stops. Otherwise the row is rejected.
    """

    row: int
    column: str
    code: str
    message: str
    fatal: bool = False
