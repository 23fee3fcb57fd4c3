"""Arrow arrays to columns in memory, one function for each kind.

Each takes an array of one of the kind's `family` and gives values of shape ``(n,)`` with the refused ones
marked; a refused value has the kind's missing value in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.decode.messages import describe
from engine.decode.scalar import FIRST_TIME, LAST_TIME, OUTSIDE
from engine.schema import Kind
from engine.values import FIRST, MISSING, NAT, UNKNOWN, CodeArray, Stored

_DAY = 86_400_000_000

# Extension types whose values are something: as Python has them, so it is in a table.
_EXTENSIONS = {"arrow.bool8": pa.bool_(), "arrow.json": pa.string()}

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TO_MICROS = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}


@dataclass(frozen=True, slots=True)
class Found:
    """The values of one array.

    Parameters
    ----------
    values : array, shape (n,)
        float64, int64 µs or int32 codes.
    invalid : mapping of int to str
        What was found in each row whose value is not of the kind.
    """

    values: NDArray[Any]
    invalid: Mapping[int, str] = field(default_factory=dict)


def plain(array: pa.Array) -> pa.Array:
    """The array as one of its values' own type.

    A known extension type is what it means, run ends and dictionaries are spelt out and views are copied;
    a dictionary of text stays one. An unknown extension type stays as it is: it is of no kind's family.
    """
    if pt.is_primitive(array.type):
        return array
    if isinstance(array, pa.ExtensionArray):
        known = _EXTENSIONS.get(array.type.extension_name)
        if known is None:
            return array
        storage = plain(array.storage)
        return pc.not_equal(storage, 0) if pt.is_boolean(known) else storage
    if pt.is_run_end_encoded(array.type):
        runs = array.run_ends.to_numpy()
        places = np.searchsorted(runs, np.arange(array.offset, array.offset + len(array)), side="right")
        return plain(array.values).take(pa.array(places))
    if pt.is_dictionary(array.type):
        kind = array.type.value_type
        if pt.is_string(kind) or pt.is_large_string(kind):
            return array
        values = plain(array.dictionary)
        if is_text(values.type):
            return pa.DictionaryArray.from_arrays(array.indices, values)
        return values.take(array.indices)
    return array.cast(pa.large_string()) if pt.is_string_view(array.type) else array


def plain_text(array: pa.Array) -> pa.Array:
    """A column of text, however it is laid out, without a dictionary, too."""
    array = plain(array)
    return array.dictionary_decode() if pt.is_dictionary(array.type) else array


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type whose values a column of this type has."""
    if isinstance(kind, pa.BaseExtensionType):
        return _EXTENSIONS.get(kind.extension_name, kind)
    if pt.is_run_end_encoded(kind) or pt.is_dictionary(kind):
        return plain_type(kind.value_type)
    return kind


