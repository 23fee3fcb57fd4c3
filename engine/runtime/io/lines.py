"""Text in blocks of whole lines, of a file or of a range of its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from msgspec.structs import replace

from engine.errors import DataError
from engine.runtime.io.piece import Piece
from engine.runtime.io.storage import StoredFile

MARK = b"\xef\xbb\xbf"
"""What some programs put in front of UTF-8."""
LONGEST = 8 << 20
"""Bytes of a line; with longer ones, memory would depend on the file."""
CUT = 64 << 20
"""Bytes of a piece of text."""


@dataclass(frozen=True)
class Block:
    """Whole lines.

    Parameters
    ----------
    file : StoredFile
    content : bytes
    line : int
        The number of the first, from 1.
    start : int
        The byte from which lines are counted.
    """

    file: StoredFile
    content: bytes
    line: int
    start: int

    def where(self, number: int) -> str:
        """The place of a line, the first of the block being 0, for a message."""
        origin = f" of those from byte {self.start:,}" if self.start else ""
        return f"{self.file}, line {self.line + number}{origin}"


def cut_bytes(file: StoredFile, cut: int) -> Iterator[Piece]:
    """Pieces of about so many bytes: the lines that begin in there; a compressed file is one piece."""
    whole = file.piece()
    if file.compression or file.size <= cut:
        yield whole
        return
    for start in range(0, file.size, cut):
        stop = min(start + cut, file.size)
        yield replace(whole, of="bytes", start=start, stop=stop, first=None if start else 0)


def open_for(file: StoredFile, piece: Piece) -> pa.NativeFile:
    """The file for `read_lines`: only a range needs to be reached by its bytes."""
    return file.open() if piece.of == "bytes" else file.stream()


def read_lines(
    file: StoredFile, handle: pa.NativeFile, piece: Piece, size: int, begin: int = 0, line: int = 1
) -> Iterator[Block]:
    """The lines that begin in a range of bytes, about ``size`` bytes at a time.

    Parameters
    ----------
    file : StoredFile
    handle : pyarrow.NativeFile
        The file; if all of it is read, a stream will do, which stands at ``begin``.
    piece : Piece
    size : int
    begin : int
        Where the first line of all begins, behind a header.
    line : int
        The number of that line.

    Raises
    ------
    DataError
        A line is longer than 8 MB.
    """
    is_range = piece.of == "bytes"
    start, stop = (piece.start, piece.stop) if is_range else (0, None)
    if stop is not None and stop <= begin:
        return
    at, rest = begin, b""
    if start > begin:
        # the line that holds the byte in front of it began earlier
        at, line = _behind_break(handle, start - 1), 1
        if stop is not None and at >= stop:
            return
    else:
        start = 0
    if is_range:
        handle.seek(at)
    while piece_read := handle.read(size):
        at += len(piece_read)
        # the last line begins before the range ends, and may end behind it
        ending = stop - 1 - (at - len(piece_read)) if stop is not None else len(piece_read)
        is_last = (cut := piece_read.find(b"\n", max(ending, 0)) + 1) > 0
        if not is_last:
            cut = piece_read.rfind(b"\n") + 1
        if not cut:
            rest += piece_read
            if len(rest) > LONGEST:
                raise DataError(
                    f"{Block(file, rest, line, start).where(0)}: is longer than {LONGEST >> 20} MB"
                )
            continue
        block, rest = rest + piece_read[:cut], piece_read[cut:]
        yield Block(file, block, line, start)
        if is_last:
            return
        line += block.count(b"\n")
    if rest:
        yield Block(file, rest, line, start)


def _behind_break(handle: pa.NativeFile, at: int) -> int:
    """Where the next line begins behind a byte, or the file ends."""
    handle.seek(at)
    while content := handle.read(1 << 16):
        place = int(content.find(b"\n"))
        if place >= 0:
            return at + place + 1
        at += len(content)
    return at
