"""What waits in the queue: a row, or the columns of one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa


class RowEntry(NamedTuple):
    """One row of JSON and its answer.

    Parameters
    ----------
    time : int
        ns since 1970.
    request, version, protocol : str
    row, answer : mapping of str to object
    size : int
        Bytes that it came in.
    """

    time: int
    request: str
    version: str
    protocol: str
    row: Mapping[str, Any]
    answer: Mapping[str, Any]
    size: int

    @property
    def rows(self) -> int:
        """Always 1."""
        return 1


class TableEntry(NamedTuple):
    """The columns of one request and their answer.

    Parameters
    ----------
    time : int
        ns since 1970.
    request, version, protocol : str
    asked, answered : pyarrow.RecordBatch
    refused : frozenset of int
        Rows of ``asked`` that have no row in ``answered``.
    rows : int
        How many of the answered rows are logged, from the first.
    size : int
        Bytes of the two.
    """

    time: int
    request: str
    version: str
    protocol: str
    asked: pa.RecordBatch
    answered: pa.RecordBatch
    refused: frozenset[int]
    rows: int
    size: int
