"""The stages of a config: looked up, bound and put in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from engine.config.bind import Place, bind
from engine.config.convert import Misfit, convert, plain, shown
from engine.config.order import Anchor, order_stages
from engine.errors import Mistake, did_you_mean, listing
from engine.plan.plan import PlannedStage
from engine.plan.sections import Reader
from engine.registry import PluginError, Registry
from engine.stage import COMMON_KEYS, Stage, option_fields

COMMON_KINDS: Mapping[str, Any] = MappingProxyType(
    {
        "enabled": bool,
        "before": str | None,
        "after": str | None,
        "columns": str | list[str] | None,
        "drop": bool,
        "into": str | None,
    }
)
"""The types of the keys that every stage has, but for ``use``."""


def planned_stages(read: Reader, registry: Registry) -> tuple[PlannedStage, ...]:
    """The stages in the order in which they run, without those switched off.

    Mistakes go to the reader.
    """
    found = read.data.get("stages")
    if not isinstance(found, Mapping):
        example = "stages: {squeeze: {use: clip, columns: [dep_delay], hi: 600}}"
        what = "a list" if isinstance(found, list) else shown(found)
        read.wrong("stages", f"must be a mapping from label to stage, not {what}", f"such as: {example}")
        return ()
    declared = {str(label): _declared(read, label, given, list(found)) for label, given in found.items()}
    anchors = {
        label: Anchor(one.common.get("before"), one.common.get("after")) if one is not None else Anchor()
        for label, one in declared.items()
    }
    order, mistakes = order_stages(anchors, read.set_by)
    read.mistakes.extend(mistakes)
    planned: dict[str, PlannedStage | None] = {}
    for label, one in declared.items():
        if one is not None and one.common.get("enabled", True):
            planned[label] = _planned(read, one, registry)
    return tuple(stage for label in order if (stage := planned.get(label)) is not None)


def stage_config(planned: PlannedStage) -> dict[str, Any]:
    """A stage as plain JSON values; options that were left out have their defaults."""
    common: dict[str, Any] = {"use": planned.stage.use}
    if planned.columns:
        common["columns"] = list(planned.columns)
    if planned.into:
        common["into"] = planned.into
    if planned.drop:
        common["drop"] = True
    options = {
        item.name: plain(getattr(planned.stage, item.name)) for item in option_fields(type(planned.stage))
    }
    return common | options


@dataclass(frozen=True, slots=True)
class _Declared:
    label: str
    use: str
    common: Mapping[str, Any]
    """Those of the common keys that are of their types."""
    options: Mapping[str, Any]
    malformed: frozenset[str]
    """The common keys that are not."""


def _declared(read: Reader, label: Any, given: Any, labels: list[Any]) -> _Declared | None:
    """One stage of the config, its common keys checked."""
    where = f"stages.{label}"
    if not isinstance(label, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", label):
        read.wrong(
            where, f"{shown(label)} can't label a stage; use letters, digits, '_' and '-', a letter first"
        )
        return None
    if given is None:
        remedy = (f"to remove the stage: ~{where}", f"to switch it off: {where}.enabled=false")
        read.wrong(where, "a stage can't be null", *remedy)
        return None
    if not isinstance(given, Mapping):
        read.wrong(where, f"must be a mapping such as {{use: clip, …}}, not {shown(given)}")
        return None
    others = [str(other) for other in labels if other != label]
    if "use" in given and given["use"] is None and (len(given) > 1 or not did_you_mean(label, others)):
        remedy = (f"to remove the stage: ~{where}", f"to switch it off: {where}.enabled=false")
        read.wrong(f"{where}.use", "a stage can't be without the plugin that it is made by", *remedy)
        return None
    if given.get("use") is None:
        _no_such_stage(read, label, given, others)
        return None
    if not isinstance(given["use"], str):
        read.wrong(f"{where}.use", f"must be the name of a stage, not {shown(given['use'])}")
        return None
    common: dict[str, Any] = {}
    malformed: set[str] = set()
    for key, kind in COMMON_KINDS.items():
        if key in given:
            try:
                common[key] = convert(given[key], kind)
            except Misfit as misfit:
                malformed.add(key)
                read.wrong(f"{where}.{key}{misfit.place}", f"{key!r} {misfit.message}")
    options = {key: value for key, value in given.items() if key not in COMMON_KEYS}
    return _Declared(label, given["use"], common, options, frozenset(malformed))


def _no_such_stage(read: Reader, label: str, given: Mapping[str, Any], labels: list[str]) -> None:
    where = f"stages.{label}"
    keys = [f"{where}.{key}" for key in given] or [where]
    typed = next((key for key in keys if read.set_by(key) == "command line"), None)
    hint = did_you_mean(label, labels)
    if typed is None and not hint:
        read.wrong(where, "it has no 'use', which names the plugin that it is made by", key=keys[0])
        return
    notes = (f"labels: {listing(labels)}", f"to add a stage: '+{where}={{use: NAME, columns: [NAME]}}'")
    read.wrong(where, f"no stage is labelled {label!r}.{hint}", *notes, key=typed or keys[0])


def _planned(read: Reader, one: _Declared, registry: Registry) -> PlannedStage | None:
    """A stage bound to its plugin."""
    where = f"stages.{one.label}"
    try:
        cls = registry.load(one.use)
        defined = registry.definition(one.use).defined
    except PluginError as error:
        first, *rest = str(error).splitlines()
        read.wrong(f"{where}.use", first, *(line.strip() for line in rest))
        return None
    needs_columns = cls.selects and not cls.select_all
    place = Place(
        where,
        one.use,
        read.set_by,
        defined,
        keys=tuple(key for key in COMMON_KEYS if cls.selects or key != "columns"),
        first=("columns (required)",) if needs_columns else (),
    )
    columns = _names(one.common.get("columns"))
    options = dict(one.options)
    if columns is not None and not cls.selects:
        options["columns"] = list(columns)
    bound = bind(cls, options, place)
    read.mistakes.extend(bound.mistakes)
    if cls.selects and not _columns_fit(read, one, columns, cls, defined):
        return None
    if bound.value is None:
        return None
    into = one.common.get("into") or ""
    stage = bound.value.told(registry)
    return PlannedStage(one.label, stage, columns or (), into, bool(one.common.get("drop")), defined)


def _names(columns: str | list[str] | None) -> tuple[str, ...] | None:
    return (columns,) if isinstance(columns, str) else (tuple(columns) if columns is not None else None)


def _columns_fit(
    read: Reader, one: _Declared, columns: tuple[str, ...] | None, cls: type[Stage], defined: str
) -> bool:
    where = f"stages.{one.label}.columns"
    if "columns" in one.malformed:
        return False
    if columns is None:
        if cls.select_all:
            return True
        message = f"{one.use!r} needs columns: names, globs (temp_*) or kinds (numbers)"
    elif len(columns) == 0 or "" in columns:
        message = "a column's name is empty" if columns else "it names no column"
    else:
        return True
    note = f"set by: {read.set_by(where)}        {defined}"
    read.mistakes.append(Mistake(where, message, (note,)))
    return False
