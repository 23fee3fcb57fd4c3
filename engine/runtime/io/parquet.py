"""Parquet files, in and out."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
from msgspec.structs import replace

from engine.runtime.io.files import reading, writing
from engine.runtime.io.piece import Piece
from engine.runtime.io.reader import Head
from engine.runtime.io.storage import StoredFile

_BUFFER, _FAR_BUFFER = 1 << 20, 4 << 20
_GROUP_ROWS = 1 << 18
_ENCODED_ROWS = 1 << 14
"""Values that are encoded at a time; with the thousand of the default, what is done for each time counts."""


class ParquetReader:
    """Reads Parquet files in bounded memory and verifies the checksums of their pages."""

    text = False

    def head(self, file: StoredFile) -> Head:
        """The columns of a file, and how many rows it holds."""
        with reading(file, " as Parquet"), _open(file) as parquet:
            metadata = parquet.metadata
            groups = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
            return Head(parquet.schema_arrow, metadata.num_rows, groups)

    def cut(self, file: StoredFile, head: Head) -> Iterator[Piece]:
        """A piece for each row group."""
        whole, first = file.piece(), 0
        for group, rows in enumerate(head.groups):
            yield replace(whole, of="groups", start=group, stop=group + 1, rows=rows, first=first)
            first += rows

    def batches(
        self,
        file: StoredFile,
        pieces: Sequence[Piece],
        columns: Sequence[str],
        batch_rows: int,
        coded: Collection[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """The rows of pieces of a file, with these columns in this order."""
        with ExitStack() as stack:
            with reading(file, " as Parquet"):
                parquet = stack.enter_context(_open(file))
                groups = [group for piece in pieces for group in _groups(piece, parquet.num_row_groups)]
                lying = _lying_coded(parquet.metadata, groups, coded)
                if lying:
                    parquet = stack.enter_context(_open(file, lying, parquet.metadata))
            batches = parquet.iter_batches(
                batch_rows, row_groups=groups, columns=list(columns), use_threads=False
            )
            while True:
                with reading(file, " as Parquet"):
                    batch = next(batches, None)
                if batch is None:
                    return
                # asking for "a" also gives a column named "a.b"
                yield batch.select(list(columns))


class ParquetPart:
    """Writes one Parquet file, with a checksum for each page.

    Text may come dictionary-encoded; the file holds it as text all the same, and says so to readers.

    Parameters
    ----------
    file : Path
    schema : pyarrow.Schema
        What readers get.
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file = file
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None
        with writing(file):
            self._handle = pa.OSFile(str(file), "wb")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; they reach the file a row group at a time."""
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        if self._rows or self._writer is None:
            self._flush()
        with writing(self._file):
            assert self._writer is not None
            self._writer.close()
            self._handle.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        self._waiting = []
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._handle.close()

    def _flush(self) -> None:
        given = [
            _together([batch.column(i) for batch in self._waiting], field.type)
            for i, field in enumerate(self._schema)
        ]
        self._waiting, self._rows = [], 0
        with writing(self._file):
            if self._writer is None:
                self._writer = self._start([column.type for column in given])
            schema = self._writer.schema
            columns = [_as(column, field.type) for column, field in zip(given, schema, strict=True)]
            table = pa.Table.from_arrays(columns, schema=schema)
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def _start(self, kinds: Sequence[pa.DataType]) -> pq.ParquetWriter:
        # a score hardly ever repeats: a dictionary of scores costs time and makes the file larger
        coded = [field.name for field in self._schema if not pt.is_floating(field.type)]
        written = pa.schema([field.with_type(kind) for field, kind in zip(self._schema, kinds, strict=True)])
        # the least and greatest text of a dictionary's column cost four times as much as the column
        measured = [field.name for field in written if not pt.is_dictionary(field.type)]
        writer = pq.ParquetWriter(
            self._handle,
            written,
            write_page_checksum=True,
            write_batch_size=_ENCODED_ROWS,
            use_dictionary=coded or False,
            write_statistics=measured or False,
            store_schema=False,
        )
        # as the writer itself would store the schema: how the columns came is no matter of the reader's
        promised = base64.b64encode(self._schema.serialize().to_pybytes())
        writer.add_key_value_metadata({"ARROW:schema": promised.decode()})
        return writer


def check_columns(schema: pa.Schema) -> None:
    """Every Arrow type that is read can be written."""


@contextmanager
def _open(
    file: StoredFile, coded: Collection[str] = (), metadata: pq.FileMetaData | None = None
) -> Iterator[pq.ParquetFile]:
    # pre_buffer would hold the bytes of every row group until the file is closed
    with (
        file.open() as handle,
        pq.ParquetFile(
            handle,
            metadata=metadata,
            pre_buffer=False,
            buffer_size=_BUFFER if file.is_near else _FAR_BUFFER,
            page_checksum_verification=True,
            read_dictionary=list(coded),
        ) as parquet,
    ):
        yield parquet


def _groups(piece: Piece, count: int) -> range:
    """The row groups of a piece, of so many that the file has."""
    if piece.of == "file":
        return range(count)
    return range(piece.start, count if piece.stop is None else piece.stop)


def _lying_coded(metadata: pq.FileMetaData, groups: Sequence[int], names: Collection[str]) -> list[str]:
    """Columns whose text lies in these row groups as dictionaries: else to make them would cost more.

    Text itself takes four bytes a value and more.
    """
    schema = metadata.schema
    places = {i: path for i in range(metadata.num_columns) if (path := schema.column(i).path) in names}
    lying = dict.fromkeys(places.values(), bool(groups))
    for group in map(metadata.row_group, groups):
        for place, path in places.items():
            chunk = group.column(place)
            if not chunk.has_dictionary_page or chunk.total_uncompressed_size >= 4 * chunk.num_values:
                lying[path] = False
    return [name for name in names if lying.get(name)]


def _together(parts: Sequence[pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """Parts of a column; where some have dictionaries and some don't, none has."""
    if len({part.type for part in parts}) > 1:
        parts = [part if part.type == kind else part.cast(kind) for part in parts]
    return pa.chunked_array(parts, parts[0].type if parts else kind)


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in the type that is written; chunks that have dictionaries share one."""
    if pt.is_dictionary(kind):
        coded = column if pt.is_dictionary(column.type) else column.dictionary_encode()
        if any(chunk.dictionary.null_count for chunk in coded.chunks):  # such can't be made one
            coded = coded.cast(kind.value_type).dictionary_encode().cast(kind)
        return coded.unify_dictionaries()
    return column if column.type == kind else column.cast(kind)
