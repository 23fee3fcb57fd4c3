"""What a sink offers that takes the output of a batch in shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from engine.runtime.rejects import Rejects
from engine.runtime.shards.plan import Commit, Plan, Receipt
from engine.sink import Sink


class Attempt(Protocol):
    """One try at one shard; a context manager, which leaves nothing behind that wasn't published."""

    def __enter__(self) -> Attempt: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of the output. Several threads call it, one at a time."""
        ...

    def reject(self, batch: pa.RecordBatch) -> None:
        """Append rejected rows."""
        ...

    def publish(self, receipt: Receipt) -> Receipt:
        """Have what was written last, and make it the shard's unless another attempt was first.

        Parameters
        ----------
        receipt : Receipt
            Without ``attempt``, ``size`` and ``digest``, which this knows.

        Returns
        -------
        Receipt
            The one that stands, perhaps another attempt's.
        """
        ...


class Attempts(Protocol):
    """Takes what is scored."""

    def attempt(self, run_id: str, shard: int, schema: pa.Schema, rejected: pa.Schema) -> Attempt:
        """Begin a try at a shard; from any thread.

        Parameters
        ----------
        run_id : str
        shard : int
        schema : pyarrow.Schema
            Of the output.
        rejected : pyarrow.Schema
            Of the rejected rows.
        """
        ...


class RunState(Attempts, Protocol):
    """The runs of one sink, as they lie there; every process that works on a run has one of its own.

    Every method raises `DataError` where the sink can't be read or written.
    """

    def commits(self) -> Sequence[Commit]:
        """The runs whose output is what readers see, or is part of it, oldest first."""
        ...

    def unfinished(self) -> Sequence[str]:
        """The ids of runs that were begun and not committed."""
        ...

    def plan(self, run_id: str) -> Plan | None:
        """The plan of a run that was begun."""
        ...

    def begin(self, plan: Plan) -> None:
        """Have a run's plan lie there; done already is done."""
        ...

    def lock(self, run_id: str) -> AbstractContextManager[bool]:
        """Be the only driver of a run, or else `engine.runtime.store.BusyError`.

        False: the sink can't tell; there may be others, and what they have begun must be let alone.
        """
        ...

    def receipts(self, run_id: str) -> Mapping[int, Receipt]:
        """The shards that are done; where what one wrote isn't what it was, it counts as never done."""
        ...

    def clean(self, run_id: str, receipts: Mapping[int, Receipt]) -> None:
        """Remove what attempts wrote that have none of these receipts, and other receipts.

        Only under the lock, before work begins.
        """
        ...

    def commit(
        self,
        plan: Plan,
        receipts: Mapping[int, Receipt],
        schema: pa.Schema,
        rejected: pa.Schema,
        summary: Mapping[str, Any],
    ) -> Commit:
        """Make the output of a run the sink's, at once. Done in part, by this process or another: the rest.

        Returns
        -------
        Commit
            As it stands; of another driver that was faster with the same run, that one's.
        """
        ...

    def finish(self, run_id: str) -> None:
        """Remove what only an unfinished run needs, of one that is committed."""
        ...

    def discard(self, run_id: str) -> None:
        """Remove all of a run that isn't committed."""
        ...

    def beat(self, run_id: str, beat: Mapping[str, Any]) -> None:
        """Note how far a run is and that it lives, for who watches it."""
        ...


@runtime_checkable
class ShardedSink(Sink, Protocol):
    """A sink that takes shards."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What tells its output from another: where it is, and options that change what is written."""
        ...

    def state(self, rejects: Rejects) -> RunState | None:
        """Its runs; None: it can't take shards as it is, and is written in one go."""
        ...
