"""CSV files, in and out: UTF-8, one header line, quotes doubled (RFC 4180).

Only an empty field is missing; a quoted ``""`` is empty text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.types as pt

from engine.errors import DataError, listing
from engine.runtime.io.compressed import TextOutput
from engine.runtime.io.csv_text import (
    BLOCK,
    behind_header,
    count_lines,
    ends_closed,
    fault,
    fault_in,
    read_head,
)
from engine.runtime.io.files import reading, reason, writing
from engine.runtime.io.lines import CUT, Block, cut_bytes, open_for, read_lines
from engine.runtime.io.piece import Piece
from engine.runtime.io.reader import Head
from engine.runtime.io.storage import StoredFile


class CsvReader:
    """Reads CSV files as text, in bounded memory.

    A column arrives as ``string``, in a batch where some of it is no UTF-8 as ``binary``.

    Parameters
    ----------
    delimiter : str
    multiline : bool
        Fields may hold line breaks; where none does, a file can be cut in pieces.
    cut : int
        About so many bytes are a piece.
    block : int
        About so many bytes are read at a time.
    """

    text = True

    def __init__(
        self, delimiter: str = ",", multiline: bool = True, cut: int = CUT, block: int = BLOCK
    ) -> None:
        self._delimiter = delimiter
        self._multiline = multiline
        self._cut = cut
        self._block = block

    def head(self, file: StoredFile) -> Head:
        """The columns of a file."""
        header, _ = self._head(file)
        return Head(pa.schema([(name, pa.string()) for name in header]))

    def cut(self, file: StoredFile, head: Head) -> Iterator[Piece]:
        """The whole file; or the lines that begin in 64 MB, where no field holds a line break."""
        return iter([file.piece()]) if self._multiline else cut_bytes(file, self._cut)

    def batches(
        self,
        file: StoredFile,
        pieces: Sequence[Piece],
        columns: Sequence[str],
        batch_rows: int,
        coded: Collection[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a piece of a file, with these columns in this order."""
        header, any_rows = self._head(file)
        if not any_rows:
            return
        # Arrow reads all columns when asked for none, and rows must still be counted
        asked = list(columns) or header[:1]
        (piece,) = pieces
        if self._multiline:
            blocks = self._whole(file, header, asked)
        else:
            blocks = self._by_line(file, piece, header, asked)
        for block in blocks:
            batch = pa.RecordBatch.from_arrays([_text(column) for column in block.columns], names=asked)
            for start in range(0, batch.num_rows, batch_rows):
                yield batch.slice(start, batch_rows).select(list(columns))

    def _whole(
        self, file: StoredFile, header: Sequence[str], asked: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        options = self._options(self._block, header, asked)
        try:
            with file.stream() as stream, pacsv.open_csv(stream, *options) as reader:
                yield from reader
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{file}{fault(reason(error))}") from None

    def _by_line(
        self, file: StoredFile, piece: Piece, header: Sequence[str], asked: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a piece; each must be a line."""
        if any("\n" in name or "\r" in name for name in header):
            raise DataError(f"{file}, line 1: a column's name holds a line break; set source.multiline=true")
        begin = self._begin(file)
        with reading(file), open_for(file, piece) as handle:
            if piece.of == "file":
                handle.read(begin)
            for block in read_lines(file, handle, piece, self._block, begin, 2):
                # Arrow takes blank lines for no rows, if there are several columns
                if len(header) > 1 and not block.content.strip(b"\r\n"):
                    continue
                yield from self._parsed(block, header, asked)

    def _parsed(self, block: Block, header: Sequence[str], asked: Sequence[str]) -> Iterator[pa.RecordBatch]:
        content, rows = block.content, 0
        options = self._options(len(content) + 1, header, asked)
        options[0].column_names = list(header)
        # Arrow takes a quotation mark that is never closed for closed where the text ends
        whole = ends_closed(content, self._delimiter)
        if whole:
            try:
                with pacsv.open_csv(pa.BufferReader(content), *options) as reader:
                    found = list(reader)
            except pa.ArrowException as error:
                raise DataError(fault_in(block, reason(error))) from None
            rows = sum(batch.num_rows for batch in found)
        if not whole or rows != count_lines(content, blank=len(header) == 1):
            raise DataError(
                f"{block.where(0)} or later: a field holds a line break, or a quotation mark is never "
                "closed; if fields may hold line breaks, set source.multiline=true"
            )
        yield from found

    def _options(self, size: int, header: Sequence[str], asked: Sequence[str]) -> tuple[Any, Any, Any]:
        return (
            # one thread: with several, messages lose the row
            pacsv.ReadOptions(use_threads=False, block_size=size),
            pacsv.ParseOptions(
                delimiter=self._delimiter,
                newlines_in_values=True,
                # in a file of one column an empty line is a row whose value is missing
                ignore_empty_lines=len(header) != 1,
            ),
            pacsv.ConvertOptions(
                include_columns=asked,
                column_types={name: pa.binary() for name in asked},
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=False,
            ),
        )

    def _head(self, file: StoredFile) -> tuple[list[str], bool]:
        with reading(file), file.stream() as stream:
            return read_head(file, stream, self._delimiter)

    def _begin(self, file: StoredFile) -> int:
        with reading(file):
            return behind_header(file)


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
            self._output = TextOutput(file)
            self._writer = pacsv.CSVWriter(
                self._output.stream, printable(schema.empty_table()).schema, write_options=options
            )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with writing(self._file):
            self._writer.write_table(printable(pa.Table.from_batches([batch])))

    def close(self) -> None:
        """Write what is left."""
        with writing(self._file):
            self._writer.close()
            self._output.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        try:
            self._writer.close()
        finally:
            self._output.close()


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


def csv_lines(batch: pa.RecordBatch, first: bool, delimiter: str = ",") -> bytes:
    """Rows as lines of CSV, the first ones below the header.

    >>> csv_lines(pa.record_batch({"late": [True], "score": [0.1]}), True)
    b'"late","score"\\ntrue,0.1\\n'
    """
    output = pa.BufferOutputStream()
    options = pacsv.WriteOptions(include_header=first, delimiter=delimiter)
    pacsv.write_csv(printable(pa.Table.from_batches([batch])), output, options)
    text: bytes = output.getvalue().to_pybytes()
    return text


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
