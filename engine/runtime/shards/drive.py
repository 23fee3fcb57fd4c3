"""The driver of a run: begins or resumes it, has its shards scored, commits it once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from engine.errors import ConfigError, DataError, EngineError, Mistake, UserError
from engine.failpoint import reach
from engine.runtime.io.files import SinkError
from engine.runtime.io.piece import InputChanged
from engine.runtime.rejects import RefusedError, check_rejects, rejected_schema
from engine.runtime.shards.appending import check_same_columns
from engine.runtime.shards.heartbeat import beating
from engine.runtime.shards.identity import changes
from engine.runtime.shards.job import Job
from engine.runtime.shards.pace import Pace, PaceKeeper
from engine.runtime.shards.plan import Commit, Plan, Receipt, ended
from engine.runtime.shards.score import Failure, Outcome
from engine.runtime.shards.share import RefusedShare
from engine.runtime.shards.sink import RunState, ShardedSink
from engine.runtime.shards.spread import Gathered
from engine.runtime.shards.work import Executor, Stated, Work
from engine.runtime.store import BusyError

Resume = Literal["auto", "never", "require"]
Progress = Callable[[Pace], None]


class UnfinishedError(EngineError):
    """A run ended before it was done; what it did lies there, and the same command continues it."""

    exit_code = 75


class FailedShardsError(DataError):
    """Some shards couldn't be scored, the others were; nothing is committed."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Parameters
    ----------
    commit : Commit
    now : bool
        False: it was committed before, and there was nothing to do.
    resumed : int
        Shards that were done before.
    scored : int
        Rows read by this process.
    """

    commit: Commit
    now: bool
    resumed: int
    scored: int = 0


@dataclass
class Driver:
    """Drives one run.

    Parameters
    ----------
    job : Job
    plan : Plan
        As it would be, if it is to be begun.
    sink : ShardedSink
    state : RunState
    executor : Executor
    resume : {"auto", "never", "require"}
    progress : callable, optional
    stated : Stated or None
    """

    job: Job
    plan: Plan
    sink: ShardedSink
    state: RunState
    executor: Executor
    resume: Resume = "auto"
    progress: Progress | None = None
    stated: Stated | None = None
    _failures: list[Failure] = field(default_factory=list)
    _gathered: Gathered = field(default_factory=Gathered)

    def run(self) -> Ended:
        """Do what is left to be done.

        Raises
        ------
        ConfigError
            Another run is unfinished, or there is none though ``resume`` requires it.
        UnfinishedError
            Another driver is at work, or the sink can't be written any more.
        FailedShardsError, RefusedError, InputChanged, DataError
        """
        found = self.look()
        if found is not None:
            return found
        run_id = self.plan.run_id
        try:
            with self.state.lock(run_id) as alone:
                # what another process did between the first look and the lock
                return self.look() or self._under_lock(alone)
        except BusyError:
            raise UnfinishedError(
                f"{self.sink.path}: another process is at work there; try again when it has ended"
            ) from None
        except SinkError as error:
            raise UnfinishedError(f"{error}; the same command continues the run") from None

    def look(self) -> Ended | None:
        """See what is there, and refuse what `run` would refuse; what was ended before, if it was this run.

        Raises
        ------
        ConfigError, DataError
        """
        run_id = self.plan.run_id
        unfinished = self.state.unfinished()
        commits = self.state.commits()
        mine = next((commit for commit in commits if commit.run_id == run_id), None)
        # asked once more: another process may have ended it meanwhile
        if mine is not None and (run_id not in unfinished or run_id not in self.state.unfinished()):
            return Ended(mine, False, 0)
        if self.resume == "require" and run_id not in unfinished:
            raise ConfigError([self._nothing_to_resume(unfinished)])
        others = [other for other in unfinished if other != run_id]
        if others and self.resume != "never":
            plans = {other: self.state.plan(other) for other in others}
            resumable = [plan for plan in plans.values() if plan is not None and plan.resumable]
            if resumable:
                raise ConfigError([self._other_run(resumable[0])])
        if self.resume == "never" and unfinished:
            return None  # what is discarded may be all that stands in the way
        if commits and self.sink.mode == "append":
            check_same_columns(self.job.schema, commits[-1], self.sink)
        if run_id not in unfinished:
            self._check_sink()
        elif commits and self.sink.mode == "error":
            raise DataError(
                f"{self.sink.path}: run {commits[-1].run_id} is committed there, and this one was begun to"
                " go beside it or in its place; to add to it: sink.mode=append; to replace it:"
                " sink.mode=replace"
            )
        return None

    def _check_sink(self) -> None:
        self.sink.check()
        check_rejects(self.job.rejects, self.sink)

    def _other_run(self, plan: Plan) -> Mistake:
        return Mistake(
            "resume",
            f"{self.sink.path}: run {plan.run_id} is unfinished there, and this is another",
            (
                *changes(plan, self.plan.identity),
                "to finish it: run it as it was begun; to discard it: resume=never",
            ),
        )

    def _nothing_to_resume(self, unfinished: Sequence[str]) -> Mistake:
        plan = self.state.plan(unfinished[0]) if unfinished else None
        notes = changes(plan, self.plan.identity) if plan is not None else []
        message = f"{self.sink.path}: there is no unfinished run to be resumed"
        if plan is not None:
            message = f"{self.sink.path}: run {plan.run_id} is unfinished there, and this is another"
        return Mistake("resume", message, (*notes, "to begin one: resume=auto"))

    def _under_lock(self, alone: bool) -> Ended:
        run_id = self.plan.run_id
        # those that stand in the way were refused above
        gone = [o for o in self.state.unfinished() if o != run_id or self.resume == "never"]
        for other in gone:
            self.state.discard(other)
        if gone and self.resume == "never":
            self._check_sink()
        self.state.begin(self.plan)
        plan = self.state.plan(run_id) or self.plan
        planned = {shard.index for shard in plan.shards}
        found = self.state.receipts(run_id).items()
        receipts = {shard: self._taken(receipt) for shard, receipt in found if shard in planned}
        if alone:
            self.state.clean(run_id, receipts)
        resumed, earlier = len(receipts), sum(receipt.rows_in for receipt in receipts.values())
        started = time.time()
        try:
            self._score(plan, receipts)
            summary = self._summary(plan, receipts, started, resumed)
            commit = self._commit(plan, receipts, summary)
        except RefusedError:
            self.state.discard(run_id)  # the same would be refused again
            raise
        except UserError as error:
            if not receipts and alone and not isinstance(error, SinkError):
                self.state.discard(run_id)  # nothing was done that could be continued
                raise
            theirs = self._theirs(plan, alone)
            if theirs is None:
                raise
            return Ended(theirs, False, 0)
        return Ended(commit, True, resumed, sum(receipt.rows_in for receipt in receipts.values()) - earlier)

    def _theirs(self, plan: Plan, alone: bool) -> Commit | None:
        """The commit of another driver, which then took away what this one worked on."""
        # only where nothing tells drivers of one another
        return None if alone else ended(plan, self.state.commits())

    def _score(self, plan: Plan, receipts: dict[int, Receipt]) -> None:
        keeper = PaceKeeper(plan.shards, list(receipts.values()))
        todo = [shard for shard in plan.shards if shard.index not in receipts]
        share = RefusedShare(self.job.rejects, self.job.pipeline.plan.inputs, plan, list(receipts.values()))

        def settle(outcome: Outcome) -> None:
            if isinstance(outcome, Receipt):
                receipts[outcome.shard] = self._taken(outcome)
                keeper.done(outcome)
                share.add(outcome)
            else:
                keeper.failed(outcome.shard)
                self._fail(outcome)
            self._tell(keeper)

        def told(shard: int, rows: int) -> None:
            keeper.told(shard, rows)
            self._tell(keeper)

        if todo:
            with beating(self.state, plan.run_id, keeper):
                self.executor.run(Work(self.job, self.state, todo, settle, told, self.stated))
        if self._failures:
            raise FailedShardsError(self._failed(plan))
        missing = [shard.index for shard in plan.shards if shard.index not in receipts]
        if missing:
            raise RuntimeError(f"the executor told nothing of shards {missing[:5]}")
        share.end()

    def _taken(self, receipt: Receipt) -> Receipt:
        return msgspec.structs.replace(receipt, spreads=self._gathered.taken(receipt.spreads))

    def _tell(self, keeper: PaceKeeper) -> None:
        if self.progress is not None:
            self.progress(keeper.now())

    def _fail(self, failure: Failure) -> None:
        if failure.why == "refused":
            raise RefusedError(failure.message)
        if failure.why == "changed":
            raise InputChanged(failure.message)
        if failure.why == "sink":
            raise SinkError(failure.message)
        self._failures.append(failure)

    def _failed(self, plan: Plan) -> str:
        if len(plan.shards) == 1:
            return f"{self._failures[0].message}\nnothing was written"
        lines = [
            f"  shard {failure.shard} ({_whereabouts(plan, failure.shard)}): {failure.message}"
            for failure in sorted(self._failures, key=lambda failure: failure.shard)[:20]
        ]
        if len(self._failures) > len(lines):
            lines.append(f"  and {len(self._failures) - len(lines)} more")
        return "\n".join(
            (
                f"{self.sink.path}: {len(self._failures)} of {len(plan.shards)} shards failed; the others are"
                " done and wait, nothing is committed",
                *lines,
                "the same command tries the failed ones again; a file that is mended or left out makes"
                " another run: resume=never",
            )
        )

    def _summary(
        self, plan: Plan, receipts: Mapping[int, Receipt], started: float, resumed: int
    ) -> dict[str, Any]:
        ordered = [receipts[shard.index] for shard in plan.shards]
        rows = sum(receipt.rows_in for receipt in ordered)
        spreads = self._gathered.merged([receipt.spreads for receipt in ordered])
        return {
            "run_id": plan.run_id,
            "name": self.job.pipeline.plan.name,
            "version": self.job.pipeline.version,
            "source": str(self.job.source.path),
            "sink": str(self.sink.path),
            "rows_in": rows,
            "rows_out": sum(receipt.rows_out for receipt in ordered),
            "rejected": sum(receipt.rejected for receipt in ordered),
            "shards": len(plan.shards),
            "resumed_shards": resumed,
            "seconds": time.time() - started,
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "columns": list(self.job.schema.names),
            "types": {field.name: str(field.type) for field in self.job.schema},
            "outputs": {name: spread.described() for name, spread in spreads.items()},
        }

    def _commit(self, plan: Plan, receipts: Mapping[int, Receipt], summary: Mapping[str, Any]) -> Commit:
        reach("run.scored")
        rejected = rejected_schema(self.job.columns)
        return self.state.commit(plan, receipts, self.job.schema, rejected, summary)


def _whereabouts(plan: Plan, index: int) -> str:
    shard = next(shard for shard in plan.shards if shard.index == index)
    if not shard.pieces:
        return "all of the source"
    files = list(dict.fromkeys(piece.file for piece in shard.pieces))
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"
