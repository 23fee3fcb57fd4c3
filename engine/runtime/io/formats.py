"""The formats that the engine reads and writes itself: what the plugins in plugins/sources and sinks open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io import csv, ipc, jsonl, parquet
from engine.runtime.io.files import format_of
from engine.runtime.io.finding import find
from engine.runtime.io.join import join_csv, join_ipc, join_lines, join_parquet_files
from engine.runtime.io.part import FileFormat, FilePart, part_of
from engine.runtime.io.piece import Piece
from engine.runtime.io.sink import FileSink
from engine.runtime.io.source import FileSource
from engine.runtime.io.storage import DISK, address_of, options_of, storage_of
from engine.sink import Mode


class SourceFiles:
    """How a source's files are found and read.

    Parameters
    ----------
    name : str
        Of the plugin.
    format : FileFormat
    path : str
        A path, a URL or a pattern.
    extensions : iterable of str
        Endings of the files that are taken from a folder.
    storage : mapping, optional
        The option ``storage``.
    """

    def __init__(
        self,
        name: str,
        format: FileFormat,
        path: str,
        extensions: Iterable[str],
        storage: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = name
        self._format = format
        self._formats = dict.fromkeys(extensions, name)
        self._address = address_of(path)
        self._storage = storage_of(self._address, options_of(storage))

    def open(self) -> FileSource:
        """All of them."""
        found = find(self._address, self._storage, self._formats, self._name)
        return FileSource(self._address, found.files, self._format, found.keys)

    def part(self, pieces: Sequence[Piece]) -> FilePart:
        """Some pieces of them, without a look at the others."""
        return part_of(self._address, self._format, pieces, self._storage)


def parquet_files(
    path: str, extensions: Iterable[str], storage: Mapping[str, Any] | None = None
) -> SourceFiles:
    """Parquet files."""
    return SourceFiles("parquet", parquet.ParquetReader(), path, extensions, storage)


def csv_files(
    path: str,
    extensions: Iterable[str],
    storage: Mapping[str, Any] | None = None,
    delimiter: str = ",",
    multiline: bool = True,
) -> SourceFiles:
    """CSV files."""
    return SourceFiles("csv", csv.CsvReader(_character(delimiter), multiline), path, extensions, storage)


def jsonl_files(
    path: str, extensions: Iterable[str], storage: Mapping[str, Any] | None = None
) -> SourceFiles:
    """Files of lines of JSON."""
    return SourceFiles("jsonl", jsonl.JsonlReader(), path, extensions, storage)


def arrow_files(
    path: str, extensions: Iterable[str], storage: Mapping[str, Any] | None = None
) -> SourceFiles:
    """Arrow IPC files and streams."""
    return SourceFiles("arrow", ipc.IpcReader(), path, extensions, storage)


def storage_mistakes(storage: Mapping[str, Any] | None) -> Iterable[str]:
    """What is wrong with the option ``storage``."""
    try:
        options_of(storage)
    except DataError as error:
        yield f"storage: {error}"


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
    return makers[format_of(path)]().head(DISK.file(path)).schema


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
