"""Standard input as a source: read once, in a stream, as it comes."""

from __future__ import annotations

import fcntl
import os
import select
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.reader import FileFormat
from engine.runtime.io.storage import DISK, StoredFile
from engine.source import Address

PIPE = "-"
"""The path that stands for standard input, or standard output."""
NAME = "standard input"

_CAPACITY = 1 << 20
"""Bytes that may wait in the pipe, so that who writes goes on while rows are scored."""
_PAUSE = 0.25
"""Seconds without a byte after which the beginning is taken for all that tells the columns."""


class Pipe:
    """The bytes of standard input; its beginning can be read twice, first for what it tells of the rest."""

    def __init__(self) -> None:
        self.beginning = b""
        self._streams = 0
        self._ended = False

    @property
    def is_blank(self) -> bool:
        """Whether it ended, and its beginning was all and holds nothing but blanks."""
        return self._ended and not self.beginning.strip()

    def stream(self) -> PipeStream:
        """Its bytes from the beginning: the first time a look at it, the second time all of it.

        Raises
        ------
        DataError
            It was read already, is closed, or is a terminal.
        """
        self._streams += 1
        if self._streams > 2:
            raise DataError(
                f"{NAME}: can be read only once; write the rows to a file, and read that: source.path=FILE"
            )
        return PipeStream(self, _descriptor(), looks=self._streams == 1)

    def ended(self) -> None:
        """Nothing more comes."""
        self._ended = True


class PipeStream:
    """Reads what is there, and waits only where nothing is.

    Parameters
    ----------
    pipe : Pipe
    descriptor : int
    looks : bool
        What is read is remembered as the beginning, and waited for until the writer pauses.
    """

    def __init__(self, pipe: Pipe, descriptor: int, looks: bool) -> None:
        self._pipe = pipe
        self._descriptor = descriptor
        self._looks = looks
        self._again = b"" if looks else pipe.beginning
        self._waiting = select.poll()
        self._waiting.register(descriptor, select.POLLIN)

    def __enter__(self) -> PipeStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, size: int) -> bytes:
        """At least one byte and at most ``size``; none at the end."""
        if self._again:
            found, self._again = self._again[:size], self._again[size:]
            return found
        parts: list[bytes] = []
        wait = None
        while size and self._waiting.poll(wait):
            try:
                part = os.read(self._descriptor, size)
            except BlockingIOError:  # another process took it
                continue
            if not part:
                self._pipe.ended()
                break
            parts.append(part)
            size -= len(part)
            wait = _PAUSE * 1000 if self._looks else 0
        found = b"".join(parts)
        if self._looks:
            self._pipe.beginning += found
        return found


def _descriptor() -> int:
    if sys.stdin is None:
        raise DataError(f"{NAME} is closed: there is nothing to read; write the rows to it: … | engine …")
    if sys.stdin.isatty():
        raise DataError(
            f"{NAME} is a terminal: pipe the rows in (cat rows.jsonl | engine …), or read a file: "
            "source.path=rows.jsonl"
        )
    descriptor = sys.stdin.fileno()
    with suppress(OSError):  # no pipe, or more than this user may have
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _CAPACITY)
    return descriptor


@dataclass(frozen=True)
class PipeFile(StoredFile):
    """Standard input, for those who read a file from its beginning.

    Parameters
    ----------
    pipe : Pipe
    """

    pipe: Pipe

    def stream(self) -> Any:
        """Its bytes, as they come."""
        return self.pipe.stream()


class PipeSource:
    """Rows of standard input; nothing is read before its columns are asked for.

    Parameters
    ----------
    format : FileFormat
    """

    path: Address = NAME
    rows: int | None = None

    def __init__(self, format: FileFormat) -> None:
        self.text = format.text
        self._format = format
        self._file = PipeFile(NAME, 0, "", DISK, Pipe())

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns that its beginning tells."""
        return self._format.head(self._file).schema

    @property
    def is_open(self) -> bool:
        """Whether later rows may have columns that its beginning doesn't tell."""
        return not self.text

    @property
    def is_blank(self) -> bool:
        """Whether it ended without a row, and without a word about its columns."""
        return not self.schema.names and self._file.pipe.is_blank

    def files(self) -> tuple[Address, ...]:
        """None."""
        return ()

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, as soon as they are there, at most ``batch_rows`` at a time.

        Raises
        ------
        DataError
            It can't be read, or was read already.
        """
        wanted = list(self.schema.names if columns is None else columns)
        return self._format.batches(self._file, [self._file.piece()], wanted, batch_rows, coded)

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message."""
        return f"{NAME}, row {row}"
