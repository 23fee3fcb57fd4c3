"""What the footer of a Parquet file says, moved to another file (https://github.com/apache/parquet-format)."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from engine.runtime.io.thrift import (
    I32,
    I64,
    LIST,
    STRUCT,
    Struct,
    ThriftError,
    Value,
    read_integer,
    read_struct,
    read_structs,
    write_integer,
    write_list,
    write_struct,
)

MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
LARGEST_FOOTER = 256 << 20
"""A hundred columns in ten thousand row groups take as much."""
_LARGEST_ORDINAL = (1 << 15) - 1

# numbers of fields, as src/main/thrift/parquet.thrift has them
_NUM_ROWS, _ROW_GROUPS, _ENCRYPTION = 3, 4, 8  # FileMetaData
_COLUMNS, _GROUP_ROWS, _GROUP_OFFSET, _ORDINAL = 1, 3, 5, 7  # RowGroup
_FILE_PATH, _CHUNK_OFFSET, _META, _INDEX_OFFSET, _INDEX_LENGTH, _COLUMN_INDEX, _CRYPTO = 1, 2, 3, 4, 5, 6, 8
_COMPRESSED_SIZE, _DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER = (
    7,
    9,
    10,
    11,
    14,
)  # ColumnMetaData
_LOCATIONS, _LOCATION_OFFSET = 1, 1  # OffsetIndex, PageLocation


class UnfitError(Exception):
    """Why a file can't be joined with others."""


class Footer:
    """The footer of one file.

    Parameters
    ----------
    file : pyarrow.NativeFile
        Can be read anywhere.

    Attributes
    ----------
    fields : Struct
        FileMetaData.
    start : int
        Where the footer begins, and the pages and what belongs to them end.
    rows : int

    Raises
    ------
    ThriftError
        The footer is damaged.
    UnfitError
        The file is encrypted, or isn't Parquet.
    """

    def __init__(self, file: pa.NativeFile) -> None:
        self._file = file
        self.fields, self.start = _read(file)
        self._groups = list(read_structs(field(self.fields, _ROW_GROUPS)))
        self.rows = sum(_size(group, _GROUP_ROWS) for group in self._groups)
        said = _size(self.fields, _NUM_ROWS)
        if said != self.rows:
            raise ThriftError(f"it says {said:,} rows, its row groups have {self.rows:,}")

    def moved(self, by: int, indexes: int, ordinal: int) -> tuple[list[bytes], bytes]:
        """The row groups that have rows, for a file in which they lie so many bytes behind.

        Parameters
        ----------
        by : int
        indexes : int
            Where in the new file the indexes of pages will lie, which say where pages are and so change, too.
        ordinal : int
            The number of the first group.

        Returns
        -------
        list of bytes
            A RowGroup each.
        bytes
            The indexes.

        Raises
        ------
        ThriftError
        UnfitError
            A column is encrypted, or lies in another file.
        """
        groups: list[bytes] = []
        tail = bytearray()
        for read in self._groups:
            if not _size(read, _GROUP_ROWS):
                continue
            group = dict(read)
            columns = read_structs(field(group, _COLUMNS))
            group[_COLUMNS] = (
                LIST,
                write_list(self._column(column, by, indexes, tail) for column in columns),
            )
            self._move(group, _GROUP_OFFSET, by)
            if ordinal + len(groups) > _LARGEST_ORDINAL:
                group.pop(_ORDINAL, None)
            elif _ORDINAL in group:
                group[_ORDINAL] = (group[_ORDINAL][0], write_integer(ordinal + len(groups)))
            groups.append(write_struct(group))
        return groups, bytes(tail)

    def _column(self, column: Struct, by: int, indexes: int, tail: bytearray) -> bytes:
        """A ColumnChunk, moved; the index of its pages is put behind those of others."""
        if _CRYPTO in column:
            raise UnfitError("a column is encrypted, and what is encrypted can't be joined")
        if _FILE_PATH in column:
            raise UnfitError("a column lies in another file; join files that hold all of their columns")
        kind, raw = field(column, _META)
        if kind != STRUCT:
            raise ThriftError(f"a value of kind {kind} is where a struct belongs")
        meta, _ = read_struct(raw)
        starts = [_size(meta, place) for place in (_DATA_PAGE, _DICTIONARY_PAGE) if place in meta]
        if min(filter(None, starts), default=0) + _size(meta, _COMPRESSED_SIZE) > self.start:
            raise ThriftError("the pages of a column would reach into it")
        for place in (_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER):
            self._move(meta, place, by)
        column[_META] = (STRUCT, write_struct(meta))
        for place in (_CHUNK_OFFSET, _COLUMN_INDEX):
            self._move(column, place, by)
        if _INDEX_OFFSET in column:
            start, length = _size(column, _INDEX_OFFSET), _size(column, _INDEX_LENGTH)
            if start + length > self.start or len(tail) + length > min(self.start, LARGEST_FOOTER):
                raise ThriftError("the indexes of pages would reach into it or are as large as the file")
            index = self._index(self._file.read_at(length, start), by)
            column[_INDEX_OFFSET] = (I64, write_integer(indexes + len(tail)))
            column[_INDEX_LENGTH] = (I32, write_integer(len(index)))
            tail += index
        return write_struct(column)

    def _index(self, raw: bytes, by: int) -> bytes:
        """An OffsetIndex, moved."""
        index, _ = read_struct(raw)
        pages = read_structs(field(index, _LOCATIONS))
        index[_LOCATIONS] = (LIST, write_list(map(write_struct, self._all_moved(pages, by))))
        return write_struct(index)

    def _all_moved(self, pages: Iterator[Struct], by: int) -> Iterator[Struct]:
        for page in pages:
            self._move(page, _LOCATION_OFFSET, by)
            yield page

    def _move(self, struct: Struct, number: int, by: int) -> None:
        """Move a place in the file; zero, where the magic lies, says that there is none."""
        if number not in struct:
            return
        place = _size(struct, number)
        if place > self.start:
            raise ThriftError(f"it names byte {place:,} of the file, where no page is")
        if place:
            struct[number] = (struct[number][0], write_integer(place + by))


