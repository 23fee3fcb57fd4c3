"""Rows of pieces of files, read one after the other, each file held to what it was when it was looked at."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import pyarrow as pa

from engine.decode.arrow import family
from engine.errors import DataError, did_you_mean
from engine.runtime.io.partitions import key_fields, with_keys
from engine.runtime.io.piece import InputChanged, Piece, total
from engine.runtime.io.reader import FileFormat
from engine.runtime.io.storage import Storage, StoredFile, of_piece
from engine.source import Address

OPENED = "it was opened"
PLANNED = "the run was planned"
_REMEDIES = {
    OPENED: "read it once nobody writes to it",
    PLANNED: "put back the file that was there, or discard the run with resume=never",
}


@dataclass(frozen=True)
class Run:
    """Pieces of one file that are read in one go.

    Parameters
    ----------
    file : StoredFile
    pieces : tuple of Piece
        Several only where it is known how many rows each has, and none is cut.
    """

    file: StoredFile
    pieces: tuple[Piece, ...]

    @cached_property
    def rows(self) -> int | None:
        return total(self.pieces)

    @cached_property
    def starts(self) -> list[int]:
        """The number in the run of the first row of each piece."""
        return list(accumulate((piece.count or 0 for piece in self.pieces[:-1]), initial=0))


def runs_of(files: Sequence[StoredFile], pieces: Sequence[Piece]) -> list[Run]:
    """The runs of pieces, each of which is of the file in its place."""
    runs: list[Run] = []
    for file, piece in zip(files, pieces, strict=True):
        last = runs[-1] if runs else None
        if last and last.file == file and _goes_on(last.pieces[-1], piece):
            runs[-1] = Run(file, (*last.pieces, piece))
        else:
            runs.append(Run(file, (piece,)))
    return runs


def _goes_on(last: Piece, piece: Piece) -> bool:
    both = (last, piece)
    return last.partition == piece.partition and all(
        each.of == "groups" and each.rows is not None and not each.is_cut for each in both
    )


class FilePart:
    """Some rows of files of one format.

    Parameters
    ----------
    path : Path or str
        What messages call all of them.
    format : FileFormat
    runs : sequence of Run
    schemas : mapping of StoredFile to pyarrow.Schema
        The columns of each file.
    since : str
        Since when a file is to be what it was, for a message: `OPENED` or `PLANNED`.
    """

    def __init__(
        self,
        path: Address,
        format: FileFormat,
        runs: Sequence[Run],
        schemas: Mapping[StoredFile, pa.Schema],
        since: str = OPENED,
    ) -> None:
        self.path = path
        self.text = format.text
        keys = {run.file: run.pieces[0].partition for run in runs}
        fields = key_fields(keys.values())
        self._keys = frozenset(field.name for field in fields)
        for file, schema in schemas.items():
            _check_keys(file, schema, keys[file])
        own = _together(list(schemas.values()))
        self.schema = pa.schema([*own, *fields], own.metadata) if fields else own
        counts = [run.rows for run in runs]
        self.rows = None if None in counts else sum(count or 0 for count in counts)
        self._format = format
        self._runs = tuple(runs)
        self._schemas = schemas
        self._since = since
        # of runs that weren't reached, the first row lies behind all others
        self._starts = [sys.maxsize] * len(self._runs)
        self._counts = [0] * len(self._runs)

    def files(self) -> tuple[Address, ...]:
        """The files, in the order in which they are read."""
        return tuple(dict.fromkeys(run.file.address for run in self._runs))

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most ``batch_rows`` at a time.

        Raises
        ------
        InputChanged
            A file was written again or removed meanwhile.
        DataError
            A file lacks a column, has it twice or in another family than the rest, or can't be read.
        """
        wanted = list(self.schema.names if columns is None else columns)
        self.check_columns(wanted)
        done = 0
        for number, run in enumerate(self._runs):
            self._starts[number] = done
            keys = run.pieces[0].partition
            own = [name for name in wanted if name not in keys]
            batches = self._format.batches(run.file, run.pieces, own, batch_rows, coded)
            for batch in self._unchanged(run, batches):
                done += batch.num_rows
                yield with_keys(batch, wanted, keys, self.schema, coded) if len(own) < len(wanted) else batch
            self._counts[number] = done - self._starts[number]

    def check_columns(self, columns: Sequence[str]) -> None:
        """See that every file has these columns, of one family each.

        Raises
        ------
        DataError
        """
        for file, schema in self._schemas.items():
            self._check(file, schema, [name for name in columns if name not in self._keys])

    def counts(self) -> tuple[int, ...]:
        """The rows that were read of each piece, once all were."""
        found: list[int] = []
        for run, rows in zip(self._runs, self._counts, strict=True):
            found += [rows] if len(run.pieces) == 1 else [piece.count or 0 for piece in run.pieces]
        return tuple(found)

    def locate(self, row: int) -> tuple[str, int]:
        """The file of a row that was read, and its number there; both count from 0.

        Where it isn't known how many rows of the file lie in front of a piece, the number is that in the
        piece.
        """
        file, piece, number = self._find(row)
        return str(file), piece.number(number)

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message."""
        file, piece, number = self._find(row)
        origin = f" of the lines from byte {piece.start:,}" if piece.first is None else ""
        return f"{file}, row {piece.number(number)}{origin}"

    def _find(self, row: int) -> tuple[StoredFile, Piece, int]:
        which = max(bisect_right(self._starts, row) - 1, 0)
        run = self._runs[which]
        within = row - self._starts[which] if self._starts[which] <= row else row
        piece = bisect_right(run.starts, within) - 1
        return run.file, run.pieces[piece], within - run.starts[piece]

    def _unchanged(self, run: Run, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of a run that are meant; the file is looked at before and after."""
        check_unchanged(run.file, self._since)
        done = 0
        try:
            for batch in _taken(run.pieces[0], batches):
                done += batch.num_rows
                yield batch
        except DataError:
            check_unchanged(run.file, self._since)
            raise
        check_unchanged(run.file, self._since)
        if run.rows is not None and done != run.rows:
            raise DataError(f"{run.file}: expected {run.rows:,} rows, read {done:,}")

    def _check(self, file: StoredFile, schema: pa.Schema, wanted: Sequence[str]) -> None:
        for name in wanted:
            places = schema.get_all_field_indices(name)
            if not places:
                others = "" if len(self._schemas) == 1 else " (other files of the folder have it)"
                hint = did_you_mean(name, schema.names)
                raise DataError(f"{file}: there is no column '{name}'{others}.{hint}")
            if len(places) > 1:
                raise DataError(f"{file}: {len(places)} columns are named '{name}'")
            here, there = schema.field(places[0]).type, self.schema.field(name).type
            if not (pa.types.is_null(here) or family(here) == family(there)):
                raise DataError(
                    f"{file}: column '{name}' is {here}, in other files of the folder it is {there}"
                )


