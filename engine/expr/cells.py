"""Tables of numbers that expressions index or search, and what a kernel holds of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Cells:
    """The numbers of a table.

    Parameters
    ----------
    shape : tuple of int
        One or two lengths.
    content : bytes
        float64, row by row.
    """

    shape: tuple[int, ...]
    content: bytes

    @staticmethod
    def of(values: ArrayLike) -> Cells:
        """The cells of an array.

        Raises
        ------
        TypeError, ValueError
            It isn't one of numbers in one or two dimensions.
        """
        array = np.asarray(values, np.float64)
        if array.ndim not in (1, 2):
            raise ValueError(f"a table has one or two dimensions, not {array.ndim}")
        return Cells(array.shape, np.ascontiguousarray(array).tobytes())

    @property
    def numbers(self) -> list[float]:
        """What a kernel holds: rows, columns (1 in one dimension), and the cells."""
        rows, columns = (*self.shape, 1)[:2]
        return [float(rows), float(columns), *np.frombuffer(self.content).tolist()]

    def count(self, values: Any) -> NDArray[np.float64]:
        """How many of the cells, which are sorted, are at or below each number; NaN where it is."""
        x = np.asarray(values, np.float64)
        found = np.searchsorted(np.frombuffer(self.content), x, side="right")
        return np.where(np.isnan(x), np.nan, found)

    def at(self, *indices: Any) -> NDArray[np.float64]:
        """The cells at these places, as numbers; NaN outside. A place between two is that before it."""
        inside: Any = True
        for index, length in zip(indices, self.shape, strict=True):
            inside = inside & (index >= 0) & (index < length)
        if not np.any(inside):
            return np.full(np.shape(inside), np.nan)
        places = tuple(np.where(inside, index, 0.0).astype(np.int64) for index in indices)
        array = np.frombuffer(self.content).reshape(self.shape)
        return np.where(inside, array[places], np.nan)
