"""A batch that is written in one go: to a sink that takes no shards."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.formats import file_sink
from engine.runtime.io.sink import SinkWriter
from engine.runtime.rejects import Rejects, rejects_path
from engine.runtime.shards.plan import Receipt
from engine.sink import Sink, Writer


class OneGo:
    """Takes all of a source as one shard.

    Parameters
    ----------
    sink : Sink
    rejects : Rejects
    """

    def __init__(self, sink: Sink, rejects: Rejects) -> None:
        self._sink = sink
        refused = rejects_path(rejects, sink)
        if not isinstance(refused, Path):
            raise DataError(
                f"{refused}: rejected rows of a sink that takes no shards go to a file of this machine"
            )
        self.rejects = refused
        self.files: tuple[Path, ...] = ()

    def attempt(self, run_id: str, shard: int, schema: pa.Schema, rejected: pa.Schema) -> WholeAttempt:
        """Begin to write."""
        return WholeAttempt(self, self._sink, schema, rejected)


class WholeAttempt:
    """Writes the output and the rejected rows; both are there when it is published, or neither."""

    def __init__(self, whole: OneGo, sink: Sink, schema: pa.Schema, rejected: pa.Schema) -> None:
        self._whole = whole
        self._sink = sink
        self._rejects = whole.rejects
        self._schema = schema
        self._rejected_schema = rejected
        self._refused: SinkWriter | None = None
        self._stack = ExitStack()
        self._published = False

    def __enter__(self) -> WholeAttempt:
        self._old = self._rejects.exists()  # then its mode is replace
        self._writer: Writer = self._stack.enter_context(self._sink.open(self._schema))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._published:
            if self._refused is not None:
                self._refused.__exit__(kind, error, trace)
            self._stack.__exit__(kind or RuntimeError, error or RuntimeError("not published"), trace)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of the output."""
        self._writer.write(batch)

    def reject(self, batch: pa.RecordBatch) -> None:
        """Append rejected rows."""
        if self._refused is None:
            sink = file_sink(self._rejects, self._sink.mode)
            self._refused = sink.open(self._rejected_schema).__enter__()
        self._refused.write(batch)

    def publish(self, receipt: Receipt) -> Receipt:
        """Commit: rejected rows first, so that where an output is, no row is lost."""
        refused, self._refused = self._refused, None
        if refused is not None:
            refused.__exit__(None, None, None)
        try:
            self._stack.__exit__(None, None, None)
        except BaseException:
            if refused is not None:
                self._rejects.unlink(missing_ok=True)
            self._published = True  # the writer has removed what it wrote
            raise
        self._published = True
        self._whole.files = self._writer.files()
        if refused is None and self._old:
            self._rejects.unlink(missing_ok=True)
        return receipt
