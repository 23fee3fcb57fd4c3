"""Shards as tasks of Ray, on this machine or on many."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from contextlib import suppress
from types import ModuleType
from typing import Any

import msgspec

from engine.errors import UserError
from engine.registry import Registry
from engine.runtime.executors.ray_session import imported_ray, joined
from engine.runtime.executors.ray_worker import Answer, score_one
from engine.runtime.executors.recipe import Recipe, recipe_of
from engine.runtime.shards.drive import UnfinishedError
from engine.runtime.shards.plan import Shard
from engine.runtime.shards.score import Failure, Outcome
from engine.runtime.shards.work import Work

_TASKS_PER_CPU = 4
_LEAST_TASKS = 16
"""So many wait even where there is no CPU yet, for an autoscaler to see that some are needed."""
_COUNTED_EVERY = 5.0
_LOOKED_EVERY = 1.0
"""Seconds after which signals are noticed while no shard ends."""
_ENDED_WITHIN, _KILLED_WITHIN = 5.0, 30.0


class RayTasks:
    """Runs shards as tasks of Ray, one CPU each.

    Ray itself tries none again: a worker that dies counts as a try of its shard, as any other fault does,
    and one number bounds them all.

    Parameters
    ----------
    address : str or None
        ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``: a cluster that is joined; None: a Ray of its own on
        this machine, which ends with the run.
    cpus : int or None
        How many that one has; None: all.
    attempts : int
        How often a shard is tried where what went wrong may pass.
    in_flight : int or None
        Tasks that are handed to Ray at a time; None: four for each CPU that it has.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus: int | None = None,
        attempts: int = 3,
        in_flight: int | None = None,
    ) -> None:
        self._address = address
        self._cpus = cpus
        self._attempts = attempts
        self._in_flight = in_flight

    def run(self, work: Work) -> None:
        """Score every shard.

        Raises
        ------
        UserError
            Ray isn't installed or can't be reached, source and sink weren't stated, or a machine isn't as
            this one.
        UnfinishedError
            Ray ended before the run did.
        """
        if self._address is not None and self._cpus is not None:
            raise UserError(
                "executor.cpus is of a Ray on this machine, and executor.address joins another: leave one out"
            )
        ray = imported_ray()
        recipe = recipe_of(work.job, work.stated)
        data = msgspec.msgpack.encode(recipe)
        with joined(ray, self._address, self._cpus, len(data)):
            task = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": _environment(recipe)})(
                score_one
            )
            _Run(ray, task, data, work, self._attempts, self._in_flight).run()


class _Run:
    """The tasks of one run.

    Parameters
    ----------
    ray : module
    task : ray.RemoteFunction
    recipe : bytes
    work : Work
    attempts : int
    in_flight : int or None
    """

    def __init__(
        self, ray: ModuleType, task: Any, recipe: bytes, work: Work, attempts: int, in_flight: int | None
    ) -> None:
        self._ray = ray
        self._task = task
        self._digest = hashlib.sha256(recipe).hexdigest()
        self._recipe = ray.put(recipe)
        self._work = work
        self._attempts = attempts
        self._in_flight = in_flight
        self._left = deque((shard, 1) for shard in work.shards)
        self._under_way: dict[Any, tuple[Shard, int]] = {}
        self._room = in_flight or 0
        self._counted = float("-inf")

    def run(self) -> None:
        """Have every shard scored."""
        try:
            while self._left or self._under_way:
                self._submit()
                self._settle()
        except BaseException:
            self._drop()
            raise

    def _submit(self) -> None:
        if self._in_flight is None and time.monotonic() - self._counted > _COUNTED_EVERY:
            cpus = self._ray.cluster_resources().get("CPU", 0)
            self._room = max(_LEAST_TASKS, int(_TASKS_PER_CPU * cpus))
            self._counted = time.monotonic()
        while self._left and len(self._under_way) < self._room:
            shard, attempt = self._left.popleft()
            told = self._task.remote(self._digest, [self._recipe], msgspec.json.encode(shard))
            self._under_way[told] = shard, attempt

    def _settle(self) -> None:
        every = list(self._under_way)
        ended, others = self._ray.wait(every, num_returns=1, timeout=_LOOKED_EVERY)
        if ended and others:
            ended += self._ray.wait(others, num_returns=len(others), timeout=0)[0]
        for told in ended:
            shard, attempt = self._under_way.pop(told)
            outcome = self._outcome(told, shard)
            if isinstance(outcome, Failure) and outcome.may_pass:
                if attempt < self._attempts:
                    self._left.append((shard, attempt + 1))
                    continue
                message = f"{outcome.message} (tried {self._attempts} times)"
                outcome = Failure(shard.index, outcome.why, message)
            self._work.settle(outcome)

    def _outcome(self, told: Any, shard: Shard) -> Outcome:
        from ray import exceptions

        try:
            answer = msgspec.json.decode(self._ray.get(told), type=Answer)
        except (exceptions.RayTaskError, exceptions.RuntimeEnvSetupError) as error:
            # what goes wrong in a shard is answered; this is about importing the engine
            raise UserError(f"a worker of Ray can't run the engine: {_last_line(error)}") from None
        except exceptions.LocalRayletDiedError as error:
            raise UnfinishedError(
                f"Ray ended: {_first_line(error)}; the same command continues the run"
            ) from None
        except exceptions.RayError as error:
            return Failure(shard.index, "fault", f"its worker was lost: {_first_line(error)}")
        if answer.unfit:
            raise UserError(answer.unfit)
        outcome = answer.receipt or answer.failure
        assert outcome is not None
        return outcome

    def _drop(self) -> None:
        """Have no task under way any more."""
        left = list(self._under_way)
        with suppress(Exception):  # what ended the run is what is told
            for force, within in ((False, _ENDED_WITHIN), (True, _KILLED_WITHIN)):
                for told in left:
                    self._ray.cancel(told, force=force)
                if left:
                    left = self._ray.wait(left, num_returns=len(left), timeout=within)[1]


def _environment(recipe: Recipe) -> dict[str, str]:
    """What workers find in theirs."""
    own = {"ENGINE_CPU": os.environ["ENGINE_CPU"]} if "ENGINE_CPU" in os.environ else {}
    return {**Registry(recipe.plugins).environment(), **own}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
