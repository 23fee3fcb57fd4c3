"""One try at a shard whose output is a file."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import ExitStack, suppress
from types import TracebackType

import msgspec
import pyarrow as pa

from engine.failpoint import reach
from engine.runtime.io.durable import begin_writing_out
from engine.runtime.io.files import SinkError, writing
from engine.runtime.io.ipc import IpcPart
from engine.runtime.io.output import Part, PartMaker
from engine.runtime.shards.plan import Receipt
from engine.runtime.store import Scratch, Store


def attempt_names(attempt: str, extension: str) -> tuple[str, str]:
    """The files of an attempt: of its output, and of its rejected rows (there only if there are any)."""
    return f"{attempt}{extension}", f"{attempt}.rejected.arrow"


class FileAttempt:
    """Writes a file that nobody looks at, and says so in the shard's receipt once it is on the disk.

    Parameters
    ----------
    store : Store
    run : str
        The folder of the run.
    shard : int
    part : callable
    extension : str
        Of the file, with the dot.
    schema : pyarrow.Schema
    rejected : pyarrow.Schema
    """

    def __init__(
        self,
        store: Store,
        run: str,
        shard: int,
        part: PartMaker,
        extension: str,
        schema: pa.Schema,
        rejected: pa.Schema,
    ) -> None:
        self._store = store
        self._run = run
        self._shard = shard
        self._make = part
        self._schema = schema
        self._rejected_schema = rejected
        self._attempt = f"{shard:05d}-{uuid.uuid4().hex[:12]}"
        self._names = attempt_names(self._attempt, extension)
        self._stack = ExitStack()
        self._open: list[Part] = []

    def __enter__(self) -> FileAttempt:
        self._scratch, self._part = self._begin(self._names[0], self._make, self._schema)
        self._rejects: tuple[Scratch, Part] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._open:
            with suppress(Exception):  # the file goes anyway
                part.abandon()
        self._stack.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of the output."""
        self._part.write(batch)
        begin_writing_out(self._scratch.path)

    def reject(self, batch: pa.RecordBatch) -> None:
        """Append rejected rows."""
        if self._rejects is None:
            self._rejects = self._begin(self._names[1], IpcPart, self._rejected_schema)
        self._rejects[1].write(batch)

    def publish(self, receipt: Receipt) -> Receipt:
        """Have the files last, and the receipt lie there, unless another attempt's does."""
        if self._rejects is not None:
            self._end(*self._rejects)
        self._end(self._scratch, self._part)
        reach("attempt.written")
        path = self._scratch.path
        with writing(path), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        receipt = msgspec.structs.replace(receipt, attempt=self._attempt, size=size, digest=digest)
        if self._rejects is not None:
            self._rejects[0].keep()
        self._scratch.keep()
        reach("attempt.kept")
        name = f"{self._run}/receipts/{self._shard:05d}.json"
        if self._store.create(name, msgspec.json.encode(receipt)):
            reach("receipt.made")
            return receipt
        first = self._store.read(name)
        if first is None:
            raise SinkError(f"{self._store.shown(name)}: somebody removed it meanwhile")
        for written in self._names:
            self._store.remove(f"{self._run}/attempts/{written}")
        return msgspec.json.decode(first, type=Receipt)

    def _begin(self, name: str, make: PartMaker, schema: pa.Schema) -> tuple[Scratch, Part]:
        scratch = self._stack.enter_context(self._store.scratch(f"{self._run}/attempts/{name}"))
        part = make(scratch.path, schema)
        self._open.append(part)
        return scratch, part

    def _end(self, scratch: Scratch, part: Part) -> None:
        part.close()
        self._open.remove(part)
