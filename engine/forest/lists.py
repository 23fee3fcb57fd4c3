"""Lists of numbers in a model's document as arrays, each checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.forest.faults import DamagedError


def whole(values: Any) -> NDArray[np.int64]:
    """An array of whole numbers from a document.

    Raises
    ------
    DamagedError
        Something else is there.
    """
    found = np.asarray(values)
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "iub"):
        raise DamagedError("a list of whole numbers holds something else")
    return found.astype(np.int64)


def numbers(values: Any) -> NDArray[np.float32]:
    """An array of float32 from a document, each number rounded once.

    Raises
    ------
    DamagedError
        Something else is there.
    """
    found = np.asarray(values)
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "iuf"):
        raise DamagedError("a list of numbers holds something else")
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


class Joined:
    """One list of every tree, in a row: an item for each node.

    Parameters
    ----------
    documents : sequence of mappings
        The trees.
    """

    def __init__(self, documents: Sequence[Mapping[str, Any]]) -> None:
        self.documents = documents
        self.lengths = [len(tree["left_children"]) for tree in documents]

    def whole(self, name: str, missing: int | None = None) -> NDArray[np.int64]:
        """The list of this name; ``missing`` stands for all items where a tree lacks it."""
        return self._join(name, whole, missing)

    def numbers(self, name: str) -> NDArray[np.float32]:
        """The list of this name."""
        return self._join(name, numbers, None)

    def _join(self, name: str, convert: Callable[[Any], NDArray[Any]], missing: int | None) -> NDArray[Any]:
        if missing is None:
            parts = [tree[name] for tree in self.documents]
        else:
            parts = [
                tree[name] if name in tree else np.full(length, missing)
                for tree, length in zip(self.documents, self.lengths, strict=True)
            ]
        if list(map(len, parts)) != self.lengths:
            raise DamagedError(f"the list {name!r} of a tree has not one item for each node")
        if {getattr(part, "dtype", None) for part in parts}.isdisjoint([None]):
            # UBJSON's arrays have types of their own, so all may be converted at once.
            return np.concatenate([convert(part) for part in _by_type(parts)])
        return np.concatenate([convert(part) for part in parts])


def _by_type(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    return [np.concatenate(parts)] if len({part.dtype for part in parts}) == 1 else parts
