"""Parquet files, in and out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from engine.runtime.io.files import reading, writing

_BUFFER = 1 << 20
_GROUP_ROWS = 1 << 18


class ParquetReader:
    """Reads Parquet files in bounded memory and verifies the checksums of their pages."""

    text = False

    def schema(self, file: Path) -> pa.Schema:
        """The columns of a file."""
        with reading(file, " as Parquet"), _open(file) as parquet:
            return parquet.schema_arrow

    def rows(self, file: Path) -> int | None:
        """How many rows a file holds."""
        with reading(file, " as Parquet"), _open(file) as parquet:
            return int(parquet.metadata.num_rows)

    def batches(
        self, file: Path, columns: Sequence[str], batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a file, with these columns in this order."""
        with reading(file, " as Parquet"):
            parquet = _open(file, coded)
        with parquet:
            batches = parquet.iter_batches(batch_rows, columns=list(columns), use_threads=False)
            while True:
                with reading(file, " as Parquet"):
                    batch = next(batches, None)
                if batch is None:
                    return
                # asking for "a" also gives a column named "a.b"
                yield batch.select(list(columns))


class ParquetPart:
    """Writes one Parquet file, with a checksum for each page.

    Parameters
    ----------
    file : Path
    schema : pyarrow.Schema
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file = file
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        with writing(file):
            # a score hardly ever repeats: a dictionary of scores costs time and makes the file larger
            coded = [field.name for field in schema if not pt.is_floating(field.type)]
            self._writer = pq.ParquetWriter(
                file, schema, write_page_checksum=True, use_dictionary=coded or False
            )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; they reach the file a row group at a time."""
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        if self._rows:
            self._flush()
        with writing(self._file):
            self._writer.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        self._waiting = []
        self._writer.close()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._rows = [], 0
        with writing(self._file):
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))


def check_columns(schema: pa.Schema) -> None:
    """Every Arrow type that is read can be written."""


def _open(file: Path, coded: Collection[str] = ()) -> pq.ParquetFile:
    # pre_buffer would hold the bytes of every row group until the file is closed
    return pq.ParquetFile(
        file,
        pre_buffer=False,
        buffer_size=_BUFFER,
        page_checksum_verification=True,
        read_dictionary=list(coded),
    )
