"""Sources that are wrong on purpose, each in one way; they read Arrow's IPC files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from engine.runtime.io.files import reading
from engine.runtime.io.piece import InputChanged, Piece
from engine.source import Source, SourcePart, SourcePlugin, option, source

WRONG: dict[str, type[SourcePlugin]] = {}
"""By the check that finds it."""

DOC = "Read Arrow's own files.\n\n    >>> 1 + 1\n    2\n    "


def write(path: Path, rows: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)


class Opened:
    """A right one."""

    text = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = self.load(path)
        self.schema: pa.Schema = self.table.schema
        self.rows: int | None = self.table.num_rows

    def load(self, path: Path) -> pa.Table:
        with reading(path, " as Arrow's IPC"), pa.OSFile(str(path)) as file:
            return pa.ipc.open_file(file).read_all()

    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        table = self.table if columns is None else self.table.select(list(columns))
        yield from table.combine_chunks().to_batches(batch_rows)

    def place(self, row: int) -> str:
        return f"{self.path}, row {row}"


@source("right")
class Right(SourcePlugin):
    __doc__ = DOC

    path: str = option(help="the file")

    def open(self) -> Source:
        return Opened(Path(self.path))


def wrong(check: str, doc: str = DOC) -> Callable[[type[Opened]], type[Opened]]:
    """The source that opens this."""

    def decorate(opened: type[Opened]) -> type[Opened]:
        class Wrong(Right):
            def open(self) -> Source:
                return opened(Path(self.path))

        Wrong.__doc__ = doc
        WRONG[check] = source(f"wrong_{check}")(Wrong)
        return opened

    return decorate


# -- what it says of itself


@wrong("opens")
class NoSchema(Opened):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        del self.schema


@wrong("documented", "No full stop\n\n    >>> 1 + 1\n    2\n    ")
class Undocumented(Opened):
    pass


@wrong("example_runs", "Say three.\n\n    >>> 1 + 1\n    3\n    ")
class WrongExample(Opened):
    pass


@source("wrong_unknown_option")
class NamedLikeAKey(Right):
    __doc__ = DOC
    use: str = option("x", help="never set")  # type: ignore[misc]


NamedLikeAKey.use = "wrong_unknown_option"
WRONG["unknown_option"] = NamedLikeAKey


@source("wrong_options_round_trip")
class ChangesItsOption(Right):
    __doc__ = DOC
    percent: float = option(100.0, help="how much of it")

    def __post_init__(self) -> None:
        object.__setattr__(self, "percent", self.percent / 10)


WRONG["options_round_trip"] = ChangesItsOption


@wrong("schema")
class OtherSchema(Opened):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.schema = pa.schema([field.with_type(pa.string()) for field in self.schema])


@wrong("row_count")
class Estimates(Opened):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.rows = self.table.num_rows + 1 if self.table.num_rows else 0


@wrong("place")
class NoPlace(Opened):
    def place(self, row: int) -> str:
        return str(self.path)


@wrong("files")
class NoFiles(Opened):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = Path("rows")

    def files(self) -> tuple[Path, ...]:
        return ()

    def place(self, row: int) -> str:
        return f"rows, row {row}"


@wrong("nothing_there")
class Tolerant(Opened):
    def load(self, path: Path) -> pa.Table:
        return super().load(path) if path.exists() else pa.table({"x": pa.nulls(0)})


@wrong("damaged")
class AsArrowSays(Opened):
    def load(self, path: Path) -> pa.Table:
        with reading(path):
            file = pa.OSFile(str(path))
        try:
            return pa.ipc.open_file(file).read_all()
        except pa.ArrowException as error:
            raise ValueError(f"{path}: {error}") from error


# -- what it gives


@wrong("rows")
class Sorted(Opened):
    def load(self, path: Path) -> pa.Table:
        table = super().load(path)
        return table.sort_by(table.column_names[0])


@wrong("batch_rows")
class AtOnce(Opened):
    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        yield from super().batches(columns, 1 << 20)


@wrong("columns")
class InItsOrder(Opened):
    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        if columns is not None:
            columns = [name for name in self.schema.names if name in columns]
        yield from super().batches(columns, batch_rows)


@wrong("coded")
class NullsCoded(Opened):
    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        for batch in super().batches(columns, batch_rows):
            arrays = (
                []
                if not coded
                else [
                    column.fill_null("").dictionary_encode() if name in coded else column
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
            )
            yield pa.RecordBatch.from_arrays(arrays, batch.schema.names) if coded else batch


@wrong("twice")
class LeftHalfway(Opened):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.was_left = False

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        was_left, self.was_left = self.was_left, True
        if not was_left:
            yield from super().batches(columns, batch_rows)
        self.was_left = False


@wrong("empty")
class NeedsARow(Opened):
    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        batches = list(super().batches(columns, batch_rows))
        batches[0]
        yield from batches


@wrong("threads")
class OfItsThread(Opened):
    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        thread = threading.get_ident()
        for batch in super().batches(columns, batch_rows):
            if threading.get_ident() != thread:
                raise RuntimeError("objects created in a thread can only be used in that same thread")
            yield batch


@wrong("batch")
class TakesLists(Opened):
    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        chosen = columns if columns is None else columns.copy()  # type: ignore[attr-defined]
        yield from super().batches(chosen, batch_rows)


# -- in pieces


class Pieced(Opened):
    """A right one: pieces of a hundred rows."""

    identity: Mapping[str, Any] = MappingProxyType({})

    def pieces(self) -> tuple[Piece, ...]:
        status = self.path.stat()
        whole = Piece(str(self.path.absolute()), status.st_size, str(status.st_mtime_ns))
        return tuple(
            replace(whole, of="groups", start=start, stop=start + 100, rows=100, first=start)
            for start in range(0, self.table.num_rows, 100)
        )

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        for piece in pieces:
            self.look(piece)
        return Part(self, pieces)

    def look(self, piece: Piece) -> None:
        if piece.stamp != str(self.path.stat().st_mtime_ns):
            raise InputChanged(f"{self.path}: changed since it was cut")


class Part(Opened):
    def __init__(self, whole: Pieced, pieces: Sequence[Piece]) -> None:
        self.path, self.pieces, self.schema = whole.path, pieces, whole.schema
        cut = [whole.table.slice(piece.start, piece.rows).slice(piece.skip, piece.take) for piece in pieces]
        self.rows = sum(table.num_rows for table in cut)
        self.sizes = tuple(table.num_rows for table in cut)
        self.table = pa.concat_tables(cut) if cut else self.schema.empty_table()

    def counts(self) -> tuple[int, ...]:
        return self.sizes

    def locate(self, row: int) -> tuple[str, int]:
        for piece, size in zip(self.pieces, self.sizes, strict=True):
            if row < size:
                return piece.file, piece.number(row)
            row -= size
        raise IndexError(row)


@source("right_in_pieces")
class RightInPieces(Right):
    __doc__ = DOC

    def open(self) -> Source:
        return Pieced(Path(self.path))


@wrong("pieces")
class LeavesOneOut(Pieced):
    def pieces(self) -> tuple[Piece, ...]:
        return super().pieces()[:-1]


@wrong("part")
class TakesWholePieces(Pieced):
    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        return super().part([replace(piece, skip=0, take=None) for piece in pieces])


@wrong("changed")
class DoesNotLook(Pieced):
    def look(self, piece: Piece) -> None:
        pass
