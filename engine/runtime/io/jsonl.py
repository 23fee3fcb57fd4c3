"""Lines of JSON, in and out: UTF-8, an object a line (https://jsonlines.org).

A key that an object lacks is missing, as null is. A file is read in blocks of whole lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from engine.decode import json_cells
from engine.decode.json_text import parse
from engine.encode_json import json_lines
from engine.errors import DataError, listing
from engine.runtime.io.files import reading, writing

_BLOCK = 4 << 20
_SAMPLE = 1 << 20
"""Bytes of a file that tell its columns."""
_MOST_COLUMNS = 10_000


class JsonlReader:
    """Reads lines of JSON in bounded memory.

    Columns are those in the first MB of a file; their cells are marked as JSON, so that each is taken or
    refused by itself.
    """

    text = False

    def schema(self, file: Path) -> pa.Schema:
        """The columns in the first MB of a file."""
        first = next(_blocks(file, _SAMPLE), None)
        if first is None:
            return pa.schema([])
        rows = _by_line(file, *first)
        cells: dict[str, list[Any]] = {}
        for row in rows:
            for name, value in row.items():
                cells.setdefault(name, []).append(value)
        if len(cells) > _MOST_COLUMNS:
            raise DataError(f"{file}: {len(cells):,} names in its first MB are more than {_MOST_COLUMNS:,}")
        # no input can have a name that is no text
        names = [name for name in cells if json_cells.is_text(name)]
        return pa.schema(
            [json_cells.marked(pa.field(name, json_cells.column(cells[name]).type)) for name in names]
        )

    def rows(self, file: Path) -> int | None:
        """Not known before the file is read."""
        return None

    def batches(
        self, file: Path, columns: Sequence[str], batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a file, with these columns in this order."""
        parse = _Parser(file, columns)
        for line, block in _blocks(file):
            arrays, rows = parse(line, block)
            if not arrays:
                arrays = [pa.nulls(rows)]  # a batch without columns would have no rows
            fields = [pa.field(name, array.type) for name, array in zip(columns or "_", arrays, strict=True)]
            schema = pa.schema([json_cells.marked(field) for field in fields])
            batch = pa.RecordBatch.from_arrays(arrays, schema=schema).select(list(columns))
            for start in range(0, rows, batch_rows):
                yield batch.slice(start, batch_rows)


class _Parser:
    """Turns blocks of lines into columns."""

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self._file = file
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

    def __call__(self, line: int, block: bytes) -> tuple[list[pa.Array], int]:
        """The columns of a block, and how many rows it has."""
        try:
            block.decode()  # the parser doesn't look at what it skips
            rows = self._decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # read line by line, it is said where, or a number is taken that only Python takes
        else:
            columns = zip(*map(self._values, rows), strict=True)
            return [json_cells.column(each) for each, _ in zip(columns, self._names, strict=False)], len(rows)
        found = _by_line(self._file, line, block)
        return [json_cells.column([row.get(name) for row in found]) for name in self._names], len(found)


def _blocks(file: Path, size: int = _BLOCK) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about so many bytes at a time, and the number of the first."""
    line, rest = 1, b""
    with reading(file, " as lines of JSON"), file.open("rb") as handle:
        if handle.read(3) != b"\xef\xbb\xbf":
            handle.seek(0)
        while piece := handle.read(size):
            cut = piece.rfind(b"\n") + 1
            if not cut and len(rest) + len(piece) > 2 * _BLOCK:
                raise DataError(f"{file}, line {line}: is longer than {2 * _BLOCK >> 20} MB")
            if not cut:
                rest += piece
                continue
            block, rest = rest + piece[:cut], piece[cut:]
            if block.strip():
                yield line, block
            line += block.count(b"\n")
        if rest.strip():
            yield line, rest


def _by_line(file: Path, first: int, block: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(block.split(b"\n"), first):
        if not text.strip():
            continue
        try:
            row = parse(text)
        except UnicodeDecodeError:
            raise DataError(f"{file}, line {number}: this is no UTF-8") from None
        except ValueError as error:
            raise DataError(f"{file}, line {number}: can't be read as JSON: {error}") from None
        if not isinstance(row, dict):
            found = {list: "a list", str: "text", type(None): "null"}.get(type(row), "a number")
            raise DataError(f'{file}, line {number}: expected an object such as {{"x": 1}}, found {found}')
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
            self._handle = pa.OSFile(str(file), "wb")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        with writing(self._file):
            self._handle.write(json_lines(batch))

    def close(self) -> None:
        """Nothing waits."""
        with writing(self._file):
            self._handle.close()

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        self._handle.close()


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
