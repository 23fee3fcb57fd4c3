"""Overrides applied to a plain config: set, add, remove one key."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import Mistake, did_you_mean, listing

SET_BY = "set by: command line"


@dataclass(frozen=True, slots=True)
class Change:
    """One parsed override.

    Parameters
    ----------
    action : {"set", "add", "force", "remove"}
        ``key=``, ``+key=``, ``++key=`` and ``~key``.
    key : str
        A path with dots.
    value : object
        A plain value.
    text : str
        The override as typed.
    """

    action: Literal["set", "add", "force", "remove"]
    key: str
    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A config after overrides.

    Parameters
    ----------
    data : dict
    typed : tuple of str
        The keys that overrides set or removed; of a mapping that was merged, those in it.
    mistakes : tuple of Mistake
        The overrides that don't fit.
    """

    data: dict[str, Any]
    typed: tuple[str, ...]
    mistakes: tuple[Mistake, ...]


def apply_changes(data: Mapping[str, Any], changes: Iterable[Change]) -> Changed:
    """A config after overrides; ``data`` stays as it is.

    A mapping is merged into a mapping; anything else is replaced.

    Examples
    --------
    >>> change = Change("set", "split", {"gap": 5}, "split={gap: 5}")
    >>> apply_changes({"split": {"kind": "time"}}, [change])
    Changed(data={'split': {'kind': 'time', 'gap': 5}}, typed=('split.gap',), mistakes=())
    """
    changed = copy.deepcopy(dict(data))
    typed: list[str] = []
    mistakes = [found for change in changes if (found := _apply(changed, change, typed)) is not None]
    return Changed(changed, tuple(typed), tuple(mistakes))


def _apply(data: dict[str, Any], change: Change, typed: list[str]) -> Mistake | None:
    *above, last = change.key.split(".")
    holder: Any = data
    for depth, name in enumerate(above):
        inner = _get(holder, name)
        if inner is None and isinstance(holder, dict) and change.action != "remove":
            inner = holder[name] = {}
        if isinstance(inner, str) and above[0] == "inputs" and depth == 1 and change.action != "remove":
            inner = holder[name] = {"kind": inner}  # the short form of an input, told more of
        if not isinstance(inner, dict | list):
            if change.action == "remove":
                return _nothing_there(change, holder, above[: depth + 1])
            path = ".".join(above[: depth + 1])
            found = "a single value" if inner is None else f"the single value {inner!r}"
            return Mistake(change.key, f"{path} is {found}, with nothing below it", (SET_BY,))
        holder = inner
    if change.action == "remove":
        typed.append(change.key)
        return _remove(change, holder, above, last)
    typed += _typed(change.key, _get(holder, last), change.value)
    return _set(change, holder, last)


def _get(holder: Any, name: str) -> Any:
    if isinstance(holder, list):
        return holder[int(name)] if name.isdecimal() and int(name) < len(holder) else None
    return holder.get(name)


def _set(change: Change, holder: Any, last: str) -> Mistake | None:
    present = _get(holder, last)
    if isinstance(holder, list):
        if not last.isdecimal() or int(last) >= len(holder):
            message = f"this is a list of {len(holder)}, without a place {last!r}; give the whole list"
            return Mistake(change.key, message, (SET_BY,))
        holder[int(last)] = copy.deepcopy(change.value)
        return None
    if change.action == "add" and present is not None:
        message = f"it is there already, so it can't be added; without the '+': {change.text.lstrip('+')}"
        return Mistake(change.key, message, (SET_BY,))
    if present and isinstance(present, dict) and change.value == {}:
        names = [str(name) for name in present]
        message = "an empty mapping changes nothing: a mapping is merged into the one that is there"
        return Mistake(
            change.key,
            message,
            (f"it holds: {listing(names)}", f"to remove one: ~{change.key}.{names[0]}", SET_BY),
        )
    holder[last] = _merged(present, change.value)
    return None


def _typed(key: str, present: Any, value: Any) -> Iterator[str]:
    """The keys that this value sets, where a mapping is merged."""
    if isinstance(present, dict) and isinstance(value, dict) and present and value:
        for name, inner in value.items():
            yield from _typed(f"{key}.{name}", present.get(name), inner)
    else:
        yield key


def _merged(present: Any, value: Any) -> Any:
    if isinstance(present, dict) and isinstance(value, dict):
        both = {
            name: _merged(present[name], value[name]) if name in value else present[name] for name in present
        }
        return both | {name: copy.deepcopy(value[name]) for name in value if name not in present}
    return copy.deepcopy(value)


def _remove(change: Change, holder: Any, above: list[str], last: str) -> Mistake | None:
    if not above:
        message = f"a root key can't be removed; to give it no value: {last}=null"
        return Mistake(change.key, message, (SET_BY,))
    if isinstance(holder, list) or last not in holder:
        return _nothing_there(change, holder, [*above, last])
    if change.value is not None and change.value != holder[last]:
        message = f"it is {holder[last]!r}, not {change.value!r}, so it stays; to remove it: ~{change.key}"
        return Mistake(change.key, message, (SET_BY,))
    del holder[last]
    return None


def _nothing_there(change: Change, holder: Any, path: list[str]) -> Mistake:
    names = [str(name) for name in holder] if isinstance(holder, dict) else []
    message = f"there is no {'.'.join(path)!r} to remove.{did_you_mean(path[-1], names)}"
    where = ".".join(path[:-1]) or "root keys"
    return Mistake(change.key, message, (f"{where}: {listing(names)}", SET_BY))
