"""The file of a run's rejected rows, made of what its shards put aside."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from engine.failpoint import reach
from engine.runtime.io.address import file_ending
from engine.runtime.io.files import reading
from engine.runtime.io.output import PartMaker
from engine.runtime.shards.attempt import attempt_names
from engine.runtime.shards.plan import Plan, Receipt, Shard
from engine.runtime.store import Store


class RejectedFile:
    """Where rejected rows go.

    Parameters
    ----------
    store : Store
    name : str
        In that store.
    part : callable
        ``part(file, schema)`` starts a file.
    each : bool
        Each run has a file of its own, with the run's id in its name.
    """

    def __init__(self, store: Store, name: str, part: PartMaker, each: bool = False) -> None:
        self._store = store
        self._name = name
        self._part = part
        self._each = each

    def name(self, run_id: str) -> str:
        """The file of a run, in the store."""
        if not self._each:
            return self._name
        ending = file_ending(self._name)
        return f"{self._name.removesuffix(ending)}.{run_id}{ending}"

    def shown(self, run_id: str) -> str:
        """The file of a run as people write it."""
        return self._store.shown(self.name(run_id))

    def remove(self, run_id: str) -> None:
        """Remove the file of a run."""
        self._store.remove(self.name(run_id))

    def publish(
        self, store: Store, run: str, plan: Plan, receipts: Sequence[Receipt], schema: pa.Schema
    ) -> str:
        """Make the file, or remove an earlier run's where no row is rejected.

        Parameters
        ----------
        store : Store
            Where the run's attempts lie.
        run : str
            The folder of the run.
        plan : Plan
        receipts : sequence of Receipt
            In the order of the plan's shards.
        schema : pyarrow.Schema

        Returns
        -------
        str
            The file as people write it; empty: no row is rejected.
        """
        target = self.name(plan.run_id)
        if not any(receipt.rejected for receipt in receipts):
            self._store.remove(target)
            return ""
        # its ending says whether it is compressed
        whole = f"{self._begun(plan.run_id)}{uuid.uuid4().hex[:12]}{file_ending(self._name)}"
        with self._store.scratch(whole) as scratch:
            part = self._part(scratch.path, schema)
            try:
                for batch in _batches(store, run, plan, receipts):
                    part.write(batch)
                part.close()
            except BaseException:
                with suppress(Exception):  # the file goes anyway
                    part.abandon()
                raise
            reach("rejects.written")
            scratch.keep()
        self._store.rename(whole, target)
        return self._store.shown(target)

    def clean(self, run_id: str) -> None:
        """Remove what was begun and not published."""
        for name in self._store.names():
            if name.startswith(self._begun(run_id)):
                self._store.remove(name)

    def _begun(self, run_id: str) -> str:
        """How the names begin of files that aren't published."""
        return f"_{self._name}.{run_id}."


def _batches(store: Store, run: str, plan: Plan, receipts: Sequence[Receipt]) -> Iterator[pa.RecordBatch]:
    read: dict[str, int] = {}
    for shard, receipt in zip(plan.shards, receipts, strict=True):
        if receipt.rejected:
            starts = _starts(shard, read)
            with store.local(f"{run}/attempts/{attempt_names(receipt.attempt, '')[1]}") as path:
                for batch in _from(path):
                    yield _placed(batch, starts) if any(starts.values()) else batch
        for piece, rows in zip(shard.pieces, receipt.read, strict=False):
            read[piece.file] = read.get(piece.file, 0) + rows


def _starts(shard: Shard, read: dict[str, int]) -> dict[str, int]:
    """By file, how many rows lie in front of those that a shard could only number from its own beginning."""
    return {piece.file: read.get(piece.file, 0) for piece in shard.pieces if piece.first is None}


def _placed(batch: pa.RecordBatch, starts: dict[str, int]) -> pa.RecordBatch:
    """The rows with the numbers that they have in their files."""
    files = pa.array(list(starts), pa.string())
    before = pa.array(list(starts.values()), pa.int64())
    more = pc.fill_null(before.take(pc.index_in(batch.column("file"), value_set=files)), 0)
    place = batch.schema.get_field_index("row")
    return batch.set_column(place, batch.schema.field(place), pc.add(batch.column("row"), more))


def _from(path: Path) -> Iterator[pa.RecordBatch]:
    with reading(path), pa.OSFile(str(path)) as handle, pa.ipc.open_file(handle) as file:
        for number in range(file.num_record_batches):
            yield file.get_batch(number)
