"""What lies in the folder of a sink's runs, and what of its output stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from engine.errors import DataError
from engine.runtime.shards.plan import Commit, Plan, Receipt, ended, read_commit
from engine.runtime.store import Store

_T = TypeVar("_T")
_RUN = re.compile(r"[0-9a-f]{12}")
_STATELESS = re.compile(r"part-\d{5}\.")


class Records:
    """The plans, receipts and commits of the runs into one folder of parts, or into one file.

    Parameters
    ----------
    store : Store
    base : str
        The folder of the runs in the store.
    name : str
        Of the output in the store.
    is_folder : bool
        Whether the output is a folder of parts.
    """

    def __init__(self, store: Store, base: str, name: str, is_folder: bool) -> None:
        self._store = store
        self._base = base
        self._name = name
        self._is_folder = is_folder

    def run(self, run_id: str) -> str:
        """The folder of a run."""
        return f"{self._base}/{run_id}"

    def plan_file(self, run_id: str) -> str:
        """The file of a run's plan."""
        return f"{self.run(run_id)}/plan.json"

    def receipt_file(self, run_id: str, shard: int) -> str:
        """The file of a shard's receipt."""
        return f"{self.run(run_id)}/receipts/{shard:05d}.json"

    def refused_file(self, run_id: str) -> str:
        """The file that says which file of rejects a run has made its own."""
        return f"{self.run(run_id)}/rejects"

    def plan(self, run_id: str) -> Plan | None:
        """The plan of a run that was begun."""
        name = self.plan_file(run_id)
        data = self._store.read(name)
        remedy = f"to discard the run, remove {self._store.shown(self.run(run_id))}"
        return None if data is None else self._read(data, name, partial(_plan, run_id), remedy)

    def receipts(self, run_id: str) -> dict[int, Receipt]:
        """The shards of a run that are done."""
        folder = f"{self.run(run_id)}/receipts"
        remedy = "to discard the run: resume=never"
        receipts = [
            self._read(data, f"{folder}/{name}", partial(_receipt, name), remedy)
            for name, data in sorted(self._store.read_all(folder).items())
        ]
        return {receipt.shard: receipt for receipt in receipts}

    def commits(self) -> list[Commit]:
        """All there are, oldest first."""
        folder = f"{self._base}/commits"
        remedy = f"to write everything anew, remove {self._store.shown(self._base)}, then sink.mode=replace"
        return [
            self._read(data, f"{folder}/{name}", read_commit, remedy)
            for name, data in sorted(self._store.read_all(folder).items())
        ]

    def begun(self) -> list[Plan]:
        """The plans that lie there: of unfinished runs, and of committed ones that aren't tidied yet."""
        runs = [name for name in self._store.names(self._base) if _RUN.fullmatch(name)]
        return [plan for plan in map(self.plan, runs) if plan is not None]

    def gone(self, commit: Commit) -> list[str]:
        """Files of an output that aren't there, or are others of that name."""
        if not self._is_folder:
            (file,) = commit.files
            return [] if self._store.size(self._name) == file.size else [file.name]
        there = set(self._store.names(self._name))
        return [file.name for file in commit.files if file.name not in there]

    def standing(self, every: Sequence[Commit]) -> Commit | None:
        """Of all commits the one that says what is there; None: there is none, or its output was removed."""
        if not every or len(self.gone(every[-1])) == len(every[-1].files):
            return None
        last = every[-1]
        # a run is begun again where its output was gone: what is there now is what it made since
        again = (plan.run_id for plan in self.begun() if ended(plan, every) is None)
        if any(run == last.run_id or f"-{run}." in file.name for run in again for file in last.files):
            return None
        return last

    def replaced(self, every: Sequence[Commit]) -> list[str]:
        """In a folder, the files of earlier runs, and of batches that left no state."""
        earlier = {file.name for commit in every for file in commit.files}
        kept = {file.name for file in every[-1].files}
        there = set(self._store.names(self._name)) - kept
        return sorted(name for name in there if name in earlier or _STATELESS.match(name))

    def _read(self, data: bytes, name: str, read: Callable[[bytes], _T], remedy: str) -> _T:
        try:
            return read(data)
        except msgspec.MsgspecError as error:
            raise DataError(
                f"{self._store.shown(name)}: this is no state of a batch that this engine wrote: {error};"
                f" {remedy}"
            ) from None


def _plan(run_id: str, data: bytes) -> Plan:
    plan = msgspec.json.decode(data, type=Plan)
    if plan.run_id != run_id:
        raise msgspec.ValidationError(f"it is of run {plan.run_id}")
    return plan


def _receipt(name: str, data: bytes) -> Receipt:
    receipt = msgspec.json.decode(data, type=Receipt)
    if name != f"{receipt.shard:05d}.json":
        raise msgspec.ValidationError(f"it is of shard {receipt.shard}")
    return receipt
