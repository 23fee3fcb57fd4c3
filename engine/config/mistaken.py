"""What Hydra and YAML complain about, in the engine's words."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from engine.config import folders as conf
from engine.config.change import SET_BY
from engine.errors import Mistake, did_you_mean, listing

_DEEP = "stand too deep in one another"


def unparsable(text: str, pipelines: Collection[str], reads: Callable[[str], Any], reason: str) -> Mistake:
    """An override that the parser can't read; where quotes mend it, with the form that works.

    Parameters
    ----------
    text : str
    pipelines : collection of str
        Names that may have been meant for ``pipeline=NAME``.
    reads : callable
        The value that the parser reads in an override, or None.
    reason : str
        What the parser said.
    """
    key, equals, value = text.partition("=")
    said = f"the parser says: {reason.splitlines()[0]}"
    if not equals:
        if text in pipelines:
            return Mistake("", f"{text!r} is no override; did you mean pipeline={text}?")
        return Mistake("", f"{text!r} is no override: write key=value, +key=value or ~key")
    where = key.lstrip("+~")
    if value.startswith(("{", "[")):
        notes = (
            "a text in it that holds blanks, '=', ':' or brackets needs double quotes of its own:",
            "  '+stages.speed={use: expr, value: \"dep_delay / (distance + 1)\"}'",
            said,
        )
        return Mistake(where, f"can't read the list or mapping {value}", notes)
    escaped = value.replace('"', '\\"')
    quoted = f'{key}="{escaped}"'
    if reads(quoted) != value:
        return Mistake("", f"can't read the override {text!r}", (said,))
    return Mistake(where, f"the value {value!r} needs quotes", (f"write: {shlex.quote(quoted)}",))


def several_values(text: str) -> Mistake:
    """A value that Hydra would sweep over."""
    key, _, value = text.partition("=")
    notes = (f"as a list: '{key}=[{value}]'", f"as one text: '{key}=\"{value}\"'")
    return Mistake(key.lstrip("+"), f"{value!r} is several values", notes)


def no_such_choices(group: str, chosen: Any, path: Sequence[Path]) -> list[Mistake]:
    """The mistakes in what was chosen for a group: a name, a list of names, or None."""
    if group == "pipeline" and isinstance(chosen, list):
        return [Mistake(group, f"one pipeline is chosen at a time, not {len(chosen)}")]
    names = [str(name) for name in (chosen if isinstance(chosen, list) else [chosen]) if name is not None]
    return [no_such_choice(group, name, path) for name in names if conf.find(path, f"{group}/{name}") is None]


def no_such_choice(group: str, name: str, path: Sequence[Path], where: str = "") -> Mistake:
    """A group that has no file of this name."""
    names = conf.choices(path, group)
    kind = "choices" if "/" in group else f"{group}s"
    notes = [f"{kind}: {listing(names, 40)}", f"looked in: {conf.places(path, group)}"]
    if group in ("source", "sink") and ("." in name or "/" in name):
        notes.insert(0, f"to name a file or folder: {group}.path={name}")
    if group == "pipeline":
        notes[:0] = _elsewhere(name)
    others = [folder / group / f"{name}.yml" for folder in path]
    notes.extend(f"{conf.shown(other)} must end in .yaml" for other in others if other.is_file())
    return Mistake(where or group, f"there is no {group} {name!r}.{did_you_mean(name, names)}", tuple(notes))


def _elsewhere(name: str) -> list[str]:
    """Where a pipeline of this name is, after all: in a bundle, or in a folder that was not named."""
    if (Path(name) / "current").is_file():
        return [f"a bundle lies there: bundle={name}"]
    homes = sorted(found.parents[1] for found in Path().glob(f"*/pipeline/{glob.escape(name)}.yaml"))
    return [f"there is one in {home}: add --config-dir {home}" for home in homes[:1]]


def missing_default(name: str, by: str, path: Sequence[Path]) -> Mistake:
    """A file's defaults list that names a file that isn't there."""
    found = conf.find(path, by) if by else None
    group, _, choice = name.rpartition("/")
    return no_such_choice(group, choice, path, f"{conf.shown(found)}, defaults" if found else "defaults")


def no_yaml(path: Path, line: int, column: int, problem: str) -> Mistake:
    """A file that is no YAML; line and column count from 0."""
    lines = path.read_text(encoding="utf-8").splitlines()[line : line + 1]
    pointed = (*lines, " " * column + "^") if lines else ()
    return Mistake(
        f"{conf.shown(path)}, line {line + 1}, column {column + 1}", f"this is no YAML: {problem}", pointed
    )


def too_deep(path: Sequence[Path], chosen: Sequence[str]) -> Mistake:
    """Files without an end: a defaults list that comes back to its own file, or too many brackets.

    Parameters
    ----------
    path : sequence of Path
    chosen : sequence of str
        The configs that composing starts from: ``pipeline/flights``.
    """
    lists: dict[str, list[str]] = {}
    pending = list(chosen)
    while pending:
        name = pending.pop()
        file = conf.find(path, name)
        if name in lists or file is None:
            continue
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except RecursionError:
            return Mistake(conf.shown(file), f"its lists and mappings {_DEEP}")
        lists[name] = _listed(content, name.rpartition("/")[0])
        pending += lists[name]
    for start in lists:
        file, chain = conf.find(path, start), _circle(start, lists)
        if file is not None and chain is not None:
            message = f"the lists run in a circle: {' → '.join(chain)}"
            return Mistake(f"{conf.shown(file)}, defaults", message)
    return Mistake("", f"lists and mappings of the config {_DEEP}")


def nested_override(text: str) -> Mistake:
    """An override with too many brackets."""
    return Mistake(text.partition("=")[0].lstrip("+~"), f"its lists and mappings {_DEEP}", (SET_BY,))


def _listed(content: Any, group: str) -> list[str]:
    """The configs that a file's defaults list names."""
    entries = content.get("defaults") if isinstance(content, dict) else None
    found = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            pairs = [(str(key).split()[-1], value) for key, value in entry.items() if value is not None]
            texts = [f"{key}/{value}" for key, value in pairs]
        else:
            texts = [str(entry)]
        found += [
            text.lstrip("/") if text.startswith("/") or not group else f"{group}/{text}" for text in texts
        ]
    return found


