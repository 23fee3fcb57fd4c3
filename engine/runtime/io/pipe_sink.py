"""Standard output as a sink: rows are written as they are scored, and can't be taken back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.files import SinkError, reason
from engine.runtime.io.output import Output, Text
from engine.sink import Mode

NAME = "standard output"


class PipeSink:
    """Rows to standard output, in order.

    Parameters
    ----------
    output : Output

    Raises
    ------
    DataError
        The format can't be written in a stream.
    """

    path: Path | str = NAME
    mode: Mode = "error"
    is_folder = False
    takes_coded = False

    def __init__(self, output: Output) -> None:
        if output.text is None:
            raise DataError(
                f"sink.path=-: {output.extension[1:]} can't be written to {NAME}; csv and jsonl can: "
                "sink.use=jsonl"
            )
        self.extension = output.extension
        self._check_columns = output.check_columns
        self._text = output.text

    @property
    def check_columns(self) -> Callable[[pa.Schema], None]:
        """Raises `DataError` for columns that the format can't hold."""
        return self._check_columns

    def check(self) -> None:
        """See, before anything is read, whether there is somebody to write to.

        Raises
        ------
        DataError
            It is closed.
        """
        if sys.stdout is None:
            raise DataError(f"{NAME} is closed: rows can't be written; to write to a file: sink.path=FILE")

    def open(self, schema: pa.Schema) -> PipeWriter:
        """Start writing; use it as a context manager."""
        self.check_columns(schema)
        self.check()
        return PipeWriter(schema, self._text)


class PipeWriter:
    """Writes to standard output; what else is printed meanwhile, by a plugin perhaps, goes to stderr."""

    def __init__(self, schema: pa.Schema, text: Text) -> None:
        self._schema = schema
        self._text = text
        self._begun = False

    def __enter__(self) -> PipeWriter:
        sys.stdout.flush()
        self._stdout = sys.stdout.fileno()
        self._descriptor = os.dup(self._stdout)
        if sys.stderr is not None:
            os.dup2(sys.stderr.fileno(), self._stdout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._begun:
                self.write(pa.RecordBatch.from_pylist([], schema=self._schema))
        finally:
            sys.stdout.flush()
            os.dup2(self._descriptor, self._stdout)
            os.close(self._descriptor)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows, and don't return before they are written.

        Raises
        ------
        BrokenPipeError
            Nobody reads any more.
        DataError
            They can't be written, as when the disk is full.
        """
        left = memoryview(self._text(batch, not self._begun))
        self._begun = True
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"{NAME}: can't be written: {reason(error)}") from None

    def files(self) -> tuple[Path, ...]:
        """None."""
        return ()
