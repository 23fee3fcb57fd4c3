"""``engine stages [NAME…]``: every stage, or some of them in full."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from engine.cli.arguments import Arguments
from engine.cli.output import aligned, result, result_json
from engine.errors import UserError, listing
from engine.registry import Registry
from engine.stage import (
    ArrayStage,
    ColumnStage,
    GroupStage,
    RowFilter,
    RowStage,
    SchemaStage,
    ScoreStage,
    Stage,
)

_KINDS: tuple[type[Stage], ...] = (
    ColumnStage,
    RowStage,
    SchemaStage,
    RowFilter,
    ArrayStage,
    GroupStage,
    ScoreStage,
)


def run(arguments: Arguments) -> int:
    """Print the stages that configs can use."""
    registry = _registry(arguments)
    if arguments.words:
        known = [describe(registry, name) for name in dict.fromkeys(arguments.words)]
        if arguments.json:
            result_json(known)
        else:
            result("\n\n".join(_in_full(item) for item in known))
        return 0
    listed = [_listed(registry, name) for name in registry.names()]
    if arguments.json:
        result_json(listed)
        return 0
    rows = [["STAGE", "KIND", "FROM", ""]]
    rows += [
        [item["name"], item["kind"] or "broken", item["place"], item["error"] or item["summary"]]
        for item in listed
    ]
    result(aligned(rows))
    return 0


def _registry(arguments: Arguments) -> Registry:
    if not arguments.overrides and arguments.config_dir is None:
        return Registry()
    from engine.config.compose import compose

    folders = compose(arguments.overrides, arguments.config_dir, need_pipeline=False)["plugins"]
    if isinstance(folders, str):
        folders = [folders]
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise UserError(f"plugins: must be a list of folders, not {folders!r}")
    from engine.plan.build import registry_of

    return registry_of(folders)


def describe(registry: Registry, name: str) -> dict[str, Any]:
    """All that is known of a stage, as plain values.

    Raises
    ------
    PluginError
        There is no such stage, or it can't be imported.
    """
    from engine.config.bind import option_kinds, required
    from engine.config.convert import type_name
    from engine.stage import option_fields, option_info

    cls = registry.load(name)
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
        options.append(
            {**option, **bounds, "change": "runtime" if info.runtime else "refit", "help": info.help}
        )
    return {
        **_listed(registry, name),
        "version": cls.version,
        "documentation": inspect.getdoc(cls) or "",
        "columns": _columns(cls),
        "options": options,
    }


def _listed(registry: Registry, name: str) -> dict[str, Any]:
    """A line of the list; a stage that can't be imported says why."""
    found: dict[str, Any] = {"name": name, "kind": None, "summary": "", "place": "", "error": None}
    try:
        found["place"] = registry.source(name).place
        cls = registry.load(name)
    except UserError as error:
        return found | {"error": str(error).splitlines()[0]}
    summary = (inspect.getdoc(cls) or "").strip().split("\n", 1)[0].replace("``", "")
    return found | {"kind": _kind(cls), "summary": summary}


def _kind(cls: type[Stage]) -> str:
    return next((kind.__name__ for kind in _KINDS if issubclass(cls, kind)), cls.__mro__[1].__name__)


def _columns(cls: type[Stage]) -> dict[str, Any] | None:
    if not cls.selects:
        return None
    return {"kinds": [str(kind) for kind in cls.accepts], "required": not cls.select_all}


def _in_full(item: dict[str, Any]) -> str:
    lines = [f"{item['name']}: {item['kind']}, version {item['version']}, from {item['place']}", ""]
    lines += [f"  {line}".rstrip() for line in item["documentation"].splitlines()]
    lines += ["", "columns"]
    columns = item["columns"]
    if columns is None:
        lines.append("  it takes no columns: key")
    else:
        kinds = listing(columns["kinds"])
        lines.append(
            f"  names, globs (temp_*) or kinds (numbers), required; of kind {kinds}"
            if columns["required"]
            else f"  names, globs (temp_*) or kinds (numbers); left out: all of kind {kinds}"
        )
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
    return option["name"], f"{kind} {default}", bounds, option["change"], option["help"]
