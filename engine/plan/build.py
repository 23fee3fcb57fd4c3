"""A config to a plan: every part bound and checked, every mistake in it gathered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config.config import Config
from engine.config.convert import plain
from engine.errors import ConfigError, Mistake
from engine.plan.plan import Plan
from engine.plan.sections import Reader
from engine.plan.stages import planned_stages, stage_config
from engine.registry import KINDS, PluginError, Registry
from engine.schema import Input


def build_plan(config: Config, registry: Registry | None = None) -> Plan:
    """Bind a config to a plan.

    Parameters
    ----------
    config : Config
        From `engine.config.compose.compose`; or a plan's own ``config``, which gives an equal plan.
    registry : Registry, optional
        Where stages are looked up; else the built-in ones, those of packages, and the folders in ``plugins``.

    Raises
    ------
    ConfigError
        With every mistake; columns are followed through the stages if there is none before that.

    Examples
    --------
    >>> config = Config({"name": "p", "inputs": {"x": "number"},
    ...                  "stages": {"squeeze": {"use": "clip", "columns": "x", "lo": 0}}})
    >>> build_plan(config).stage("squeeze").stage
    Clip(lo=0.0, hi=inf, quantiles=None)
    """
    read = Reader(config.data, config.set_by)
    registry = registry or _registry(read)
    plan = Plan(
        name=read.name(),
        inputs=read.inputs(),
        stages=planned_stages(read, registry),
        keep=read.columns("keep") or (),
        outputs=read.columns("outputs"),
        target=read.target(),
        split=read.split(),
        weight=read.column("weight"),
        group=read.column("group"),
        seed=read.count("seed", 0),
        golden=read.count("golden", 64),
    )
    if read.mistakes:
        raise ConfigError(read.mistakes)
    plan = dataclasses.replace(plan, config=_canonical(plan))
    from engine.plan.check import check

    mistakes = check(plan, config.set_by)
    if mistakes:
        raise ConfigError(mistakes)
    return plan


def registry_for(config: Config) -> Registry:
    """The registry that a config's ``plugins`` ask for.

    Raises
    ------
    ConfigError
        ``plugins`` is no list of folders.
    """
    read = Reader(config.data, config.set_by)
    registry = _registry(read)
    if read.mistakes:
        raise ConfigError(read.mistakes)
    return registry


def _registry(read: Reader) -> Registry:
    found = read.data.get("plugins") or []
    folders: list[str] = read.value("plugins", [found] if isinstance(found, str) else found, list[str], [])
    try:
        return registry_of(folders)
    except PluginError as error:
        message = str(error).removeprefix("plugins: ")
        raise ConfigError(
            [*read.mistakes, Mistake("plugins", message, (f"set by: {read.set_by('plugins')}",))]
        ) from None


def registry_of(folders: Sequence[str]) -> Registry:
    """The registry of a config's ``plugins``.

    Raises
    ------
    PluginError
        One is no folder, or holds no plugin.
    """
    registry = Registry(folders)
    for folder in folders:
        inside = (file for kind in KINDS.values() for file in Path(folder, kind.folder).glob("*.py"))
        if all(file.name.startswith("_") for file in inside):
            raise PluginError(f"plugins: {folder} holds no stages; each is a file of its own, NAME.py")
    return registry


def _canonical(plan: Plan) -> Mapping[str, Any]:
    """The pipeline's keys as plain JSON values, everything resolved."""
    target = plan.target
    split = {
        key: plain(value) for key, value in dataclasses.asdict(plan.split).items() if value not in (None, "")
    }
    return {
        "name": plan.name,
        "inputs": {column.name: _input(column) for column in plan.inputs},
        "target": {k: plain(v) for k, v in dataclasses.asdict(target).items() if v}
        if target is not None
        else None,
        "group": plan.group or None,
        "weight": plan.weight or None,
        "keep": list(plan.keep),
        "outputs": list(plan.outputs) if plan.outputs is not None else None,
        "stages": {planned.label: stage_config(planned) for planned in plan.stages},
        "split": split,
        "seed": plan.seed,
        "golden": plan.golden,
    }


def _input(column: Input) -> Any:
    """The short form where the long one would say nothing more; a stated policy stays stated."""
    kind = column.kind.value
    usual = Input(column.name, column.kind)
    if column == usual:
        return kind
    said = {key: getattr(column, key) for key in ("optional", "missing", "invalid", "unknown")}
    return {"kind": kind} | {
        key: value
        for key, value in said.items()
        if value != getattr(usual, key) or (key == "invalid" and column.checked)
    }
