"""What a worker of Ray does: it makes the job of its recipe once, and scores one shard after the other."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.errors import EngineError, fault
from engine.runtime.executors.recipe import Recipe, open_recipe
from engine.runtime.shards.job import Job
from engine.runtime.shards.plan import Receipt, Shard
from engine.runtime.shards.score import Failure, try_shard
from engine.runtime.shards.sink import RunState


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a shard: one of these.

    Parameters
    ----------
    receipt : Receipt or None
    failure : Failure or None
    unfit : str
        Why this machine can't score any shard of the run.
    """

    receipt: Receipt | None = None
    failure: Failure | None = None
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class _Shipped:
    """A recipe in Ray's store.

    Parameters
    ----------
    digest : str
    place : ray.ObjectRef
    """

    digest: str
    place: Any = field(compare=False)


def score_one(digest: str, place: list[Any], told: bytes) -> bytes:
    """Score a shard.

    Parameters
    ----------
    digest : str
        Of the recipe.
    place : list of ray.ObjectRef
        Where it lies; in a list, so that Ray doesn't fetch it for every shard.
    told : bytes
        The `Shard`, as JSON.

    Returns
    -------
    bytes
        The `Answer`, as JSON.
    """
    shard = msgspec.json.decode(told, type=Shard)
    try:
        job, state = _opened(_Shipped(digest, place[0]))
    except EngineError as error:
        return msgspec.json.encode(Answer(unfit=str(error)))
    except Exception as error:
        return msgspec.json.encode(Answer(failure=Failure(shard.index, "fault", fault(error))))
    outcome = try_shard(job, shard, state)
    if isinstance(outcome, Receipt):
        return msgspec.json.encode(Answer(receipt=outcome))
    return msgspec.json.encode(Answer(failure=outcome))


@functools.lru_cache(1)
def _opened(shipped: _Shipped) -> tuple[Job, RunState]:
    import pyarrow as pa
    import ray

    pa.set_cpu_count(1)  # a task has one processor
    return open_recipe(msgspec.msgpack.decode(ray.get(shipped.place), type=Recipe))
