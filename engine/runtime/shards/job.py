"""What it takes to score any shard of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from engine.plan.plan import Plan
from engine.runtime.rejects import Rejects
from engine.source import Source
from engine.values import BadValue


class BatchPipeline(Protocol):
    """What a batch needs of a pipeline."""

    @property
    def plan(self) -> Plan: ...

    @property
    def version(self) -> str: ...

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a source that must be read, kept ones too."""
        ...

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The inputs by which rows are grouped."""
        ...

    def score_batch(self, batch: pa.RecordBatch, *, text: bool) -> tuple[pa.RecordBatch, list[BadValue]]:
        """The output rows without refused ones, and why those are refused; safe to call from threads."""
        ...

    def check_schema(self, schema: pa.Schema, where: str, *, text: bool = False) -> None:
        """Raise `DataError` if a source's columns don't fit."""
        ...

    def output_schema(self, source: pa.Schema) -> pa.Schema:
        """The columns of the output."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A run, but for its shards.

    Parameters
    ----------
    run_id : str
    pipeline : BatchPipeline
    source : Source
    rejects : Rejects
    schema : pyarrow.Schema
        Of the output.
    columns : tuple of str
        What is read.
    coded : tuple of str
        Columns that had better come as the dictionaries which they may lie in.
    takes_coded : bool
        Whether the sink takes such.
    batch_rows : int
        Rows that are read and scored at a time.
    is_final : bool
        What is written can't be taken back.
    """

    run_id: str
    pipeline: BatchPipeline
    source: Source
    rejects: Rejects
    schema: pa.Schema
    columns: tuple[str, ...]
    coded: tuple[str, ...]
    takes_coded: bool
    batch_rows: int
    is_final: bool = False