def _circle(start: str, lists: Mapping[str, list[str]]) -> list[str] | None:
    """The way from a config through defaults lists back to itself."""
    pending, seen = [[start]], set()
    while pending:
        chain = pending.pop()
        for name in lists.get(chain[-1], ()):
            if name == start:
                return [*chain, name]
            if name not in seen:
                seen.add(name)
                pending.append([*chain, name])
    return None


def not_utf8(path: Sequence[Path]) -> Mistake:
    """A file that can't be decoded; Hydra doesn't say which."""
    for file in (file for folder in path for file in sorted(folder.rglob("*.yaml"))):
        try:
            file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            return Mistake(conf.shown(file), f"this is not UTF-8: byte {error.start}: {error.reason}")
    return Mistake("", "a config file is not UTF-8")


def of_hydra(text: str, path: Sequence[Path]) -> Mistake:
    """Any other failure of Hydra, without its advice.

    To append with a plus is wrong here: what is misspelt would only be added silently.
    """
    noise = ("To append to", "See https", "full_key:", "object_type=")
    lines = [line.strip() for line in text.splitlines()]
    first, *rest = [line for line in lines if line and not line.startswith(noise)]
    by = re.match(r"In '([^']+)': (.*)", first)
    found = conf.find(path, by[1]) if by else None
    if by is None or found is None:
        return Mistake("", first, tuple(rest))
    if any("Cannot merge DictConfig with ListConfig" in line for line in rest):
        return Mistake(conf.shown(found), "a list stands where a mapping is due")
    return Mistake(conf.shown(found), by[2], tuple(rest))
