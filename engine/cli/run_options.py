"""How a batch is run, as a config states it: ``executor``, ``rejects``, ``resume``, ``source.new_only``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

from engine.config.bind import Bound, Place, bind
from engine.config.config import Config
from engine.config.convert import shown
from engine.errors import ConfigError, Mistake, did_you_mean, listing
from engine.executor import ExecutorPlugin
from engine.registry import PluginError, Registry
from engine.runtime.rejects import Rejects
from engine.runtime.shards.drive import Resume
from engine.runtime.shards.work import Stated
from engine.stage import option

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done at a time, whoever does it.

    Parameters
    ----------
    batch_rows : int or None
        Rows that are read and scored at a time; None: 131,072, or fewer of a small source.
    shard_rows : int or None
        Rows of a shard, which is done again after a fault; None: 1,048,576.
    """

    batch_rows: int | None = option(None, ge=1, le=1 << 24)
    shard_rows: int | None = option(None, ge=1, le=1 << 40)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a batch is run.

    Parameters
    ----------
    executor : ExecutorPlugin
    sizes : Sizes
    rejects : Rejects
    resume : {"auto", "never", "require"}
    new_only : bool
        Only files that no committed run of the sink has read.
    stated : Stated
    """

    executor: ExecutorPlugin
    sizes: Sizes
    rejects: Rejects
    resume: Resume
    new_only: bool
    stated: Stated


def bind_run(config: Config, registry: Registry) -> RunOptions:
    """How a batch is run.

    Raises
    ------
    ConfigError
        With every mistake in it.
    """
    given = _mapping(config, "executor", "threads: 2")
    own = {key: value for key, value in given.items() if key in Sizes.__dataclass_fields__}
    rest = {key: value for key, value in given.items() if key not in own and key != "use"}
    mistakes: list[Mistake] = []
    sizes = bind(Sizes, own, Place("executor", "executor", config.set_by))
    executor = _executor(config, registry, given.get("use"), rest)
    rejects = bind(
        Rejects, _mapping(config, "rejects", "max: 100"), Place("rejects", "rejects", config.set_by)
    )
    for bound in (sizes, executor, rejects):
        mistakes += bound.mistakes
    resume, new_only = "auto" if config["resume"] is None else config["resume"], _new_only(config)
    if resume not in get_args(Resume):
        hint = did_you_mean(str(resume), get_args(Resume))
        message = f"expected auto, never or require, found {shown(resume)}.{hint}"
        mistakes.append(Mistake("resume", message, (f"set by: {config.set_by('resume')}",)))
    if not isinstance(new_only, bool):
        message = f"expected true or false, found {shown(new_only)}"
        mistakes.append(Mistake("source.new_only", message, (f"set by: {config.set_by('source.new_only')}",)))
    if mistakes or sizes.value is None or executor.value is None or rejects.value is None:
        raise ConfigError(mistakes)
    folders = config["plugins"] or []
    stated = Stated(
        dict(config["source"] or {}),
        dict(config["sink"] or {}),
        (folders,) if isinstance(folders, str) else tuple(folders),
    )
    return RunOptions(
        executor.value, sizes.value, rejects.value, cast(Resume, resume), bool(new_only), stated
    )


def read_from(config: Config) -> Any:
    """The section ``source`` without what is no option of the source's but of the batch: ``new_only``."""
    source = config["source"]
    if not isinstance(source, Mapping):
        return source
    return {key: value for key, value in source.items() if key != "new_only"}


def _executor(config: Config, registry: Registry, use: Any, options: Mapping[str, Any]) -> Bound[Any]:
    use = "local" if use is None else use
    known = registry.names("executor")
    told = (f"set by: {config.set_by('executor.use')}",)
    if not isinstance(use, str) or use not in known:
        hint = did_you_mean(str(use), known)
        message = f"there is no executor {shown(use)}.{hint}"
        return Bound(None, (Mistake("executor.use", message, (f"there are: {listing(known)}", *told)),))
    try:
        cls = registry.load(use, "executor")
        defined = registry.definition(use, "executor").defined
    except PluginError as error:
        first, *rest = str(error).splitlines()
        return Bound(None, (Mistake("executor.use", first, (*(line.strip() for line in rest), *told)),))
    keys = ("use", *Sizes.__dataclass_fields__)
    return bind(cls, options, Place("executor", use, config.set_by, defined, keys))


def _new_only(config: Config) -> Any:
    source = config["source"]
    found = source.get("new_only") if isinstance(source, Mapping) else None
    return False if found is None else found


def _mapping(config: Config, key: str, example: str) -> Mapping[str, Any]:
    given = {} if config[key] is None else config[key]
    if not isinstance(given, Mapping):
        message = f"must be a mapping such as {{{example}}}, not {shown(given)}"
        raise ConfigError([Mistake(key, message, (f"set by: {config.set_by(key)}",))])
    return given
