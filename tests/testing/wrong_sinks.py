"""Sinks that are wrong on purpose, each in one way; they write Arrow's IPC files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import DataError
from engine.runtime.io.sink import FileSink, SinkWriter
from engine.sink import Mode, Sink, SinkPlugin, option, sink

WRONG: dict[str, type[SinkPlugin]] = {}
"""By the check that finds it."""

DOC = "Write Arrow's own files.\n\n    >>> 1 + 1\n    2\n    "


def read(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


class Part:
    """A file of a right one."""

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self.file = file
        self.schema = schema
        self.batches: list[pa.RecordBatch] = []
        file.touch()

    def write(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch.cast(self.schema))

    def close(self) -> None:
        with pa.OSFile(str(self.file), "wb") as file, pa.ipc.new_file(file, self.schema) as writer:
            for batch in self.batches:
                writer.write_batch(batch)

    def abandon(self) -> None:
        pass


class Files(FileSink):
    """What a right one opens."""

    part_of: type[Part] = Part
    writer_of: type[SinkWriter] = SinkWriter

    def __init__(self, path: Path, mode: Mode) -> None:
        super().__init__(
            path, ".arrow", self.part_of, lambda schema: self.refuse(schema), mode, takes_coded=True
        )

    def refuse(self, schema: pa.Schema) -> None:
        pass

    def open(self, schema: pa.Schema) -> SinkWriter:
        super().open(schema)
        return self.writer_of(self, schema)


@sink("right")
class Right(SinkPlugin):
    __doc__ = DOC

    extensions = (".arrow",)

    path: str = option(help="the file")
    mode: Mode = option("error", help="what happens to what is there")

    def open(self) -> Sink:
        return Files(Path(self.path), self.mode)


def wrong(check: str, doc: str = DOC) -> Callable[[type[Files]], type[Files]]:
    """The sink that opens this."""

    def decorate(files: type[Files]) -> type[Files]:
        class Wrong(Right):
            def open(self) -> Sink:
                return files(Path(self.path), self.mode)

        Wrong.__doc__ = doc
        WRONG[check] = sink(f"wrong_{check}")(Wrong)
        return files

    return decorate


def wrong_part(check: str) -> Callable[[type[Part]], type[Part]]:
    """The sink whose files are written so."""

    def decorate(part: type[Part]) -> type[Part]:
        wrong(check)(type("Files", (Files,), {"part_of": part}))
        return part

    return decorate


def wrong_writer(check: str) -> Callable[[type[SinkWriter]], type[SinkWriter]]:
    """The sink whose output is committed so."""

    def decorate(writer: type[SinkWriter]) -> type[SinkWriter]:
        wrong(check)(type("Files", (Files,), {"writer_of": writer}))
        return writer

    return decorate


# -- what it says of itself


@wrong("opens")
class NoFolder(Files):
    def __init__(self, path: Path, mode: Mode) -> None:
        super().__init__(path, mode)
        self.is_folder = None  # type: ignore[assignment]


@wrong("documented", "No full stop\n\n    >>> 1 + 1\n    2\n    ")
class Undocumented(Files):
    pass


@wrong("example_runs", "Say three.\n\n    >>> 1 + 1\n    3\n    ")
class WrongExample(Files):
    pass


@sink("wrong_unknown_option")
class NamedLikeAKey(Right):
    __doc__ = DOC
    format: str = option("x", help="never set")


WRONG["unknown_option"] = NamedLikeAKey


@sink("wrong_options_round_trip")
class ChangesItsOption(Right):
    __doc__ = DOC
    percent: float = option(100.0, help="how much of it")

    def __post_init__(self) -> None:
        object.__setattr__(self, "percent", self.percent / 10)


WRONG["options_round_trip"] = ChangesItsOption


# -- what it holds


@wrong_part("reads_back")
class LosesARow(Part):
    def write(self, batch: pa.RecordBatch) -> None:
        super().write(batch.slice(0, max(0, batch.num_rows - 1)))


@wrong_part("unusual_values")
class FiniteAlone(Part):
    def write(self, batch: pa.RecordBatch) -> None:
        columns = [
            pc.if_else(pc.is_inf(column), None, column) if pa.types.is_floating(column.type) else column
            for column in batch.columns
        ]
        super().write(pa.RecordBatch.from_arrays(columns, batch.schema.names))


@wrong_part("columns")
class NoLists(Part):
    def write(self, batch: pa.RecordBatch) -> None:
        if any(pa.types.is_nested(kind) for kind in batch.schema.types):
            raise TypeError("a list can't be written")
        super().write(batch)


@wrong_writer("empty")
class OnFirstBatch(SinkWriter):
    wrote = False

    def write(self, batch: pa.RecordBatch) -> None:
        self.wrote = True
        super().write(batch)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        none = (kind, error, trace) if self.wrote else (ValueError, ValueError(), None)
        super().__exit__(*none)


@wrong_part("batches")
class LastAlone(Part):
    def write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self.batches = []
        super().write(batch)


@wrong_part("coded")
class ByFirstDictionary(Part):
    def write(self, batch: pa.RecordBatch) -> None:
        columns = [
            column.indices.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
            for column in batch.columns
        ]
        super().write(pa.RecordBatch.from_arrays(columns, batch.schema.names))


@wrong_part("threads")
class OfItsThread(Part):
    def __init__(self, file: Path, schema: pa.Schema) -> None:
        super().__init__(file, schema)
        self.thread = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self.thread = self.thread or threading.get_ident()
        if threading.get_ident() != self.thread:
            raise RuntimeError("objects created in a thread can only be used in that same thread")
        super().write(batch)


@wrong("batch")
class WholeNumbers(Files):
    def refuse(self, schema: pa.Schema) -> None:
        if "count" in schema.names and pa.types.is_floating(schema.field("count").type):
            raise DataError("count must be whole")


# -- when it is there


@wrong("all_at_once")
class UnderItsName(Files):
    def open(self, schema: pa.Schema) -> SinkWriter:
        writer = super().open(schema)
        if not self.is_folder:
            writer._temporary = writer._file = self.path.with_name(f"{self.path.name}.new")
        return writer


@wrong_writer("exception")
class LeavesParts(SinkWriter):
    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        if kind is not None:
            self._temporary.write_bytes(b"half")


@wrong("refuses_existing")
class Overwrites(Files):
    def check(self) -> None:
        self.mode, mode = "replace", self.mode
        super().check()
        self.mode = mode


@wrong("replaces")
class TakesAnyFolder(Files):
    def check(self) -> None:
        if self.mode == "error" or not self.path.is_dir():
            super().check()


@wrong("unwritable")
class LooksLater(Files):
    def check(self) -> None:
        if self.path.parent.is_dir():
            super().check()


@wrong_writer("files")
class OldNames(SinkWriter):
    def files(self) -> tuple[Path, ...]:
        return (self._temporary,)
