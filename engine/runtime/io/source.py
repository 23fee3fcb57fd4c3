"""Where rows come from: one file or a folder of files, streamed in batches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from engine.decode.arrow import family
from engine.errors import DataError, did_you_mean


class FileFormat(Protocol):
    """How files of one format are read."""

    @property
    def text(self) -> bool: ...

    def schema(self, file: Path) -> pa.Schema:
        """The columns of a file."""
        ...

    def rows(self, file: Path) -> int | None:
        """How many rows a file holds, if its head or foot says so."""
        ...

    def batches(
        self, file: Path, columns: Sequence[str], batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a file, with these columns in this order."""
        ...


class FileSource:
    """Files of one format, read one after the other.

    Parameters
    ----------
    path : Path
        The file or folder.
    files : sequence of Path
    format : FileFormat
    """

    def __init__(self, path: Path, files: Sequence[Path], format: FileFormat) -> None:
        self.path = path
        self.text = format.text
        self._files = tuple(files)
        self._format = format
        self._schemas = [format.schema(file) for file in self._files]
        counts = [format.rows(file) for file in self._files]
        self.rows = None if None in counts else sum(count or 0 for count in counts)
        self.schema = _together(self._schemas)
        self._starts: list[int] = []

    def files(self) -> tuple[Path, ...]:
        """The files, in the order in which they are read."""
        return self._files

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most ``batch_rows`` at a time.

        Raises
        ------
        DataError
            A file lacks a column, has it twice or in another family than the rest, or can't be read.
        """
        wanted = list(self.schema.names if columns is None else columns)
        for file, schema in zip(self._files, self._schemas, strict=True):
            self._check(file, schema, wanted)
        self._starts = []
        done = 0
        for file in self._files:
            self._starts.append(done)
            for batch in self._format.batches(file, wanted, batch_rows, coded):
                done += batch.num_rows
                yield batch

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message."""
        which = max(bisect_right(self._starts, row) - 1, 0)
        start = self._starts[which] if self._starts else 0
        return f"{self._files[which]}, row {row - start}"

    def _check(self, file: Path, schema: pa.Schema, wanted: Sequence[str]) -> None:
        for name in wanted:
            places = schema.get_all_field_indices(name)
            if not places:
                others = "" if len(self._files) == 1 else " (other files of the folder have it)"
                hint = did_you_mean(name, schema.names)
                raise DataError(f"{file}: there is no column '{name}'{others}.{hint}")
            if len(places) > 1:
                raise DataError(f"{file}: {len(places)} columns are named '{name}'")
            here, there = schema.field(places[0]).type, self.schema.field(name).type
            if not (pa.types.is_null(here) or family(here) == family(there)):
                raise DataError(
                    f"{file}: column '{name}' is {here}, in other files of the folder it is {there}"
                )


def _together(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """All columns that any file has, in order of appearance; a type is the first that isn't null."""
    if len(schemas) == 1:
        return schemas[0]
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.get(field.name)
            if known is None or pa.types.is_null(known.type):
                fields[field.name] = field
    return pa.schema(list(fields.values()))
