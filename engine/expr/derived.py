"""Derived inputs: numbers that are a pure function of the text of one raw input.

Kernels know a category by its code and no text at all, so such numbers are computed where values come in
(`engine.decode`), once for each text of a dictionary, and are then inputs like any other: a leaf
``("input", Derived(…))`` is a float64 column, missing where the text is.

A function is a frozen dataclass; `engine.expr.texts` has the built-in ones. It is its class and parameters,
which follow from the options and the version of the stage that asks for it, and so the pipeline's version
covers them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from engine.values import FIRST, UNKNOWN, Categories, FloatArray, Values


class TextFunction(Protocol):
    """A number for each text: a frozen dataclass, whose fields are hashable.

    ``many`` and ``one`` give the same bits for the same text.
    """

    def check(self) -> Iterable[str]:
        """What is wrong with the parameters, a sentence each."""
        ...

    def many(self, texts: Any) -> FloatArray:
        """The numbers, float64 ``(n,)``, of a ``pyarrow.LargeStringArray``: UTF-8, and nothing null."""
        ...

    def one(self, text: str) -> float:
        """The number of one text, which UTF-8 can hold."""
        ...


@dataclass(frozen=True, slots=True)
class Derived:
    """A number column that follows from the text of an input.

    Parameters
    ----------
    source : str
        The input.
    function : TextFunction

    Examples
    --------
    >>> from engine.expr.texts import Contains
    >>> str(Derived("tailnum", Contains("N7")))
    "contains(tailnum, pattern='N7')"
    """

    source: str
    function: TextFunction

    def __str__(self) -> str:
        fields: Any = dataclasses.fields(self.function)  # type: ignore[arg-type]
        given = [(field, getattr(self.function, field.name)) for field in fields]
        said = [f"{field.name}={value!r}" for field, value in given if value != field.default]
        return f"{type(self.function).__name__.lower()}({', '.join([self.source, *said])})"


InputKey: TypeAlias = str | Derived
"""What a program reads: an input, or what is derived from one."""


def source_of(key: InputKey) -> str:
    """The input that has to be read."""
    return key.source if isinstance(key, Derived) else key


def numbers_of(function: TextFunction, texts: Sequence[str]) -> FloatArray:
    """The number of each text.

    >>> from engine.expr.texts import Length
    >>> numbers_of(Length(), ["N14228", ""])
    array([6., 0.])
    """
    import pyarrow as pa

    return function.many(pa.array(texts, pa.large_string()))


def column_of(key: InputKey, columns: Mapping[str, Values]) -> Values:
    """A column, or what is derived from a category column, all of whose texts are known."""
    if not isinstance(key, Derived):
        return columns[key]
    source = columns[key.source]
    assert isinstance(source, Categories) and not (source.codes == UNKNOWN).any()
    table = np.full(FIRST + len(source.texts), np.nan)
    table[FIRST:] = numbers_of(key.function, source.texts)
    return table[source.codes]
