"""CSV files, in and out: UTF-8, one header line, quotes doubled (RFC 4180).

Only an empty field is missing; a quoted ``""`` is empty text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.types as pt

from engine.errors import DataError, listing
from engine.runtime.io.files import reading, reason, writing

_BLOCK = 8 << 20


class CsvReader:
    """Reads CSV files as text, in bounded memory.

    A column arrives as ``string``, in a batch where some of it is no UTF-8 as ``binary``.

    Parameters
    ----------
    delimiter : str
    """

    text = True

    def __init__(self, delimiter: str = ",") -> None:
        self._delimiter = delimiter

    def schema(self, file: Path) -> pa.Schema:
        """The columns of a file."""
        header, _ = self._head(file)
        return pa.schema([(name, pa.string()) for name in header])

    def rows(self, file: Path) -> int | None:
        """Not known before the file is read."""
        return None

    def batches(
        self, file: Path, columns: Sequence[str], batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a file, with these columns in this order."""
        header, any_rows = self._head(file)
        if not any_rows:
            return
        # Arrow reads all columns when asked for none, and rows must still be counted
        asked = list(columns) or header[:1]
        batches = self._blocks(file, asked, len(header))
        for block in batches:
            batch = pa.RecordBatch.from_arrays([_text(column) for column in block.columns], names=asked)
            for start in range(0, batch.num_rows, batch_rows):
                yield batch.slice(start, batch_rows).select(list(columns))

    def _blocks(self, file: Path, asked: Sequence[str], width: int) -> Iterator[pa.RecordBatch]:
        try:
            reader = pacsv.open_csv(
                file,
                # one thread: with several, messages lose the row
                read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._delimiter,
                    newlines_in_values=True,
                    # in a file of one column an empty line is a row whose value is missing
                    ignore_empty_lines=width != 1,
                ),
                convert_options=pacsv.ConvertOptions(
                    include_columns=asked,
                    column_types={name: pa.binary() for name in asked},
                    strings_can_be_null=True,
                    null_values=[""],
                    quoted_strings_can_be_null=False,
                ),
            )
            with reader:
                yield from reader
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{file}{_fault(reason(error))}") from None

    def _head(self, file: Path) -> tuple[list[str], bool]:
        """The names in the first line, and whether any row follows."""
        try:
            with (
                reading(file),
                file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines,
            ):
                reader = csv.reader(lines, delimiter=self._delimiter)
                header = next(reader, [])
                any_rows = next((True for row in reader if row or len(header) == 1), False)
        except csv.Error as error:
            raise DataError(f"{file}, line 1: can't be read as CSV: {error}") from None
        if not header:
            raise DataError(f"{file}, line 1: expected the names of the columns, found an empty line")
        if any("\udc80" <= letter <= "\udcff" for name in header for letter in name):
            raise DataError(
                f"{file}, line 1: the names of the columns are no UTF-8; convert the file to UTF-8"
            )
        return header, any_rows


class CsvPart:
    """Writes one CSV file.

    Parameters
    ----------
    file : Path
    schema : pyarrow.Schema
    delimiter : str
    """

    def __init__(self, file: Path, schema: pa.Schema, delimiter: str = ",") -> None:
        self._file = file
        options = pacsv.WriteOptions(delimiter=delimiter)
        with writing(file):
            self._writer = pacsv.CSVWriter(
                file, printable(schema.empty_table()).schema, write_options=options
            )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with writing(self._file):
            self._writer.write_table(printable(pa.Table.from_batches([batch])))

    def close(self) -> None:
        """Write what is left."""
        with writing(self._file):
            self._writer.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        self._writer.close()


def check_columns(schema: pa.Schema) -> None:
    """Refuse columns that a CSV file can't hold.

    Raises
    ------
    DataError
        Some are lists, structs and the like.
    """
    odd = [f"{field.name} ({field.type})" for field in schema if not _prints(field)]
    if odd:
        raise DataError(f"a CSV file can't hold {listing(odd)}; write Parquet, or leave them out of 'keep'")


def printable(table: pa.Table) -> pa.Table:
    """The table with every column as a type that prints as what a reader gets back.

    A float32 is widened, so that the shortest decimal of the *float64* is printed; a timestamp becomes
    RFC 3339 text in UTC.
    """
    arrays = [_printable(column) for column in table.columns]
    return pa.Table.from_arrays(arrays, names=table.column_names)


def _printable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pt.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pt.is_float32(kind) or pt.is_float16(kind):
        return pc.cast(column, pa.float64())
    if pt.is_string_view(kind):
        return pc.cast(column, pa.large_string())
    if pt.is_timestamp(kind):
        # Arrow prints the instant with Z if there is a zone; one without is UTC
        instant = pc.cast(column, pa.int64())
        utc = pc.cast(instant, pa.timestamp(kind.unit, "UTC"))
        return pc.replace_substring(pc.cast(utc, pa.string()), " ", "T", max_replacements=1)
    return column


def _prints(field: pa.Field) -> bool:
    try:
        table = printable(pa.Table.from_arrays([pa.nulls(1, field.type)], names=["x"]))
        pacsv.write_csv(table, pa.BufferOutputStream())
    except pa.ArrowException:
        return False
    return True


def _text(column: pa.Array) -> pa.Array:
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        return column


def _fault(found: str) -> str:
    """Arrow's message about a file, with its row as a line."""
    if "straddling" in found:
        size = _BLOCK >> 20
        return f": a record is longer than {size} MB, or a quotation mark is never closed"
    match = re.search(r"Row #(\d+): (.*)", found)
    if match is None:
        return f": can't be read as CSV: {found.removeprefix('CSV parse error: ')}"
    columns = re.match(r"Expected (\d+) columns, got (\d+)", match[2])
    what = f"expected {columns[1]} fields, found {columns[2]}" if columns else match[2]
    return f", line {match[1]}: {what}"
