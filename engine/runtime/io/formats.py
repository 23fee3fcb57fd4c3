"""The formats that the engine reads and writes itself: what the plugins in plugins/sources and sinks open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.encode_json import json_lines
from engine.errors import DataError
from engine.runtime.io import csv, ipc, jsonl, parquet
from engine.runtime.io.address import file_ending
from engine.runtime.io.files import format_of
from engine.runtime.io.finding import find
from engine.runtime.io.join import join_csv, join_ipc, join_lines, join_parquet_files
from engine.runtime.io.object_sink import ObjectSink
from engine.runtime.io.output import Output
from engine.runtime.io.part import FilePart, part_of
from engine.runtime.io.piece import Piece
from engine.runtime.io.pipe import PIPE, PipeSource
from engine.runtime.io.pipe_csv import PipedCsvReader
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.io.reader import FileFormat
from engine.runtime.io.sink import FileSink
from engine.runtime.io.source import FileSource
from engine.runtime.io.storage import DISK, address_of, options_of, storage_of
from engine.sink import Mode
from engine.source import Address

_PACKERS = {"gz": "gzip", "zst": "zstd"}


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
    stream : callable, optional
        Makes what reads the format from standard input, where that can be done.
    **how : str or bool
        The other options, which tell how a file is read.
    """

    def __init__(
        self,
        name: str,
        format: FileFormat,
        path: str,
        extensions: Iterable[str],
        storage: Mapping[str, Any] | None = None,
        stream: Callable[[], FileFormat] | None = None,
        **how: str | bool,
    ) -> None:
        self._name = name
        self._how = {"format": name, **how}
        self._format = format
        self._stream = stream
        self._is_pipe = path == PIPE
        self._formats = dict.fromkeys(extensions, name)
        self._address = address_of(path)
        self._storage = storage_of(self._address, options_of(storage))

    def open(self) -> FileSource | PipeSource:
        """All of them; the path ``-`` is standard input."""
        if self._is_pipe:
            return PipeSource(self._streamed())
        found = find(self._address, self._storage, self._formats, self._name)
        return FileSource(self._address, found.files, self._format, found.keys, self._how)

    def part(self, pieces: Sequence[Piece]) -> FilePart:
        """Some pieces of them, without a look at the others."""
        return part_of(self._address, self._format, pieces, self._storage)

    def _streamed(self) -> FileFormat:
        if self._stream is None:
            raise DataError(
                f"source.path=-: {self._name} can't be read from standard input; csv and jsonl can: "
                "source.use=jsonl"
            )
        return self._stream()


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
    format = csv.CsvReader(_character(delimiter), multiline)
    stream = partial(PipedCsvReader, _character(delimiter), multiline)
    how: dict[str, str | bool] = {"delimiter": delimiter, "multiline": multiline}
    return SourceFiles("csv", format, path, extensions, storage, stream, **how)


def jsonl_files(
    path: str, extensions: Iterable[str], storage: Mapping[str, Any] | None = None
) -> SourceFiles:
    """Files of lines of JSON."""
    return SourceFiles("jsonl", jsonl.JsonlReader(), path, extensions, storage, jsonl.JsonlReader)


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


def parquet_output(extension: str = ".parquet") -> Output:
    """How Parquet is written."""
    return Output(extension, parquet.ParquetPart, parquet.check_columns, True, join_parquet_files)


def csv_output(extension: str = ".csv", delimiter: str = ",") -> Output:
    """How CSV is written; compressed by an extension such as ``.csv.gz``."""
    part = partial(csv.CsvPart, delimiter=_character(delimiter))
    join = partial(join_csv, part=part)
    text = partial(csv.csv_lines, delimiter=_character(delimiter))
    return Output(extension, part, csv.check_columns, join=join, options={"delimiter": delimiter}, text=text)


def jsonl_output(extension: str = ".jsonl") -> Output:
    """How lines of JSON are written; compressed by an extension such as ``.jsonl.gz``."""
    return Output(
        extension,
        jsonl.JsonlPart,
        jsonl.check_columns,
        join=join_lines,
        text=lambda batch, _: json_lines(batch),
    )


def arrow_output(extension: str = ".arrow") -> Output:
    """How Arrow IPC is written."""
    return Output(extension, ipc.IpcPart, ipc.check_columns, join=join_ipc)


def output_of(address: Address) -> Output:
    """How a file is written in the format that its ending tells.

    Raises
    ------
    DataError
        The ending is of no format.
    """
    makers: dict[str, Callable[[str], Output]] = {
        "csv": csv_output,
        "jsonl": jsonl_output,
        "arrow": arrow_output,
        "parquet": parquet_output,
    }
    return makers[format_of(address)](file_ending(address))


def files_sink(
    path: str | Address, mode: Mode, output: Output, storage: Mapping[str, Any] | None = None
) -> FileSink | ObjectSink | PipeSink:
    """A file, or without an ending a folder of them, on this machine or in a store; ``-`` is standard output.

    Parameters
    ----------
    path : str or Path
        A path or a URL.
    mode : {"error", "append", "replace"}
    output : Output
        How its files are written; the ending of one file is its own.
    storage : mapping, optional
        The option ``storage``.

    Raises
    ------
    DataError
        The URL is of an unknown sort, or the format can't be written to standard output.
    """
    if path == PIPE:
        return PipeSink(output)
    address = address_of(path) if isinstance(path, str) else path
    if file_ending(address):
        output = replace(output, extension=file_ending(address))
    if isinstance(address, str):
        return ObjectSink(address, output, mode, options_of(storage))
    return FileSink(
        address,
        output.extension,
        output.part,
        output.check_columns,
        mode=mode,
        takes_coded=output.takes_coded,
        join=output.join,
        options=output.options,
    )


def compressed_ending(extension: str, compression: str | None) -> str:
    """The ending of a folder's files: ``.csv`` and ``gz`` are ``.csv.gz``."""
    return f"{extension}.{compression}" if compression else extension


def file_sink(path: Path, mode: Mode) -> FileSink:
    """A file of this machine in the format that its ending tells.

    Raises
    ------
    DataError
        The ending is of no format.
    """
    sink = files_sink(path, mode, output_of(path))
    assert isinstance(sink, FileSink)
    return sink


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


def place_mistakes(path: str, mode: Mode, compression: str | None) -> Iterable[str]:
    """What is wrong with options of a sink that is standard output, or one file."""
    if path == PIPE:
        if mode != "error":
            yield "mode: standard output has none: what is written can't be replaced; leave it out"
        if compression is not None:
            yield f"compression: standard output isn't compressed; pipe it on: … | {_PACKERS[compression]}"
    elif compression is not None and (ending := file_ending(path)) and not ending.endswith(f".{compression}"):
        name = f"{path.removesuffix('.gz').removesuffix('.zst')}.{compression}"
        yield f"compression: one file's ending tells it: sink.path={name}; leave the option out"


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
