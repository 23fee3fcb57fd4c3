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

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pyarrow as pa

from engine.errors import DataError
from engine.failpoint import reach
from engine.runtime.io.output import Join, PartMaker
from engine.runtime.io.sink import STATE
from engine.runtime.shards.attempt import FileAttempt, attempt_names
from engine.runtime.shards.plan import Commit, Committed, Plan, Receipt, told
from engine.runtime.shards.rejected import RejectedFile
from engine.runtime.store import Store
from engine.sink import Mode

_RUN = re.compile(r"[0-9a-f]{12}")
_STATELESS = re.compile(r"part-\d{5}\.")


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

    # -- what is there

    def commits(self) -> Sequence[Commit]:
        every = self._all_commits()
        if not every:
            return ()
        last = every[-1]
        self._roll_forward(last)
        gone = self._gone(last)
        if len(gone) == len(last.files):
            return ()
        if gone and self._mode != "replace":
            raise DataError(
                f"{self._store.shown(self._name)}: {gone[0]}, which run {last.run_id} wrote, is gone or "
                "has changed; to write everything anew: sink.mode=replace"
            )
        if gone:
            return ()
        names = {file.name for file in last.files}
        return [commit for commit in every if commit is last or names >= {file.name for file in commit.files}]

    def _all_commits(self) -> list[Commit]:
        found = self._store.read_all(f"{self._base}/commits")
        return [_decoded(found[name], Commit, self._store.shown(self._base)) for name in sorted(found)]

    def _gone(self, commit: Commit) -> list[str]:
        """Files of an output that aren't there, or are others of that name."""
        if self._join:
            (file,) = commit.files
            return [] if self._store.size(self._name) == file.size else [file.name]
        there = set(self._store.names(self._name))
        return [file.name for file in commit.files if file.name not in there]

    def unfinished(self) -> Sequence[str]:
        done = {commit.run_id for commit in self._all_commits()}
        return [
            name
            for name in self._store.names(self._base)
            if _RUN.fullmatch(name) and name not in done and self._store.size(self._plan(name)) is not None
        ]

    def plan(self, run_id: str) -> Plan | None:
        data = self._store.read(self._plan(run_id))
        return None if data is None else _decoded(data, Plan, self._store.shown(self._plan(run_id)))

    def receipts(self, run_id: str) -> Mapping[int, Receipt]:
        folder = f"{self._run(run_id)}/receipts"
        found = self._store.read_all(folder)
        receipts = [_decoded(data, Receipt, self._store.shown(folder)) for _, data in sorted(found.items())]
        return {receipt.shard: receipt for receipt in receipts}

    # -- a run

    def begin(self, plan: Plan) -> None:
        self._store.create(self._plan(plan.run_id), msgspec.json.encode(plan))
        reach("run.planned")

    @contextmanager
    def lock(self, run_id: str) -> Iterator[None]:
        with self._store.lock(f"{self._run(run_id)}/lock"):
            yield

    def clean(self, run_id: str, receipts: Mapping[int, Receipt]) -> None:
        folder = f"{self._run(run_id)}/attempts"
        kept = {
            name for receipt in receipts.values() for name in attempt_names(receipt.attempt, self._extension)
        }
        for name in self._store.names(folder):
            if name not in kept:
                self._store.remove(f"{folder}/{name}")

    def attempt(self, run_id: str, shard: int, schema: pa.Schema, rejected: pa.Schema) -> FileAttempt:
        return FileAttempt(
            self._store, self._run(run_id), shard, self._part, self._extension, schema, rejected
        )

    def beat(self, run_id: str, beat: Mapping[str, Any]) -> None:
        self._store.write(f"{self._run(run_id)}/heartbeat.json", msgspec.json.encode(beat))

    def discard(self, run_id: str) -> None:
        if not self._join:
            for name in self._store.names(self._name):
                if name.startswith("part-") and f"-{run_id}." in name:
                    self._store.remove(f"{self._name}/{name}")
        self._store.remove(self._run(run_id))
        self._remove_if_empty()

    def finish(self, run_id: str) -> None:
        run = self._run(run_id)
        for name in self._store.names(run):
            if name not in ("summary.json", "plan.json"):
                self._store.remove(f"{run}/{name}")
        self._store.remove(self._plan(run_id))  # last: without it nobody looks here again

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
        self._check_free()
        refused = self._rejected.publish(self._store, self._run(plan.run_id), plan, ordered, rejected)
        reach("commit.rejects")
        files = (
            self._joined(plan.run_id, ordered, schema) if self._join else self._parts(plan.run_id, ordered)
        )
        self._store.write(f"{self._run(plan.run_id)}/summary.json", msgspec.json.encode(summary))
        reach("commit.files")
        commit = self._committed(plan, files, summary, refused)
        reach("commit.made")
        self._roll_forward(commit)
        return commit

    def _check_free(self) -> None:
        """See that nobody else wrote the file meanwhile."""
        if self._join and self._mode == "error" and self._store.size(self._name) is not None:
            shown = self._store.shown(self._name)
            raise DataError(f"{shown}: somebody wrote this file meanwhile; to replace it: sink.mode=replace")

    def _committed(
        self, plan: Plan, files: Sequence[Committed], summary: Mapping[str, Any], refused: str
    ) -> Commit:
        """The commit, under the number that follows those that are there."""
        while True:
            every = self._all_commits()
            mine = next((commit for commit in every if commit.run_id == plan.run_id), None)
            if mine is not None and every[-1] is mine and not self._lost(mine):
                return mine
            last = every[-1] if every else None
            earlier: tuple[Committed, ...] = ()
            if last is not None and self._mode == "append":
                earlier = tuple(file for file in last.files if file not in files)
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
            )
            if self._store.create(f"{self._base}/commits/{number:08d}.json", msgspec.json.encode(commit)):
                return commit

    def _lost(self, commit: Commit) -> bool:
        """Whether an output was removed after its commit, and is written anew."""
        return (
            self._join is not None
            and self._store.size(self._whole(commit.run_id)) is not None
            and bool(self._gone(commit))
        )

    def _parts(self, run_id: str, ordered: Sequence[Receipt]) -> list[Committed]:
        # a part without rows is left out, unless nothing else would tell the columns
        told = [receipt for receipt in ordered if receipt.rows_out] or list(ordered[:1])
        files = []
        for receipt in told:
            name = f"part-{receipt.shard:05d}-{run_id}{self._extension}"
            written = f"{self._run(run_id)}/attempts/{attempt_names(receipt.attempt, self._extension)[0]}"
            self._store.publish(written, f"{self._name}/{name}")
            files.append(Committed(name, receipt.rows_out, receipt.size, receipt.digest))
            reach("commit.part")
        return files

    def _joined(self, run_id: str, ordered: Sequence[Receipt], schema: pa.Schema) -> list[Committed]:
        assert self._join is not None
        rows = sum(receipt.rows_out for receipt in ordered)
        if len(ordered) == 1:
            (receipt,) = ordered
            written = attempt_names(receipt.attempt, self._extension)[0]
            self._store.publish(f"{self._run(run_id)}/attempts/{written}", self._whole(run_id))
            return [Committed(self._name, rows, receipt.size, receipt.digest)]
        with ExitStack() as stack, self._store.scratch(self._whole(run_id)) as scratch:
            parts = [
                stack.enter_context(self._store.local(f"{self._run(run_id)}/attempts/{name}"))
                for name in (attempt_names(receipt.attempt, self._extension)[0] for receipt in ordered)
            ]
            self._join(parts, scratch.path, schema)
            size = scratch.path.stat().st_size
            scratch.keep()
        return [Committed(self._name, rows, size)]

    def _roll_forward(self, commit: Commit) -> None:
        """Do what is left to be done behind a commit."""
        if self._store.size(self._plan(commit.run_id)) is None:
            return
        if self._join:
            if self._store.size(self._whole(commit.run_id)) is not None:
                self._store.rename(self._whole(commit.run_id), self._name)
        elif commit.mode == "replace":
            for name in self._replaced(commit):
                self._store.remove(f"{self._name}/{name}")
        self.finish(commit.run_id)

    def _replaced(self, commit: Commit) -> list[str]:
        """Files of earlier runs, and of batches that left no state."""
        earlier = {file.name for other in self._all_commits() for file in other.files}
        kept = {file.name for file in commit.files}
        there = set(self._store.names(self._name)) - kept
        return sorted(name for name in there if name in earlier or _STATELESS.match(name))

    # -- names

    def _run(self, run_id: str) -> str:
        return f"{self._base}/{run_id}"

    def _plan(self, run_id: str) -> str:
        return f"{self._run(run_id)}/plan.json"

    def _whole(self, run_id: str) -> str:
        return f"{self._run(run_id)}/whole{self._extension}"

    def _remove_if_empty(self) -> None:
        """Leave no folders behind where nothing was ever written."""
        folders = [self._base, *([STATE] if self._join else [self._name])]
        for folder in folders:
            if self._store.names(folder):
                return
            self._store.remove(folder)


def _sources(plan: Plan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(told(piece) for shard in plan.shards for piece in shard.pieces))


def _decoded(data: bytes, kind: Any, where: str) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{where}: what lies there is no state of a batch that this engine wrote: {error}"
        ) from None