def part_of(path: Address, format: FileFormat, pieces: Sequence[Piece], storage: Storage) -> FilePart:
    """Pieces that were cut earlier, without a look at other files.

    Raises
    ------
    InputChanged
        A file isn't what it was then.
    DataError
        A file can't be read.
    """
    files = [of_piece(piece, storage) for piece in pieces]
    schemas: dict[StoredFile, pa.Schema] = {}
    for file in files:
        if file not in schemas:
            check_unchanged(file, PLANNED)
            schemas[file] = format.head(file).schema
    return FilePart(path, format, runs_of(files, pieces), schemas, PLANNED)


def check_unchanged(file: StoredFile, since: str) -> None:
    """Refuse a file that isn't what it was.

    Raises
    ------
    InputChanged
    """
    now = file.now()
    if now == (file.size, file.stamp):
        return
    how = "it is gone"
    if now is not None:
        same = now[0] == file.size
        how = "written again, of the same size" if same else f"size {file.size:,} → {now[0]:,}"
    raise InputChanged(f"{file}: changed since {since} ({how}); {_REMEDIES[since]}")


def _taken(piece: Piece, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Without the rows that a piece leaves out."""
    skip, take = piece.skip, piece.take
    for whole in batches:
        batch = whole.slice(skip, take)
        skip = max(skip - whole.num_rows, 0)
        if take is not None:
            take -= batch.num_rows
        if batch.num_rows or not piece.is_cut:
            yield batch
        if take == 0:
            return


def _check_keys(file: StoredFile, schema: pa.Schema, keys: Mapping[str, object]) -> None:
    for name in keys:
        if name in schema.names:
            raise DataError(
                f"{file}: '{name}' is a column of the file and a key of its folder; rename the folders, or "
                f"read each by itself: source.path=FOLDER/{name}=VALUE"
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
