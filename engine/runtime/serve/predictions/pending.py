"""Rows of one version that will be its next file."""

from __future__ import annotations

from time import monotonic

import pyarrow as pa

_MOST_BATCHES = 256
_MOST_BYTES = 64 << 20


class Pending:
    """Gathers batches of one schema.

    Attributes
    ----------
    rows : int
    micros : int
        The time of the first row, µs since 1970.
    """

    def __init__(self, schema: pa.Schema, micros: int) -> None:
        self._schema = schema
        self._batches: list[pa.RecordBatch] = []
        self._joined: list[pa.RecordBatch] = []
        self._bytes = 0
        self._since = monotonic()
        self.rows = 0
        self.micros = micros

    def add(self, batch: pa.RecordBatch) -> None:
        """Take some rows."""
        self._batches.append(batch)
        self.rows += batch.num_rows
        self._bytes += batch.nbytes
        if len(self._batches) >= _MOST_BATCHES:  # many small arrays take far more room than their values
            self._joined += pa.Table.from_batches(self._batches).combine_chunks().to_batches()
            self._batches = []

    def is_due(self, rows: int, seconds: float) -> bool:
        """Whether it is time to write them: so many rows, so many seconds, or too much memory."""
        return self.rows >= rows or self._bytes >= _MOST_BYTES or monotonic() - self._since >= seconds

    def table(self) -> pa.Table:
        """All rows."""
        return pa.Table.from_batches([*self._joined, *self._batches], self._schema)
