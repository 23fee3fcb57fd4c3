"""Several files of one format, written by the same columns, as one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.compressed import compression
from engine.runtime.io.durable import begin_writing_out
from engine.runtime.io.files import reading, writing
from engine.runtime.io.ipc import IpcPart
from engine.runtime.io.output import PartMaker
from engine.runtime.io.parquet_join import join_parquet

_CHUNK = 4 << 20


def join_parquet_files(parts: Sequence[Path], file: Path, schema: pa.Schema) -> None:
    """Copy the row groups of Parquet files."""
    with writing(file), pa.OSFile(str(file), "wb") as output:
        join_parquet([partial(_opened, part, file) for part in parts], output)


def join_lines(parts: Sequence[Path], file: Path, schema: pa.Schema) -> None:
    """Copy files of lines; compressed ones, too: a file may hold several compressed ones."""
    with writing(file), file.open("wb") as output:
        for part in parts:
            _copy(part, output, 0)
            begin_writing_out(file)


def join_csv(parts: Sequence[Path], file: Path, schema: pa.Schema, part: PartMaker) -> None:
    """Copy files of CSV, with the header of the first alone."""
    way = compression(file)
    header = _header(part, schema)
    with writing(file), file.open("wb") as output:
        for number, each in enumerate(parts):
            if number and way:
                _copy_compressed(each, output, len(header), way)
            else:
                _copy(each, output, len(header) if number else 0)
            begin_writing_out(file)


def join_ipc(parts: Sequence[Path], file: Path, schema: pa.Schema) -> None:
    """Write the batches of Arrow files again: a file has one dictionary for each column."""
    written = IpcPart(file, schema)
    try:
        for part in parts:
            with reading(part), pa.OSFile(str(part)) as handle, pa.ipc.open_file(handle) as opened:
                for number in range(opened.num_record_batches):
                    batch = opened.get_batch(number)
                    written.write(batch)
    except BaseException:
        written.abandon()
        raise
    written.close()


def _opened(part: Path, file: Path) -> pa.NativeFile:
    """A part; what was joined before it goes to the disk meanwhile."""
    begin_writing_out(file)
    return pa.OSFile(str(part))


def _header(part: PartMaker, schema: pa.Schema) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "header.csv"
        part(path, schema).close()
        return path.read_bytes()


def _copy_compressed(part: Path, output: BinaryIO, start: int, way: str) -> None:
    """Append what follows the first bytes of a compressed file, compressed by itself."""
    with reading(part), pa.CompressedInputStream(pa.OSFile(str(part)), way) as source:
        source.read(start)
        buffer = pa.BufferOutputStream()
        with pa.CompressedOutputStream(buffer, way) as packed:
            while chunk := source.read(_CHUNK):
                packed.write(chunk)
        output.write(buffer.getvalue())


def _copy(part: Path, output: BinaryIO, start: int) -> None:
    try:
        source = part.open("rb")
    except OSError as error:
        raise DataError(f"{part}: can't be read: {error.strerror}") from None
    with source:
        source.seek(start)
        shutil.copyfileobj(source, output, _CHUNK)
