"""Runs whose output is files: a folder of parts, or one file, in a store.

Names, of a folder ``scores`` and of a file ``scores.csv`` (``<id>`` is a run's)::

    scores/part-00000-<id>.parquet                  scores.csv
    scores/_engine/commits/00000001.json            _engine/scores.csv/commits/00000001.json
    scores/_engine/<id>/plan.json                   _engine/scores.csv/<id>/plan.json
    scores/_engine/<id>/receipts/00000.json         …
    scores/_engine/<id>/attempts/00000-<hex>.parquet
    scores/_engine/<id>/summary.json

A commit is a file that is made if it isn't there: the one with the highest number says which files are the
output. What is to be done behind it (an old file removed, a joined file given its name) is done by whoever
comes next, if need be.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pyarrow as pa

from engine.errors import DataError
from engine.failpoint import reach
from engine.runtime.io.files import SinkError, writing
from engine.runtime.io.output import Join, PartMaker
from engine.runtime.io.sink import STATE
from engine.runtime.shards.attempt import FileAttempt, attempt_names
from engine.runtime.shards.plan import Commit, Committed, Plan, Receipt, ended, told
from engine.runtime.shards.records import Records
from engine.runtime.shards.rejected import RejectedFile
from engine.runtime.store import Store
from engine.sink import Mode

_LAST = ("summary.json", "plan.json")
"""What is left when a run is tidied: the second goes last."""
_WHOLE = "whole-"


class FilesState:
    """The runs of one folder of parts, or of one file.

    Parameters
    ----------
    store : Store
    name : str
        Of the folder or file in the store.
    extension : str
        Of the files, with the dot.
    part : callable
        ``part(file, schema)`` starts a file.
    join : callable or None
        Makes one file of the parts; None: the output is a folder of them.
    mode : {"error", "append", "replace"}
        What a commit does to what is there.
    rejected : RejectedFile
        Where rejected rows go.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        extension: str,
        part: PartMaker,
        join: Join | None,
        mode: Mode,
        rejected: RejectedFile,
    ) -> None:
        self._store = store
        self._name = name
        self._extension = extension
        self._part = part
        self._join = join
        self._mode = mode
        self._rejected = rejected
        self._base = f"{STATE}/{name}" if join else f"{name}/{STATE}"
        self._records = Records(store, self._base, name, join is None)

    # -- what is there

    def commits(self) -> Sequence[Commit]:
        every = self._records.commits()
        if not every:
            return ()
        self._roll_forward(every)
        last = self._records.standing(every)
        if last is None:
            return ()
        gone = self._records.gone(last)
        if gone and self._mode != "replace":
            raise DataError(
                f"{self._store.shown(self._name)}: {gone[0]}, which run {last.run_id} wrote, is gone or "
                "has changed; to write everything anew: sink.mode=replace"
            )
        if gone:
            return ()
        if self._join:
            return [last]  # one file is one run's
        names = {file.name for file in last.files}
        return [commit for commit in every if commit is last or names >= {file.name for file in commit.files}]

    def unfinished(self) -> Sequence[str]:
        every = self._records.commits()
        return [plan.run_id for plan in self._records.begun() if ended(plan, every) is None]

    def plan(self, run_id: str) -> Plan | None:
        return self._records.plan(run_id)

    def receipts(self, run_id: str) -> Mapping[int, Receipt]:
        return {
            shard: receipt
            for shard, receipt in self._records.receipts(run_id).items()
            if self._store.holds(self._written(run_id, receipt), receipt.size, receipt.digest)
        }

    # -- a run

    def begin(self, plan: Plan) -> None:
        if self._store.size(self._records.plan_file(plan.run_id)) is not None:
            return
        every = self._records.commits()
        if any(commit.run_id == plan.run_id for commit in every):
            self._clear(plan.run_id)  # what was written of it when it was ended before
        plan = msgspec.structs.replace(plan, after=every[-1].number if every else 0)
        self._store.create(self._records.plan_file(plan.run_id), msgspec.json.encode(plan))
        reach("run.planned")

    @contextmanager
    def lock(self, run_id: str) -> Iterator[bool]:
        with self._store.lock(f"{self._base}/lock") as alone:
            yield alone

    def clean(self, run_id: str, receipts: Mapping[int, Receipt]) -> None:
        run = self._records.run(run_id)
        kept = {
            name for receipt in receipts.values() for name in attempt_names(receipt.attempt, self._extension)
        }
        for name in self._store.names(f"{run}/attempts"):
            if name not in kept:
                self._store.remove(f"{run}/attempts/{name}")
        standing = {self._records.receipt_file(run_id, shard) for shard in receipts}
        for name in self._store.names(f"{run}/receipts"):
            if f"{run}/receipts/{name}" not in standing:
                self._store.remove(f"{run}/receipts/{name}")
        for name in self._store.names(run):
            if name.startswith(("_", _WHOLE)):
                self._store.remove(f"{run}/{name}")
        self._rejected.clean(run_id)

    def attempt(self, run_id: str, shard: int, schema: pa.Schema, rejected: pa.Schema) -> FileAttempt:
        return FileAttempt(
            self._store, self._records.run(run_id), shard, self._part, self._extension, schema, rejected
        )

    def beat(self, run_id: str, beat: Mapping[str, Any]) -> None:
        self._store.write(f"{self._records.run(run_id)}/heartbeat.json", msgspec.json.encode(beat))

    def discard(self, run_id: str) -> None:
        if self._store.read(self._records.refused_file(run_id)) == self._rejected.shown(run_id).encode():
            self._rejected.remove(run_id)
        self._clear(run_id)
        self._store.remove(self._records.run(run_id))

    def _clear(self, run_id: str) -> None:
        """Remove all that a run wrote, but for its plan."""
        if not self._join:
            for name in self._store.names(self._name):
                if name.startswith("part-") and f"-{run_id}." in name:
                    self._store.remove(f"{self._name}/{name}")
        for name in self._store.names(self._records.run(run_id)):
            if name not in _LAST:
                self._store.remove(f"{self._records.run(run_id)}/{name}")
        self._rejected.clean(run_id)

    def finish(self, run_id: str) -> None:
        run = self._records.run(run_id)
        for name in self._store.names(run):
            if name not in _LAST:
                self._store.remove(f"{run}/{name}")
                reach("finish.removed")
        self._store.remove(self._records.plan_file(run_id))  # last: without it nobody looks here again

    # -- the commit

    def commit(
        self,
        plan: Plan,
        receipts: Mapping[int, Receipt],
        schema: pa.Schema,
        rejected: pa.Schema,
        summary: Mapping[str, Any],
    ) -> Commit:
        ordered = [receipts[shard.index] for shard in plan.shards]
        self._check_free(plan)
        self._check_written(plan.run_id, ordered)
        # from here on the file of rejects is this run's, and goes if the run is discarded
        self._store.write(self._records.refused_file(plan.run_id), self._rejected.shown(plan.run_id).encode())
        refused = self._rejected.publish(self._store, self._records.run(plan.run_id), plan, ordered, rejected)
        reach("commit.rejects")
        whole = ""
        if self._join:
            whole = f"{_WHOLE}{uuid.uuid4().hex[:12]}{self._extension}"
            files = self._joined(f"{self._records.run(plan.run_id)}/{whole}", plan.run_id, ordered, schema)
        else:
            files = self._parts(plan.run_id, ordered)
        self._store.write(f"{self._records.run(plan.run_id)}/summary.json", msgspec.json.encode(summary))
        reach("commit.files")
        commit = self._committed(plan, files, summary, refused, whole)
        reach("commit.made")
        self._roll_forward(self._records.commits())
        return commit

    def _check_free(self, plan: Plan) -> None:
        """See that nobody else wrote an output meanwhile."""
        if self._mode != "error":
            return
        shown = self._store.shown(self._name)
        every = self._records.commits()
        last = self._records.standing(every)
        if last is not None and ended(plan, every) is None:
            raise DataError(
                f"{shown}: the output of run {last.run_id} is there; to replace it: sink.mode=replace"
            )
        if (
            self._join
            and last is None
            and ended(plan, every) is None
            and self._store.size(self._name) is not None
        ):
            raise DataError(f"{shown}: somebody wrote this file meanwhile; to replace it: sink.mode=replace")

    def _check_written(self, run_id: str, receipts: Sequence[Receipt]) -> None:
        """See that what shards wrote is still there."""
        for receipt in receipts:
            written = self._written(run_id, receipt)
            if self._store.size(written) != receipt.size:
                shown = self._store.shown(written)
                raise SinkError(f"{shown}: gone, or no longer what shard {receipt.shard} wrote")

    def _committed(
        self, plan: Plan, files: Sequence[Committed], summary: Mapping[str, Any], refused: str, whole: str
    ) -> Commit:
        """The commit, under the number that follows those that are there."""
        while True:
            every = self._records.commits()
            mine = ended(plan, every)
            if mine is not None:
                return mine
            last = every[-1] if every else None
            standing = self._records.standing(every) if self._mode == "append" else None
            earlier = () if standing is None else standing.files
            number = 1 if last is None else last.number + 1
            commit = Commit(
                number,
                plan.run_id,
                self._mode,
                plan.identity,
                (*earlier, *files),
                _sources(plan),
                dict(summary),
                refused,
                whole,
            )
            if self._store.create(f"{self._base}/commits/{number:08d}.json", msgspec.json.encode(commit)):
                return commit

    def _parts(self, run_id: str, ordered: Sequence[Receipt]) -> list[Committed]:
        # a part without rows is left out, unless nothing else would tell the columns
        told = [receipt for receipt in ordered if receipt.rows_out] or list(ordered[:1])
        files = []
        for receipt in told:
            name = f"part-{receipt.shard:05d}-{run_id}{self._extension}"
            written = (
                f"{self._records.run(run_id)}/attempts/{attempt_names(receipt.attempt, self._extension)[0]}"
            )
            self._store.publish(written, f"{self._name}/{name}")
            files.append(Committed(name, receipt.rows_out, receipt.size, receipt.digest))
            reach("commit.part")
        return files

    def _joined(
        self, whole: str, run_id: str, ordered: Sequence[Receipt], schema: pa.Schema
    ) -> list[Committed]:
        assert self._join is not None
        rows = sum(receipt.rows_out for receipt in ordered)
        if len(ordered) == 1:
            (receipt,) = ordered
            self._store.publish(self._written(run_id, receipt), whole)
            return [Committed(self._name, rows, receipt.size, receipt.digest)]
        with ExitStack() as stack, self._store.scratch(whole) as scratch:
            parts = [
                stack.enter_context(self._store.local(self._written(run_id, receipt))) for receipt in ordered
            ]
            self._join(parts, scratch.path, schema)
            reach("commit.joined")
            with writing(scratch.path):
                size = scratch.path.stat().st_size
            scratch.keep()
        return [Committed(self._name, rows, size)]

    def _written(self, run_id: str, receipt: Receipt) -> str:
        """The file of a shard."""
        return f"{self._records.run(run_id)}/attempts/{attempt_names(receipt.attempt, self._extension)[0]}"

    def _roll_forward(self, every: Sequence[Commit]) -> None:
        """Do what is left to be done behind commits."""
        last = every[-1]
        for plan in self._records.begun():
            commit = ended(plan, every)
            if commit is None:
                continue
            whole = f"{self._records.run(plan.run_id)}/{commit.whole}"
            if commit is last and commit.whole and self._store.size(whole) is not None:
                self._store.rename(whole, self._name)
                reach("commit.renamed")
            if commit.mode == "replace" and not self._join:
                for name in self._records.replaced(every):
                    self._store.remove(f"{self._name}/{name}")
                    reach("commit.replaced")
            self.finish(plan.run_id)


def _sources(plan: Plan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(told(piece) for shard in plan.shards for piece in shard.pieces))
