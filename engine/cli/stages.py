"""``engine stages [NAME…]``: every plugin, or some of them in full."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from engine.cli.arguments import Arguments
from engine.cli.docstring import plain, unquoted
from engine.cli.output import aligned, result, result_json
from engine.errors import ConfigError, Mistake, UserError, did_you_mean, listing
from engine.registry import KINDS, Registry
from engine.stage import OptionInfo, Stage


def run(arguments: Arguments) -> int:
    """Print the plugins that configs can use."""
    registry, kind = registry_for(arguments)
    if arguments.words:
        # a name alone is a stage's
        known = [describe(registry, name, kind or "stage") for name in dict.fromkeys(arguments.words)]
        if arguments.json:
            result_json(known)
        else:
            result("\n\n".join(_in_full(item) for item in known))
        return 0
    kinds = [kind] if kind else list(KINDS)
    listed = [_listed(registry, name, one) for one in kinds for name in registry.names(one)]
    if arguments.json:
        result_json(listed)
        return 0
    rows: list[list[str]] = []
    for one in kinds:
        rows += [[""] * 4] if rows else []
        rows.append([one.upper(), "KIND" if one == "stage" else "", "FROM", ""])
        rows += [_row(item) for item in listed if item["plugin"] == one]
    result(aligned(rows))
    return 0


def _row(item: dict[str, Any]) -> list[str]:
    kind = "broken" if item["error"] else (item["kind"] if item["plugin"] == "stage" else "")
    return [item["name"], kind, _from(item), item["error"] or item["summary"]]


def registry_for(arguments: Arguments) -> tuple[Registry, str | None]:
    """The registry with the folders that were typed as ``plugins=[…]``, and the ``kind`` that was typed."""
    if not arguments.overrides and arguments.config_dir is None:
        return Registry(), None
    from engine.config.compose import compose
    from engine.config.convert import shown
    from engine.plan.build import registry_for as of_config

    config = compose(arguments.overrides, arguments.config_dir, need_pipeline=False)
    kind = config["kind"]
    if kind is not None and kind not in KINDS:
        message = f"there is no kind of plugin {shown(kind)}.{did_you_mean(str(kind), KINDS)}"
        notes = (f"kinds: {listing(KINDS)}", f"set by: {config.set_by('kind')}")
        raise ConfigError([Mistake("kind", message, notes)])
    return of_config(config), kind


def describe(registry: Registry, name: str, kind: str = "stage") -> dict[str, Any]:
    """All that is known of a plugin, as plain values.

    Raises
    ------
    PluginError
        There is no such plugin, or it can't be imported.
    """
    from engine.config.bind import option_kinds, required
    from engine.config.convert import type_name
    from engine.stage import option_fields, option_info

    def change(info: OptionInfo) -> str | None:
        return None if kind != "stage" else "runtime" if info.runtime else "refit"

    cls = registry.load(name, kind)
    kinds = option_kinds(cls)
    options = []
    for item in option_fields(cls):
        info = option_info(item)
        bounds = {
            bound: found for bound in ("ge", "gt", "le", "lt") if (found := getattr(info, bound)) is not None
        }
        option: dict[str, Any] = {"name": item.name, "type": type_name(kinds[item.name])}
        if info.choices is not None:
            option["choices"] = list(info.choices)
        option["required"] = required(item)
        if not required(item):
            option["default"] = item.default_factory() if callable(item.default_factory) else item.default
        options.append({**option, **bounds, "change": change(info), "help": info.help})
    measures = {}
    if kind == "metric":
        measures = {"tasks": list(cls.tasks), "greater_is_better": cls.greater_is_better}
    return {
        **_listed(registry, name, kind),
        "documentation": inspect.getdoc(cls) or "",
        "columns": _columns(cls),
        "options": options,
        **measures,
    }


def _listed(registry: Registry, name: str, kind: str) -> dict[str, Any]:
    """A line of the list; a plugin that can't be imported says why."""
    found: dict[str, Any] = dict.fromkeys(
        ("name", "plugin", "kind", "version", "from", "place", "file", "error")
    )
    found |= {"name": name, "plugin": kind, "summary": ""}
    try:
        where = registry.definition(name, kind)
        found |= {"from": where.origin, "place": where.place, "file": where.file or None}
        cls = registry.load(name, kind)
    except UserError as error:
        return found | {"error": str(error).splitlines()[0]}
    summary = (inspect.getdoc(cls) or "").strip().split("\n", 1)[0]
    return found | {"kind": _kind(cls), "version": cls.version, "summary": unquoted(summary)}


def _from(item: dict[str, Any]) -> str:
    """Where a plugin comes from, in a word or two; of the user's own the file."""
    if item["from"] is None:
        return "two places"
    return str(item["place"] if item["from"] == "folder" else item["from"])


def _kind(cls: type[Any]) -> str:
    """The engine's own base that its author chose."""
    bases = {kind.base.__module__ for kind in KINDS.values()}
    return next(base.__name__ for base in cls.__mro__ if base.__module__ in bases)


def _columns(cls: type[Any]) -> dict[str, Any] | None:
    if not issubclass(cls, Stage) or not cls.selects:
        return None
    kinds = [str(kind) for kind in cls.accepts if kind not in cls.only_named]
    named = [str(kind) for kind in cls.only_named]
    return {"kinds": kinds, "named": named, "required": not cls.select_all}


def _in_full(item: dict[str, Any]) -> str:
    place = item["place"] if item["from"] in item["place"] else f"{item['place']} ({item['from']})"
    kind = item["kind"] if item["plugin"] == "stage" else item["plugin"]
    lines = [f"{item['name']}: {kind}, version {item['version']}, from {place}", ""]
    lines.append(plain(item["documentation"]))
    columns = item["columns"]
    if item["plugin"] == "stage":
        lines += ["", "columns"]
    if item["plugin"] == "stage" and columns is None:
        lines.append("  it takes no columns: key")
    elif columns is not None:
        kinds = listing(columns["kinds"])
        if columns["named"]:
            kinds += f"; by name {listing(columns['named'])}, too"
        lines.append(
            f"  names, globs (temp_*) or kinds (numbers), required; of kind {kinds}"
            if columns["required"]
            else f"  names, globs (temp_*) or kinds (numbers); left out: all of kind {kinds}"
        )
    if item["plugin"] == "metric":
        better = {True: "greater is better", False: "less is better", None: "neither way is better"}
        lines += ["", "of", f"  {listing(item['tasks'])}; {better[item['greater_is_better']]}"]
    lines += ["", "options"]
    rows = [[*_option(option)] for option in item["options"]]
    lines.append(aligned(rows, indent=2) if rows else "  none")
    if any(option["change"] == "runtime" for option in item["options"]):
        lines += [
            "",
            "runtime: may be changed on a bundle where neither this stage nor a later one learned;",
            "refit: a change needs engine fit",
        ]
    return "\n".join(lines)


def _option(option: dict[str, Any]) -> Sequence[str]:
    from engine.config.convert import shown

    kind = " | ".join(map(shown, option["choices"])) if "choices" in option else option["type"]
    default = "(required)" if option["required"] else f"= {shown(option['default'])}"
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = ", ".join(f"{sign} {option[name]:g}" for name, sign in signs.items() if name in option)
    return option["name"], f"{kind} {default}", bounds, option["change"] or "", unquoted(option["help"])