def take_rows(array: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    """Some rows of a column, in ascending order, of types, too, that Arrow can't take from."""
    try:
        return array.take(pa.array(rows))
    except pa.ArrowNotImplementedError:
        # of every type, neighbours can be cut out and joined
        ends = np.flatnonzero(np.diff(rows, append=-1) != 1) + 1
        starts = [0, *ends[:-1].tolist()]
        runs = [
            array.slice(int(rows[start]), end - start)
            for start, end in zip(starts, ends.tolist(), strict=False)
        ]
        return pa.concat_arrays(runs) if runs else array.slice(0, 0)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds UTF-8 text."""
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def fits(kind: Kind, arrow: pa.DataType) -> bool:
    """Whether a column of this Arrow type is of the family of a kind."""
    arrow = plain_type(arrow)
    if pt.is_null(arrow):
        return True
    if kind is Kind.NUMBER:
        counted = pt.is_integer(arrow) or pt.is_floating(arrow) or pt.is_decimal(arrow)
        return bool(counted or pt.is_boolean(arrow) or pt.is_duration(arrow) or pt.is_time(arrow))
    if kind is Kind.TIMESTAMP:
        return bool(pt.is_timestamp(arrow) or pt.is_date(arrow))
    return is_text(arrow)


def family(arrow: pa.DataType) -> str:
    """What a type's values can stand for, so that two types of one family can take each other's place."""
    for kind in (Kind.NUMBER, Kind.TIMESTAMP, Kind.TEXT):
        if fits(kind, arrow) and not pt.is_null(arrow):
            return str(kind)
    return str(arrow)


def missing(kind: Kind, rows: int) -> NDArray[Any]:
    """``rows`` missing values of a kind."""
    if kind is Kind.NUMBER:
        return np.full(rows, np.nan)
    if kind is Kind.TIMESTAMP:
        return np.full(rows, NAT, dtype=np.int64)
    return np.full(rows, MISSING, dtype=np.int32)


def numbers(array: pa.Array) -> Found:
    """Integers, floats, decimals and booleans to float64, to nearest; durations and times in seconds."""
    if pt.is_duration(array.type) or pt.is_time(array.type):
        return Found(_seconds(array))
    if pt.is_decimal(array.type):
        # by way of text, as Python does: a direct cast isn't always the nearest
        array = pc.cast(array, pa.string())
    if not pt.is_float64(array.type):
        array = pc.cast(array, pa.float64(), safe=False)
    return Found(array.to_numpy(zero_copy_only=False))


def _seconds(array: pa.Array) -> NDArray[np.float64]:
    per_second = _PER_SECOND[array.type.unit]
    narrow = pt.is_time32(array.type)
    whole = array.view(pa.int32() if narrow else pa.int64()).cast(pa.int64())
    found: NDArray[np.float64] = whole.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    found = found / per_second
    exact = whole.fill_null(0).to_numpy()
    for place in np.flatnonzero((exact > 2**53) | (exact < -(2**53))).tolist():
        found[place] = int(exact[place]) / per_second  # to nearest once, not first as a float
    return found


def stored(array: pa.Array) -> Stored | None:
    """Integers and floats where they lie, without a copy; None for what has to be converted first."""
    kind = array.type
    if not (pt.is_integer(kind) or pt.is_float32(kind) or pt.is_float64(kind)):
        return None
    valid, data = array.buffers()
    first, dtype = array.offset, np.dtype(kind.to_pandas_dtype())
    values = np.frombuffer(data or b"", dtype)[first : first + len(array)]
    if valid is None or not array.null_count:
        return Stored(values)
    return Stored(values, np.frombuffer(valid, np.uint8), first)


def timestamps(array: pa.Array) -> Found:
    """Timestamps of any unit and zone, and dates, to int64 µs in UTC."""
    if pt.is_date32(array.type):
        up, down = _DAY, 1
        whole = pc.cast(array.view(pa.int32()), pa.int64())
    else:
        up, down = _TO_MICROS["ms" if pt.is_date64(array.type) else array.type.unit]
        whole = array.view(pa.int64())
    reach = pc.min_max(whole).as_py()
    values = (whole.fill_null(NAT) if whole.null_count else whole).to_numpy(zero_copy_only=False)
    first, last = FIRST_TIME * down // up, ((LAST_TIME + 1) * down - 1) // up
    invalid: dict[int, str] = {}
    if reach["min"] is not None and (reach["min"] < first or reach["max"] > last):
        outside = ((values < first) | (values > last)) & (values != NAT)
        invalid = dict.fromkeys(np.flatnonzero(outside).tolist(), OUTSIDE)
        values = np.where(outside, NAT, values)
    if down == 1 and not whole.null_count and not invalid and not pt.is_date64(array.type):
        values = values * up if up != 1 else values
    elif (up, down) != (1, 1):
        gone = values == NAT
        values = np.where(gone, 0, values) * up // down
        if pt.is_date64(array.type):
            values = values // _DAY * _DAY  # a date, whatever time of day its milliseconds tell
        values = np.where(gone, NAT, values)
    return Found(values, invalid)


def vocabulary(arrays: Sequence[pa.Array]) -> tuple[str, ...]:
    """The distinct texts of a column, sorted; what is no UTF-8 is left out."""
    found: set[str] = set()
    for array in arrays:
        if pt.is_null(array.type):
            continue
        encoded = array if pt.is_dictionary(array.type) else pc.dictionary_encode(array)
        texts = _utf8(encoded.dictionary)
        raw = pc.cast(encoded.dictionary, pa.large_binary()) if texts is None else texts
        found.update(text for text in raw.to_pylist() if isinstance(text, str))
    return tuple(sorted(found))


class Encoder:
    """Turns text arrays into int32 codes of a vocabulary.

    Parameters
    ----------
    texts : sequence of str
        The vocabulary.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._value_set = pa.array(texts, pa.large_string())
        # batches of one row group have one dictionary
        self._last: tuple[pa.Array, CodeArray] | None = None

    def codes(self, array: pa.Array) -> Found:
        """The code of every row."""
        if not self._texts and not pt.is_dictionary(array.type) and _utf8(array) is not None:
            there = array.is_valid().to_numpy(zero_copy_only=False)
            return Found(np.where(there, np.int32(UNKNOWN), np.int32(MISSING)))
        encoded = array if pt.is_dictionary(array.type) else pc.dictionary_encode(array)
        table = self._table(encoded.dictionary)
        return _some_invalid(encoded, self._texts) if table is None else Found(spread(encoded, table))

    def stored(self, array: pa.Array) -> Stored | None:
        """A dictionary's indices where they lie, and the code of each text; None for any other array."""
        if not pt.is_dictionary(array.type):
            return None
        table = self._table(array.dictionary)
        found = None if table is None else stored(array.indices)
        return None if found is None else replace(found, codes=table)

    def _table(self, dictionary: pa.Array) -> CodeArray | None:
        """The code of each text, and last of a missing one; None if some text is no UTF-8."""
        # A dictionary's order differs from batch to batch.
        last = self._last  # once: another thread may replace it
        if last is not None and last[0].equals(dictionary):
            return last[1]
        texts = _utf8(dictionary)
        if texts is None:
            return None
        table = np.full(len(texts) + 1, MISSING, dtype=np.int32)
        table[:-1] = _codes(pc.index_in(texts, value_set=self._value_set))
        if texts.null_count:
            table[:-1][texts.is_null().to_numpy(zero_copy_only=False)] = MISSING
        self._last = dictionary, table
        return table


def _codes(places: pa.Array) -> CodeArray:
    found = pc.add(places, FIRST).fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
    return found.astype(np.int32, copy=False)  # type: ignore[no-any-return]


def spread(encoded: pa.DictionaryArray, table: NDArray[Any]) -> NDArray[Any]:
    """The item of ``table`` for every row; its last item stands for null."""
    indices = encoded.indices
    if indices.null_count:
        indices = pc.cast(indices, pa.int64()).fill_null(len(table) - 1)
    spread: NDArray[Any] = table[indices.to_numpy(zero_copy_only=False)]
    return spread


def _utf8(texts: pa.Array) -> pa.Array | None:
    """Texts as ``large_string``; None if some of them are no UTF-8, whatever their type says."""
    try:
        return pc.cast(pc.cast(texts, pa.large_binary()), pa.large_string())
    except pa.ArrowInvalid:
        return None


def valid_text(array: pa.Array) -> pa.Array:
    """Texts as ``large_string``; null where they are no UTF-8."""
    texts = _utf8(array)
    if texts is not None:
        return texts
    raw = pc.cast(array, pa.large_binary()).to_pylist()
    return pa.array([cell if cell is None else _text_or_none(cell) for cell in raw], pa.large_string())


def _text_or_none(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _some_invalid(encoded: pa.DictionaryArray, texts: Sequence[str]) -> Found:
    known = {text: FIRST + i for i, text in enumerate(texts)}
    raw = pc.cast(encoded.dictionary, pa.large_binary())
    encoded = pa.DictionaryArray.from_arrays(encoded.indices, raw)

    def code(raw: bytes) -> int:
        return known.get(utf8(raw), UNKNOWN)

    return by_distinct(encoded, code, MISSING, np.dtype(np.int32))


def utf8(raw: str | bytes) -> str:
    """Text as it is, bytes as UTF-8.

    Raises
    ------
    ValueError
        They are no UTF-8.
    """
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError(f"bytes that are no UTF-8: {describe(raw)}") from None


def by_distinct(
    encoded: pa.DictionaryArray, read: Callable[[Any], float | int], gone: float | int, dtype: np.dtype[Any]
) -> Found:
    """The values of a dictionary-encoded array, of which ``read`` sees each distinct one once."""
    raw = encoded.dictionary.to_pylist()
    table = np.full(len(raw) + 1, gone, dtype=dtype)
    refused: dict[int, str] = {}
    for place, cell in enumerate(raw):
        if cell is None:
            continue
        try:
            table[place] = read(cell)
        except ValueError as error:
            refused[place] = str(error)
    values = spread(encoded, table)
    if not refused:
        return Found(values)
    places = spread(encoded, np.arange(len(raw) + 1))
    bad = np.flatnonzero(np.isin(places, np.fromiter(refused, dtype=np.int64)))
    return Found(values, {int(row): refused[int(places[row])] for row in bad})
