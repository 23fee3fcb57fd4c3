"""What a config may not hold: code to call, keys that don't exist, values that were never given."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config import folders as conf
from engine.config.change import SET_BY
from engine.config.config import PIPELINE_KEYS, ROOT_KEYS
from engine.errors import Mistake, did_you_mean, listing

_TARGET = "_target_"
_NO_TARGET = f"{_TARGET} is refused: names come from the registry of plugins only (use: NAME)"
CHOSEN = ("pipeline", "experiment")
"""Groups of which a file is chosen, and nothing else."""
_STOCK = "hydra._internal.core_plugins."


def in_override(key: str, value: Any, groups: Collection[str]) -> list[Mistake]:
    """What is wrong with ``key=value``."""
    root = key.split(".")[0]
    if _TARGET in key.split("."):
        return [Mistake(key, _NO_TARGET, (SET_BY,))]
    if root in groups and root in CHOSEN:
        message = f"a file is chosen by its name, {root}=NAME; what it says is changed by keys of its own"
        return [Mistake(key, message, ("such as: stages.LABEL.OPTION=VALUE", SET_BY))]
    if root not in ROOT_KEYS:
        names = [*ROOT_KEYS, *(group for group in groups if group not in ROOT_KEYS)]
        message = f"no such key {root!r}.{did_you_mean(root, names)}"
        return [Mistake(key, message, (f"keys: {listing(names, 60)}", SET_BY))]
    return [Mistake(place, _NO_TARGET, (SET_BY,)) for place, _ in _targets(value, key)]


def in_hydra_override(key: str, value: Any) -> list[Mistake]:
    """What is wrong with an override of Hydra's own settings."""
    if key.startswith("hydra.callbacks"):
        return [Mistake("hydra.callbacks", "callbacks are refused: a config calls no code", (SET_BY,))]
    if key.startswith("hydra.searchpath"):
        message = "the search path is the engine's; name a folder of your own with --config-dir"
        return [Mistake("hydra.searchpath", message, (SET_BY,))]
    if key.endswith(_TARGET):
        value = {_TARGET: value}
        key = key[: -len(_TARGET) - 1]
    wrong = [
        Mistake(place, f"{_TARGET} is refused under hydra, but for Hydra's own", (SET_BY,))
        for place, target in _targets(value, key)
        if not str(target).startswith(_STOCK)
    ]
    message = "has no effect: Hydra only composes the config here, and nothing reads its own settings"
    return wrong or [Mistake(key, message, (SET_BY,))]


def bundle(value: Any) -> list[Mistake]:
    """What is wrong with the path of a bundle."""
    if value is None or (isinstance(value, str) and value.strip()):
        return []
    hint = f"; quote it: 'bundle=\"{value}\"'" if isinstance(value, int | float) else ""
    return [Mistake("bundle", f"must be the path of a folder, not {value!r}{hint}")]


def in_hydra(settings: Any) -> list[Mistake]:
    """What is wrong with Hydra's settings after the files are composed."""
    mistakes = [
        Mistake(place, f"{_TARGET} is refused under hydra, but for Hydra's own", (f"found: {target}",))
        for place, target in _targets(settings, "hydra")
        if not str(target).startswith(_STOCK)
    ]
    if settings.get("callbacks"):
        mistakes.append(Mistake("hydra.callbacks", "callbacks are refused: a config calls no code"))
    return mistakes


def in_base(base: Mapping[str, Any]) -> list[Mistake]:
    """What is wrong with a bundle's stored config."""
    mistakes = [
        Mistake(str(key), f"a bundle's config doesn't hold this key.{did_you_mean(str(key), PIPELINE_KEYS)}")
        for key in base
        if key not in PIPELINE_KEYS
    ]
    mistakes.extend(Mistake(place, _NO_TARGET, ("set by: the bundle",)) for place, _ in _targets(base, ""))
    return mistakes


def targets(data: Mapping[str, Any], set_by: Callable[[str], str]) -> list[Mistake]:
    """Every ``_target_`` in composed files."""
    return [Mistake(place, _NO_TARGET, (f"set by: {set_by(place)}",)) for place, _ in _targets(data, "")]


def _targets(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            place = f"{key}.{name}" if key else str(name)
            if name == _TARGET:
                yield place, inner
            else:
                yield from _targets(inner, place)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _targets(inner, f"{key}[{number}]")


def unknown_roots(
    data: Mapping[str, Any], path: Sequence[Path], chosen: Mapping[str, str | None]
) -> list[Mistake]:
    """Root keys of composed files that don't exist."""
    mistakes = []
    for key in data:
        if key in ROOT_KEYS:
            continue
        if key in chosen:
            found = conf.find(path, f"{key}/{chosen[key]}")
            place = conf.shown(found) if found else f"{key}/{chosen[key]}.yaml"
            mistakes.append(Mistake(place, "its first line must be: # @package _global_"))
            continue
        notes = [f"keys: {listing(ROOT_KEYS, 60)}"]
        notes.extend(f"set by: {place}" for place in _files_with(key, path, chosen))
        mistakes.append(Mistake(key, f"no such key {key!r}.{did_you_mean(key, ROOT_KEYS)}", tuple(notes)))
    return mistakes


def _files_with(key: str, path: Sequence[Path], chosen: Mapping[str, str | None]) -> Iterator[str]:
    for group, name in chosen.items():
        found = conf.find(path, f"{group}/{name}") if name is not None else None
        if found is None:
            continue
        if re.search(rf"^{re.escape(key)}\s*:", found.read_text(encoding="utf-8"), re.MULTILINE):
            yield conf.shown(found)


def not_given(data: Any, set_by: Callable[[str], str], key: str = "") -> list[Mistake]:
    """Values that a file leaves to the user: ``???``."""
    if isinstance(data, Mapping):
        inner = [(f"{key}.{name}" if key else str(name), value) for name, value in data.items()]
    elif isinstance(data, list):
        inner = [(f"{key}[{number}]", value) for number, value in enumerate(data)]
    else:
        if not (isinstance(data, str) and data == "???"):
            return []
        return [Mistake(key, f"has no value yet (???); add {key}=VALUE", (f"set by: {set_by(key)}",))]
    return [mistake for place, value in inner for mistake in not_given(value, set_by, place)]


def escaped(value: Any) -> Any:
    """A plain value in which nothing is an interpolation any more once it has been resolved."""
    if isinstance(value, str):
        # Backslashes count only in front of ${: each is doubled, and one more escapes the dollar.
        return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + "\\${", value)
    if isinstance(value, Mapping):
        return {key: escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(inner) for inner in value]
    return value
