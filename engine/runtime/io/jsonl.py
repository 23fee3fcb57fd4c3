"""Lines of JSON, in and out: UTF-8, an object a line (https://jsonlines.org).

A key that an object lacks is missing, as null is. A file is read in blocks of whole lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from engine.decode import json_cells
from engine.decode.json_text import parse
from engine.encode_json import json_lines
from engine.errors import DataError, listing
from engine.runtime.io.compressed import TextOutput
from engine.runtime.io.files import reading, writing
from engine.runtime.io.lines import CUT, MARK, Block, cut_bytes, open_for, read_lines
from engine.runtime.io.piece import Piece
from engine.runtime.io.reader import Head
from engine.runtime.io.storage import StoredFile

_BLOCK = 4 << 20
_SAMPLE = 1 << 20
"""Bytes of a file that tell its columns."""
_MOST_COLUMNS = 10_000


class JsonlReader:
    """Reads lines of JSON in bounded memory.

    Columns are those in the first MB of a file; their cells are marked as JSON, so that each is taken or
    refused by itself.

    Parameters
    ----------
    cut : int
        About so many bytes are a piece.
    block : int
        About so many bytes are read at a time.
    sample : int
        About so many bytes of a file tell its columns.
    """

    text = False

    def __init__(self, cut: int = CUT, block: int = _BLOCK, sample: int = _SAMPLE) -> None:
        self._cut = cut
        self._block = block
        self._sample = sample

    def head(self, file: StoredFile) -> Head:
        """The columns in the first MB of a file."""
        first = next(self._blocks(file, file.piece(), self._sample), None)
        if first is None:
            return Head(pa.schema([]))
        cells: dict[str, list[Any]] = {}
        for row in _by_line(first):
            for name, value in row.items():
                cells.setdefault(name, []).append(value)
        if len(cells) > _MOST_COLUMNS:
            raise DataError(f"{file}: {len(cells):,} names in its first MB are more than {_MOST_COLUMNS:,}")
        # no input can have a name that is no text
        names = [name for name in cells if json_cells.is_text(name)]
        fields = [json_cells.marked(pa.field(name, json_cells.column(cells[name]).type)) for name in names]
        return Head(pa.schema(fields))

    def cut(self, file: StoredFile, head: Head) -> Iterator[Piece]:
        """The lines that begin in 64 MB."""
        return cut_bytes(file, self._cut)

    def batches(
        self,
        file: StoredFile,
        pieces: Sequence[Piece],
        columns: Sequence[str],
        batch_rows: int,
        coded: Collection[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a piece of a file, with these columns in this order."""
        parse = _Parser(columns)
        (piece,) = pieces
        for block in self._blocks(file, piece, self._block):
            arrays, rows = parse(block)
            if not arrays:
                arrays = [pa.nulls(rows)]  # a batch without columns would have no rows
            fields = [pa.field(name, array.type) for name, array in zip(columns or "_", arrays, strict=True)]
            schema = pa.schema([json_cells.marked(field) for field in fields])
            batch = pa.RecordBatch.from_arrays(arrays, schema=schema).select(list(columns))
            for start in range(0, rows, batch_rows):
                yield batch.slice(start, batch_rows)

    def _blocks(self, file: StoredFile, piece: Piece, size: int) -> Iterator[Block]:
        with reading(file, " as lines of JSON"), open_for(file, piece) as handle:
            for block in read_lines(file, handle, piece, size):
                if block.line == 1 and not block.start:
                    block = replace(block, content=block.content.removeprefix(MARK))
                if block.content.strip():
                    yield block


class _Parser:
    """Turns blocks of lines into columns."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._names = list(columns)
        # two or more, so that each is read alike: `attrgetter` gives no tuple of one
        fields = [f"f{number}" for number in range(max(len(columns), 2))]
        row = msgspec.defstruct(
            "Row",
            [(name, Any, None) for name in fields],
            rename=dict(zip(fields, columns, strict=False)),
            gc=False,
        )
        self._decoder = msgspec.json.Decoder(row)
        self._values = attrgetter(*fields)

    def __call__(self, block: Block) -> tuple[list[pa.Array], int]:
        """The columns of a block, and how many rows it has."""
        try:
            block.content.decode()  # the parser doesn't look at what it skips
            rows = self._decoder.decode_lines(block.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # read line by line, it is said where, or a number is taken that only Python takes
        else:
            columns = zip(*map(self._values, rows), strict=True)
            return [json_cells.column(each) for each, _ in zip(columns, self._names, strict=False)], len(rows)
        found = _by_line(block)
        return [json_cells.column([row.get(name) for row in found]) for name in self._names], len(found)


def _by_line(block: Block) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(block.content.split(b"\n")):
        if not text.strip():
            continue
        try:
            row = parse(text)
        except UnicodeDecodeError:
            raise DataError(f"{block.where(number)}: this is no UTF-8") from None
        except ValueError as error:
            raise DataError(f"{block.where(number)}: can't be read as JSON: {error}") from None
        if not isinstance(row, dict):
            found = {list: "a list", str: "text", type(None): "null"}.get(type(row), "a number")
            raise DataError(f'{block.where(number)}: expected an object such as {{"x": 1}}, found {found}')
        rows.append(row)
    return rows


class JsonlPart:
    """Writes one file of lines of JSON.

    Parameters
    ----------
    file : Path
    schema : pyarrow.Schema
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file = file
        with writing(file):
            self._output = TextOutput(file)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with writing(self._file):
            self._output.stream.write(json_lines(batch))

    def close(self) -> None:
        """Nothing waits."""
        with writing(self._file):
            self._output.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        self._output.close()


def check_columns(schema: pa.Schema) -> None:
    """Refuse columns that JSON can't hold.

    Raises
    ------
    DataError
        Some hold bytes, lists, structs and the like.
    """
    odd = []
    for field in schema:
        try:
            json_lines(pa.RecordBatch.from_arrays([pa.nulls(1, field.type)], names=["x"]))
        except (pa.ArrowException, TypeError):
            odd.append(f"{field.name} ({field.type})")
    if odd:
        raise DataError(
            f"lines of JSON can't hold {listing(odd)}; write Parquet, or leave them out of 'keep'"
        )
