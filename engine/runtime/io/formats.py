"""The formats that the engine reads and writes itself: what the plugins in plugins/sources and sinks open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from engine.runtime.io import csv, ipc, jsonl, parquet
from engine.runtime.io.files import find_files, format_of
from engine.runtime.io.join import join_csv, join_ipc, join_lines, join_parquet_files
from engine.runtime.io.part import FileFormat, FilePart, part_of
from engine.runtime.io.piece import Piece
from engine.runtime.io.sink import FileSink
from engine.runtime.io.source import FileSource
from engine.runtime.io.storage import look_up
from engine.sink import Mode


def parquet_source(path: Path) -> FileSource:
    """A Parquet file, or a folder of them."""
    return _source(path, "parquet", (".parquet",), parquet.ParquetReader())


def csv_source(
    path: Path, delimiter: str = ",", extensions: Iterable[str] = (".csv",), multiline: bool = True
) -> FileSource:
    """A CSV file, or a folder of them: of the files that end so."""
    return _source(path, "csv", extensions, _csv_reader(delimiter, multiline))


def jsonl_source(path: Path, extensions: Iterable[str] = (".jsonl",)) -> FileSource:
    """A file of lines of JSON, or a folder of them: of the files that end so."""
    return _source(path, "jsonl", extensions, jsonl.JsonlReader())


def arrow_source(path: Path, extensions: Iterable[str] = (".arrow",)) -> FileSource:
    """An Arrow IPC file or stream, or a folder of them: of the files that end so."""
    return _source(path, "arrow", extensions, ipc.IpcReader())


def parquet_part(path: Path, pieces: Sequence[Piece]) -> FilePart:
    """Pieces of Parquet files."""
    return part_of(path, parquet.ParquetReader(), pieces)


def csv_part(path: Path, pieces: Sequence[Piece], delimiter: str = ",", multiline: bool = True) -> FilePart:
    """Pieces of CSV files."""
    return part_of(path, _csv_reader(delimiter, multiline), pieces)


def jsonl_part(path: Path, pieces: Sequence[Piece]) -> FilePart:
    """Pieces of files of lines of JSON."""
    return part_of(path, jsonl.JsonlReader(), pieces)


def arrow_part(path: Path, pieces: Sequence[Piece]) -> FilePart:
    """Pieces of Arrow IPC files."""
    return part_of(path, ipc.IpcReader(), pieces)


def parquet_sink(path: Path, mode: Mode) -> FileSink:
    """A Parquet file, or without an extension a folder of them."""
    return FileSink(
        path,
        ".parquet",
        parquet.ParquetPart,
        parquet.check_columns,
        mode=mode,
        takes_coded=True,
        join=join_parquet_files,
    )


def csv_sink(path: Path, mode: Mode, delimiter: str = ",") -> FileSink:
    """A CSV file, or without an extension a folder of them."""
    part = partial(csv.CsvPart, delimiter=_character(delimiter))
    join = partial(join_csv, part=part)
    options = {"delimiter": delimiter}
    return FileSink(path, ".csv", part, csv.check_columns, mode=mode, join=join, options=options)


def jsonl_sink(path: Path, mode: Mode) -> FileSink:
    """A file of lines of JSON, or without an extension a folder of them."""
    return FileSink(path, ".jsonl", jsonl.JsonlPart, jsonl.check_columns, mode=mode, join=join_lines)


def arrow_sink(path: Path, mode: Mode) -> FileSink:
    """An Arrow IPC file, or without an extension a folder of them."""
    return FileSink(path, ".arrow", ipc.IpcPart, ipc.check_columns, mode=mode, join=join_ipc)


def file_sink(path: Path, mode: Mode) -> FileSink:
    """A file in the format that its extension tells.

    Raises
    ------
    DataError
        The extension is of no format.
    """
    makers = {"csv": csv_sink, "jsonl": jsonl_sink, "arrow": arrow_sink, "parquet": parquet_sink}
    return makers[format_of(path)](path, mode)


def file_columns(path: Path) -> pa.Schema:
    """The columns of a file of the format that its extension tells.

    Raises
    ------
    DataError
        The extension is of no format, or the file can't be read.
    """
    makers: dict[str, Callable[[], FileFormat]] = {
        "csv": csv.CsvReader,
        "jsonl": jsonl.JsonlReader,
        "arrow": ipc.IpcReader,
        "parquet": parquet.ParquetReader,
    }
    return makers[format_of(path)]().head(look_up(path)).schema


def delimiter_mistakes(delimiter: str) -> Iterable[str]:
    """What is wrong with the option ``delimiter``."""
    character = _character(delimiter)
    if len(character.encode()) != 1:
        yield f"delimiter: expected one character, found {delimiter!r}"
    elif character in ('"', "\r", "\n", "\0"):
        yield (
            f"delimiter: {delimiter!r} can't part fields: quotes and line breaks have a meaning of their own "
            "in CSV"
        )


def _character(delimiter: str) -> str:
    return "\t" if delimiter in ("\\t", "tab") else delimiter


def _csv_reader(delimiter: str, multiline: bool) -> csv.CsvReader:
    return csv.CsvReader(_character(delimiter), multiline)


def _source(path: Path, kind: str, extensions: Iterable[str], format: FileFormat) -> FileSource:
    files = find_files(path, kind, dict.fromkeys(extensions, kind))[1]
    return FileSource(path, [look_up(file) for file in files], format)
