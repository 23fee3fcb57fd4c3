"""Parquet files of one schema made one, without a page being decoded.

Pages don't say where they lie: the bytes of row groups are copied as they are, and a footer is written that
has all of them, with each place moved.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest

import pyarrow as pa
import pyarrow.types as pt

from engine.errors import DataError, listing
from engine.runtime.io.files import reason
from engine.runtime.io.parquet_footer import LARGEST_FOOTER, MAGIC, Footer, UnfitError, field
from engine.runtime.io.thrift import (
    I64,
    LIST,
    Struct,
    ThriftError,
    Value,
    read_binary,
    read_structs,
    write_integer,
    write_list,
    write_struct,
)

_CHUNK = 4 << 20

# numbers of fields, as src/main/thrift/parquet.thrift has them
_SCHEMA, _NUM_ROWS, _ROW_GROUPS, _KEY_VALUES, _ORDERS = 2, 3, 4, 5, 7  # FileMetaData
_REPETITION, _NAME = 3, 4  # SchemaElement
_KEY, _VALUE = 1, 2  # KeyValue
_NONE: Value = (0, b"")


def join_parquet(parts: Iterable[Callable[[], pa.NativeFile]], output: pa.NativeFile) -> int:
    """Write the row groups of several Parquet files as one file, in order.

    The schema, the key-value metadata and all else that a footer says of a file as a whole are those of the
    first part. Row groups without rows are left out.

    Parameters
    ----------
    parts : iterable of callable
        Each opens a part, which can be read anywhere; it is closed when it is copied.
    output : pyarrow.NativeFile
        Open for writing, with nothing written yet. It is left open.

    Returns
    -------
    int
        The rows of all parts.

    Raises
    ------
    DataError
        A part can't be read, is damaged or encrypted, or has another schema than the first; there is no part.
    OSError
        What is joined can't be written.

    Examples
    --------
    >>> import pyarrow.parquet as pq
    >>> def part(numbers):
    ...     file = pa.BufferOutputStream()
    ...     pq.write_table(pa.table({"n": numbers}), file)
    ...     return lambda: pa.BufferReader(file.getvalue())
    >>> joined = pa.BufferOutputStream()
    >>> join_parquet([part([1, 2]), part([3])], joined)
    3
    >>> pq.read_table(joined.getvalue())["n"].to_pylist()
    [1, 2, 3]
    """
    first: Struct | None = None
    groups: list[bytes] = []
    rows = 0
    output.write(MAGIC)
    at = len(MAGIC)
    for number, open_part in enumerate(parts, 1):
        with _reading(number):
            file = open_part()
        with file:
            with _reading(number):
                part = Footer(file)
                if first is None:
                    first = part.fields
                _check_same(first, part.fields)
            if not part.rows:
                continue
            indexes = at + part.start - len(MAGIC)
            with _reading(number):
                moved, tail = part.moved(at - len(MAGIC), indexes, len(groups))
            for chunk in _chunks(file, part.start, number):
                output.write(chunk)
            output.write(tail)
        at = indexes + len(tail)
        groups += moved
        rows += part.rows
    if first is None:
        raise DataError("there is no Parquet file to join; give at least one, which may have no rows")
    first[_NUM_ROWS] = (I64, write_integer(rows))
    first[_ROW_GROUPS] = (LIST, write_list(groups))
    footer = write_struct(first)
    if len(footer) > LARGEST_FOOTER:
        raise DataError(
            f"the joined file would have a footer of {len(footer):,} bytes for {len(groups):,} row groups, "
            f"at most {LARGEST_FOOTER:,} are read; join fewer files"
        )
    output.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
    return rows


def _check_same(first: Struct, other: Struct) -> None:
    """Refuse a footer of other columns: pages would be taken for what they aren't."""
    one, two = _arrow_schema(first), _arrow_schema(other)
    if one != two:
        try:
            _check_same_types(_decoded(one), _decoded(two))
        except UnicodeDecodeError as error:
            raise UnfitError(f"a name of its columns or of the first's is no text: {error}") from None
    if field(first, _SCHEMA) != field(other, _SCHEMA):
        pairs = zip_longest(read_structs(first[_SCHEMA]), read_structs(other[_SCHEMA]))
        for place, (ours, theirs) in enumerate(pairs):
            if place == 0 and ours and theirs:  # the root, which is named and marked as its writer likes
                ours, theirs = ({**root, _NAME: _NONE, _REPETITION: _NONE} for root in (ours, theirs))
            if not ours or not theirs or (place == 0 and ours != theirs):
                raise UnfitError("it has another number of columns than the first")
            if ours != theirs:
                name = read_binary(field(theirs, _NAME)).decode(errors="replace")
                raise UnfitError(f"its column '{name}' is stored as another type than in the first")
    if first.get(_ORDERS) != other.get(_ORDERS):
        raise UnfitError("its least and greatest values are of another order than in the first")


def _check_same_types(one: pa.Schema, two: pa.Schema) -> None:
    """Refuse other columns; whether text is read as dictionaries is as the first has it."""
    if one.names != two.names:
        raise UnfitError(f"it has the columns {listing(two.names)}, the first has {listing(one.names)}")
    for ours, theirs in zip(one, two, strict=True):
        kinds = [
            f"{column.type.value_type if pt.is_dictionary(column.type) else column.type}"
            f"{'' if column.nullable else ' not null'}"
            for column in (ours, theirs)
        ]
        if kinds[0] != kinds[1]:
            raise UnfitError(f"its column '{ours.name}' is {kinds[1]}, in the first it is {kinds[0]}")


def _arrow_schema(footer: Struct) -> bytes | None:
    """The text by which Arrow knows the types of the columns, if there is one."""
    for pair in read_structs(footer[_KEY_VALUES]) if _KEY_VALUES in footer else ():
        if read_binary(field(pair, _KEY)) == b"ARROW:schema":
            return read_binary(field(pair, _VALUE))
    return None


def _decoded(text: bytes | None) -> pa.Schema:
    if text is None:
        raise UnfitError(
            "either it or the first says nothing of Arrow's types (ARROW:schema), the other does"
        )
    try:
        return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, pa.ArrowException) as error:
        raise UnfitError(
            f"its types or those of the first (ARROW:schema) are damaged: {reason(error)}"
        ) from None


def _chunks(file: pa.NativeFile, end: int, number: int) -> Iterator[pa.Buffer]:
    """The bytes between the magic and the footer."""
    file.seek(len(MAGIC))
    left = end - len(MAGIC)
    while left:
        with _reading(number):
            chunk = file.read_buffer(min(_CHUNK, left))
            if not chunk.size:
                raise UnfitError("it became shorter while it was read")
        yield chunk
        left -= chunk.size


@contextmanager
def _reading(number: int) -> Iterator[None]:
    """Say which part can't be joined, and why."""
    try:
        yield
    except ThriftError as error:
        raise DataError(f"part {number}: its footer is damaged: {error}") from None
    except UnfitError as error:
        raise DataError(f"part {number}: {error}") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"part {number}: can't be read: {reason(error)}") from None
