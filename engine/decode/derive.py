"""Numbers that follow from the text of an input: see `engine.expr.derived`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from engine.decode import scalar
from engine.decode.arrow import spread, valid_text
from engine.decode.readers import PYTHON, Readers
from engine.decode.row import RowDecoder
from engine.expr.derived import Derived, InputKey
from engine.schema import Input
from engine.values import FloatArray


def by_source(needed: Iterable[InputKey]) -> dict[str, list[Derived]]:
    """What is derived from each input, among what is needed."""
    found: dict[str, list[Derived]] = {}
    for key in needed:
        if isinstance(key, Derived):
            found.setdefault(key.source, []).append(key)
    return found


class TextReader:
    """What is derived from one column of text; safe to use from several threads.

    Parameters
    ----------
    derived : sequence of Derived
        All from the same input.
    """

    def __init__(self, derived: Sequence[Derived]) -> None:
        self._derived = tuple(derived)
        # batches of one row group have one dictionary
        self._last: tuple[pa.Array, list[FloatArray]] | None = None

    def columns(self, chunks: Sequence[pa.Array], rows: int) -> dict[Derived, FloatArray]:
        """The columns, of the chunks of text as `engine.decode.arrow.plain` leaves them.

        A missing text, and one that is no UTF-8, has NaN.
        """
        parts = [self._chunk(chunk) for chunk in chunks]
        if not parts:
            return {key: np.full(rows, np.nan) for key in self._derived}
        if len(parts) == 1:
            return dict(zip(self._derived, parts[0], strict=True))
        joined = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return dict(zip(self._derived, joined, strict=True))

    def _chunk(self, chunk: pa.Array) -> list[FloatArray]:
        if pt.is_null(chunk.type):
            return [np.full(len(chunk), np.nan) for _ in self._derived]
        if pt.is_dictionary(chunk.type):
            return [spread(chunk, table) for table in self._tables(chunk.dictionary)]
        return self._numbers(chunk)

    def _tables(self, dictionary: pa.Array) -> list[FloatArray]:
        """The numbers of each text, and last that of a missing one."""
        last = self._last  # once: another thread may replace it
        if last is not None and last[0].equals(dictionary):
            return last[1]
        tables = [np.append(numbers, np.nan) for numbers in self._numbers(dictionary)]
        self._last = dictionary, tables
        return tables

    def _numbers(self, array: pa.Array) -> list[FloatArray]:
        texts = valid_text(array)
        gone = texts.is_null().to_numpy(zero_copy_only=False) if texts.null_count else None
        full = texts if gone is None else texts.fill_null("")
        found = [key.function.many(full) for key in self._derived]
        return found if gone is None else [np.where(gone, np.nan, numbers) for numbers in found]


def row_packer(
    inputs: Sequence[Input],
    needed: Collection[InputKey],
    vocabularies: Mapping[str, tuple[str, ...]],
    readers: Readers = PYTHON,
) -> Callable[[Mapping[str, Any]], bytes]:
    """`RowDecoder.pack`, of what is derived from text, too.

    Parameters
    ----------
    inputs : sequence of Input
    needed : collection of str or Derived
        What is derived stands together.
    vocabularies : mapping of str to tuple of str
    readers : Readers
        Whether the values are Python's or JSON's.
    """
    names = [key for key in needed if isinstance(key, str)]
    sources = by_source(needed)
    decoder = RowDecoder(inputs, names, vocabularies, sources, readers)
    if not sources:
        return decoder.pack
    pack_plain = decoder.pack
    derived = [key for key in needed if isinstance(key, Derived)]
    at = 8 * next(i for i, key in enumerate(needed) if isinstance(key, Derived))
    assert list(needed)[at // 8 : at // 8 + len(derived)] == derived
    pack_derived = struct.Struct(f"={len(derived)}d").pack
    read = [(name, [key.function.one for key in keys]) for name, keys in sources.items()]
    order = [derived.index(key) for keys in sources.values() for key in keys]
    places = [order.index(i) for i in range(len(order))]

    def pack(row: Mapping[str, Any]) -> bytes:
        packed = pack_plain(row)  # which refuses what is to be refused
        found: list[float] = []
        for name, functions in read:
            text = _text(row.get(name))
            found += [scalar.NAN if text is None else function(text) for function in functions]
        return packed[:at] + pack_derived(*[found[i] for i in places]) + packed[at:]

    return pack


def _text(value: Any) -> str | None:
    if type(value) is str and value.isascii():
        return value
    try:
        return scalar.utf8_text(value)
    except ValueError:
        return None
