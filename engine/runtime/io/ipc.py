"""Arrow IPC, in and out: files with a footer, and streams (https://arrow.apache.org/docs/format/Columnar.html)."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec.structs import replace

from engine.runtime.io.files import reading, writing
from engine.runtime.io.piece import Piece
from engine.runtime.io.reader import Head
from engine.runtime.io.storage import StoredFile

_MAGIC = b"ARROW1"
_PIECE_ROWS = 1 << 17


class IpcReader:
    """Reads Arrow IPC files and streams; each batch is validated, as files come from anywhere."""

    text = False

    def head(self, file: StoredFile) -> Head:
        """The columns of a file; how many rows it holds, its footer doesn't say."""
        with reading(file, " as Arrow IPC"), _open(file) as opened:
            return Head(opened.schema)

    def cut(self, file: StoredFile, head: Head) -> Iterator[Piece]:
        """Record batches, together about 131,072 rows a piece; a stream is one piece."""
        whole = file.piece()
        groups = self._rows(file, head.schema)
        if groups is None:
            yield whole
            return
        start, first, rows = 0, 0, 0
        for stop, more in enumerate(groups, 1):
            rows += more
            if rows >= _PIECE_ROWS or stop == len(groups):
                yield replace(whole, of="groups", start=start, stop=stop, rows=rows, first=first)
                start, first, rows = stop, first + rows, 0

    def batches(
        self,
        file: StoredFile,
        pieces: Sequence[Piece],
        columns: Sequence[str],
        batch_rows: int,
        coded: Collection[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """The rows of pieces of a file, with these columns in this order."""
        with reading(file, " as Arrow IPC"), _open(file) as opened:
            for batch in _groups(opened, pieces):
                batch.validate(full=True)
                spelt = [_without_null_texts(column) for column in batch.columns]
                batch = pa.RecordBatch.from_arrays(spelt, schema=batch.schema)
                for start in range(0, batch.num_rows, batch_rows):
                    yield batch.slice(start, batch_rows).select(list(columns))

    def _rows(self, file: StoredFile, schema: pa.Schema) -> list[int] | None:
        """The rows of each record batch; None: it is a stream. Of each, the smallest column is read."""
        sizes = [kind.bit_width if pt.is_primitive(kind) else sys.maxsize for kind in schema.types]
        smallest = [int(np.argmin(sizes))] if sizes else []
        with reading(file, " as Arrow IPC"), _open(file, smallest) as opened:
            if not isinstance(opened, pa.ipc.RecordBatchFileReader):
                return None
            return [opened.get_batch(i).num_rows for i in range(opened.num_record_batches)]


@contextmanager
def _open(file: StoredFile, fields: Sequence[int] = ()) -> Iterator[Any]:
    with file.open() as handle:
        is_file = handle.read(len(_MAGIC)) == _MAGIC
        handle.seek(0)
        options = pa.ipc.IpcReadOptions(included_fields=list(fields))
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(handle, options=options) as opened:
            yield opened


def _groups(opened: Any, pieces: Sequence[Piece]) -> Iterator[pa.RecordBatch]:
    """The record batches of pieces."""
    if not isinstance(opened, pa.ipc.RecordBatchFileReader):
        yield from opened
        return
    count = opened.num_record_batches
    for piece in pieces:
        stop = count if piece.stop is None else piece.stop
        for number in range(piece.start, stop) if piece.of == "groups" else range(count):
            yield opened.get_batch(number)


def _without_null_texts(column: pa.Array) -> pa.Array:
    """A dictionary without the null that it may hold: its rows are null by themselves, as everywhere else."""
    if not pt.is_dictionary(column.type) or not column.dictionary.null_count:
        return column
    there = column.dictionary.is_valid().to_numpy(zero_copy_only=False)
    places = pa.array(np.cumsum(there) - 1, column.type.index_type, mask=~there)
    return pa.DictionaryArray.from_arrays(
        places.take(column.indices), column.dictionary.drop_null(), ordered=column.type.ordered
    )


def _wide(kind: pa.DataType) -> pa.DataType:
    """A dictionary's type with room for any number of texts."""
    return pa.dictionary(pa.int32(), kind.value_type, kind.ordered) if pt.is_dictionary(kind) else kind


class IpcPart:
    """Writes one Arrow IPC file, compressed by LZ4.

    A file has one dictionary for each column, which may grow from batch to batch.

    Parameters
    ----------
    file : Path
    schema : pyarrow.Schema
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file = file
        # a dictionary grows from batch to batch, and needs room for its numbers
        self._schema = pa.schema([field.with_type(_wide(field.type)) for field in schema])
        with writing(file):
            self._handle = pa.OSFile(str(file), "wb")
            options = pa.ipc.IpcWriteOptions(compression="lz4", emit_dictionary_deltas=True)
            self._writer = pa.ipc.new_file(self._handle, self._schema, options=options)
        self._dictionaries: dict[int, pa.Array] = {}

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with writing(self._file):
            columns = [
                self._in_one_dictionary(place, column.cast(kind)) if pt.is_dictionary(kind) else column
                for place, (column, kind) in enumerate(zip(batch.columns, self._schema.types, strict=True))
            ]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def _in_one_dictionary(self, place: int, column: pa.DictionaryArray) -> pa.DictionaryArray:
        """The column in the dictionary of those before it, which gets what is new behind what it has."""
        known, own = self._dictionaries.get(place), column.dictionary
        if known is None or own.equals(known):
            self._dictionaries[place] = own
            return column
        new = own.filter(pc.is_null(pc.index_in(own, value_set=known)))
        known = self._dictionaries[place] = pa.concat_arrays([known, new])
        places = pc.index_in(own, value_set=known).cast(column.type.index_type)
        return pa.DictionaryArray.from_arrays(places.take(column.indices), known, ordered=column.type.ordered)

    def close(self) -> None:
        """Write the footer."""
        with writing(self._file):
            self._writer.close()
            self._handle.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        try:
            self._writer.close()
        finally:
            self._handle.close()


def check_columns(schema: pa.Schema) -> None:
    """Every Arrow type that is read can be written."""
