"""A batch that is written in one go: to a sink that takes no shards."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.io.formats import file_sink
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.io.sink import SinkWriter
from engine.runtime.rejects import Rejects, check_share, rejects_path
from engine.runtime.shards.job import Job
from engine.runtime.shards.plan import Receipt
from engine.sink import Sink, Writer


class OneGo:
    """Takes all of a source as one shard.

    Parameters
    ----------
    job : Job
    sink : Sink

    Attributes
    ----------
    rejects : Path or None
        Where rejected rows go; None: none may be.
    files : tuple of Path
        What was written.
    """

    def __init__(self, job: Job, sink: Sink) -> None:
        self._job = job
        self._sink = sink
        self.rejects = _rejects_file(job.rejects, sink)
        self.files: tuple[Path, ...] = ()

    def attempt(self, run_id: str, shard: int, schema: pa.Schema, rejected: pa.Schema) -> WholeAttempt:
        """Begin to write."""
        return WholeAttempt(self, self._sink, schema, rejected)

    def check(self, receipt: Receipt) -> None:
        """Refuse more rejected rows than may be, of all that were read.

        Raises
        ------
        RefusedError
        """
        job, rows = self._job, receipt.rows_in
        written = receipt.rows_out if job.is_final else 0
        inputs = job.pipeline.plan.inputs
        check_share(job.rejects, inputs, receipt.rejected, rows, rows, receipt.samples, written)


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
        self._old = self._rejects is not None and self._rejects.exists()  # then its mode is replace
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
        if self._rejects is None:
            return  # none may be: the run is about to end
        if self._refused is None:
            sink = file_sink(self._rejects, self._sink.mode)
            self._refused = sink.open(self._rejected_schema).__enter__()
        self._refused.write(batch)

    def publish(self, receipt: Receipt) -> Receipt:
        """Commit: rejected rows first, so that where an output is, no row is lost."""
        self._whole.check(receipt)
        refused, self._refused = self._refused, None
        if refused is not None:
            refused.__exit__(None, None, None)
        try:
            self._stack.__exit__(None, None, None)
        except BaseException:
            if refused is not None and self._rejects is not None:
                self._rejects.unlink(missing_ok=True)
            self._published = True  # the writer has removed what it wrote
            raise
        self._published = True
        self._whole.files = self._writer.files()
        if refused is None and self._old and self._rejects is not None:
            self._rejects.unlink(missing_ok=True)
        return receipt


def _rejects_file(rejects: Rejects, sink: Sink) -> Path | None:
    if isinstance(sink, PipeSink) and rejects.path is None:
        return None
    refused = rejects_path(rejects, sink)
    if not isinstance(refused, Path):
        raise DataError(
            f"{refused}: rejected rows of a sink that takes no shards go to a file of this machine"
        )
    return refused
