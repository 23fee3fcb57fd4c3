"""What an executor gets and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.runtime.shards.job import Job
from engine.runtime.shards.plan import Shard
from engine.runtime.shards.score import Outcome, Told
from engine.runtime.shards.sink import RunState


@dataclass(frozen=True, slots=True)
class Stated:
    """What a config says of a run, for a process that has to open source and sink itself.

    Parameters
    ----------
    source, sink : mapping
    plugins : tuple of str
        Folders of plugins.
    """

    source: Mapping[str, Any]
    sink: Mapping[str, Any]
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """Shards to score.

    Parameters
    ----------
    job : Job
    state : RunState
    shards : sequence of Shard
        In the order in which they are best begun.
    settle : callable
        ``settle(outcome)``, to be called once for each shard, from the thread that called the executor. What
        it raises ends the run.
    told : callable
        ``told(shard, rows)``, from any thread, when rows of a shard were read; may be left out.
    stated : Stated or None
        None: nobody but this process can open source and sink.
    """

    job: Job
    state: RunState
    shards: Sequence[Shard]
    settle: Callable[[Outcome], None]
    told: Told
    stated: Stated | None = None


class Executor(Protocol):
    """Runs shards somewhere."""

    def run(self, work: Work) -> None:
        """Have every shard scored by `engine.runtime.shards.score.try_shard`, and tell what came of each.

        Raises
        ------
        BaseException
            What ``work.settle`` raised, or an interrupt; no shard is then under way any more.
        """
        ...