def field(struct: Struct, number: int) -> Value:
    """A field that must be there.

    Raises
    ------
    ThriftError
    """
    if number not in struct:
        raise ThriftError(f"a struct lacks field {number}")
    return struct[number]


def _size(struct: Struct, number: int) -> int:
    """A count, or a place in the file."""
    found = read_integer(field(struct, number))
    if found < 0:
        raise ThriftError(f"field {number} is {found:,}, and can't be less than 0")
    return found


def _read(file: pa.NativeFile) -> tuple[Struct, int]:
    """What the footer says, and where it begins."""
    size = file.size()
    smallest = len(MAGIC) + 4 + len(MAGIC)
    head = file.read_at(len(MAGIC), 0)
    tail = file.read_at(4 + len(MAGIC), max(size - 4 - len(MAGIC), 0))
    if _ENCRYPTED in (head, tail[4:]):
        raise UnfitError("it is encrypted, and what is encrypted can't be joined")
    if size < smallest or head != MAGIC or tail[4:] != MAGIC:
        raise UnfitError("it doesn't begin and end as Parquet files do, with PAR1")
    length = int.from_bytes(tail[:4], "little")
    if length > min(size - smallest, LARGEST_FOOTER):
        raise ThriftError(f"it says {length:,} bytes, in a file of {size:,}, of {LARGEST_FOOTER:,} at most")
    start = size - len(tail) - length
    footer, end = read_struct(file.read_at(length, start))
    if _ENCRYPTION in footer:
        raise UnfitError("it has encrypted columns, and what is encrypted can't be joined")
    if end != length:
        raise ThriftError(f"it says {length:,} bytes and has {end:,}")
    return footer, start
