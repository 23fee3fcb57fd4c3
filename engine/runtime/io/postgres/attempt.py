"""One try at a shard whose output goes to a table: its rows and its receipt in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from types import TracebackType

import msgspec
import pyarrow as pa

from engine.failpoint import reach
from engine.runtime.io.postgres.names import Table
from engine.runtime.io.postgres.records import Records
from engine.runtime.io.postgres.session import UNIQUE_VIOLATION, ServerError, Session, WriteError
from engine.runtime.io.postgres.staging import Staging, of_shard
from engine.runtime.io.postgres.types import to_copy
from engine.runtime.shards.plan import Receipt


class TableAttempt:
    """Copies rows to where nobody looks; what isn't published is undone by the server.

    Parameters
    ----------
    connect : callable
        Gives a connection.
    target : Table
        With its schema.
    run_id : str
    shard : int
    schema : pyarrow.Schema
        Of the output.
    """

    def __init__(
        self, connect: Callable[[], Session], target: Table, run_id: str, shard: int, schema: pa.Schema
    ) -> None:
        self._connect = connect
        self._target = target
        self._run_id = run_id
        self._shard = shard
        self._schema = schema
        self._staging = Staging(target, run_id)
        self._attempt = f"{shard:05d}-{uuid.uuid4().hex[:12]}"
        self._size = 0

    def __enter__(self) -> TableAttempt:
        self._session = self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of the output."""
        self._session.copy(self._staging.rows, to_copy(batch, self._schema))
        self._size += batch.nbytes

    def reject(self, batch: pa.RecordBatch) -> None:
        """Append rejected rows."""
        self._session.copy(self._staging.rejects, of_shard(batch, self._shard))

    def publish(self, receipt: Receipt) -> Receipt:
        """Have rows and receipt there, unless another attempt's are."""
        receipt = msgspec.structs.replace(receipt, attempt=self._attempt, size=self._size)
        reach("attempt.written")
        records = Records(self._session, self._target)
        try:
            is_open = records.is_open(self._run_id)
            if is_open:
                records.add(self._run_id, receipt)
                reach("attempt.kept")
                self._session.commit()
                reach("receipt.made")
                return receipt
        except ServerError as error:
            if error.code != UNIQUE_VIOLATION:
                raise
        self._session.rollback()
        first = records.receipts(self._run_id).get(self._shard)
        if first is None:
            raise WriteError(
                f"{self._session.where}: run {self._run_id} was ended or discarded by another process"
            )
        return first
