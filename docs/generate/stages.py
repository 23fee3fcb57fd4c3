# ruff: noqa: E501
"""Writes docs/stages.md: every built-in plugin, from its docstring and options.

python docs/generate/stages.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.cli.stages import describe
from engine.config.convert import shown
from engine.registry import KINDS, Registry

SECTIONS: Mapping[str, Sequence[str]] = {
    "Numbers": (
        "impute", "missing_flag", "null_if", "scale", "clip", "power", "log1p", "bin", "quantile_transform", "cyclic", "expr",
    ),
    "Categories": (
        "onehot", "ordinal", "target_encode", "count_encode", "hash_encode", "rare", "woe",
    ),
    "Time": ("calendar", "elapsed"),
    "Text": ("text_length", "contains"),
    "Columns": ("select", "drop", "rename"),
    "Rows": ("require",),
    "Models": ("xgboost",),
    "Decisions": ("threshold", "bands", "label", "calibrate", "rank", "top_k"),
}  # fmt: skip
"""Where each stage stands; in the order in which a reader looks for them."""

_HEAD = """\
<!-- written by docs/generate/stages.py; tests/test_stages_page.py holds it to the plugins -->
# Stages, and other plugins

What `engine stages NAME` prints of each built-in plugin. Every stage has the keys `use`, `enabled`, `before`, `after`,
`columns`, `drop` and `into` besides its options; [pipelines.md](pipelines.md) says what they do, and
[plugins.md](plugins.md) how to write a stage of your own. *Runtime* options may be changed on a bundle where neither the
stage nor a later one learned; *refit* ones need `engine fit`."""


def page() -> str:
    """The whole document.

    Raises
    ------
    LookupError
        A stage stands in no section, or one that stands there isn't built in.
    """
    registry = Registry()
    built_in = {
        kind: [name for name in registry.names(kind) if registry.definition(name, kind).origin == "built in"]
        for kind in KINDS
    }
    placed = [name for names in SECTIONS.values() for name in names]
    if odd := set(placed) ^ set(built_in["stage"]):
        raise LookupError(f"SECTIONS and the built-in stages differ: {sorted(odd)}")
    parts = [_HEAD, _contents(built_in)]
    for section, names in SECTIONS.items():
        parts.append(f"## {section}")
        parts += [_plugin(describe(registry, name)) for name in names]
    for kind, names in built_in.items():
        if kind != "stage" and names:
            parts.append(f"## {kind.capitalize()}s")
            parts += [_plugin(describe(registry, name, kind)) for name in names]
    return "\n\n".join(parts)


def _contents(built_in: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for section, names in SECTIONS.items():
        lines.append(f"* {section}: {', '.join(f'[{name}](#{name})' for name in names)}")
    lines += [
        f"* [{kind.capitalize()}s](#{kind}s): {', '.join(names)}"
        for kind, names in built_in.items()
        if kind != "stage" and names
    ]
    return "\n".join(lines)


def _plugin(item: Mapping[str, Any]) -> str:
    head = f"### {item['name']}" if item["plugin"] == "stage" else f"### {item['name']} ({item['plugin']})"
    parts = [head, markdown(item["documentation"])]
    if item["columns"] is not None:
        kinds = ", ".join(item["columns"]["kinds"])
        if item["columns"]["named"]:
            kinds += f"; by name {', '.join(item['columns']['named'])}, too"
        left_out = "required" if item["columns"]["required"] else "left out, all of these"
        parts.append(f"Columns: {kinds}; {left_out}.")
    if item["options"]:
        parts.append(_options(item["options"], item["plugin"] == "stage"))
    return "\n\n".join(parts)


def _options(options: Iterable[Mapping[str, Any]], is_stage: bool) -> str:
    lines = ["| option | type | default | change | |", "|---|---|---|---|---|"]
    if not is_stage:
        lines = ["| option | type | default | |", "|---|---|---|---|"]
    for option in options:
        kind = (
            " or ".join(f"`{shown(choice)}`" for choice in option.get("choices", ())) or f"`{option['type']}`"
        )
        signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
        bounds = ", ".join(f"{sign} {option[name]:g}" for name, sign in signs.items() if name in option)
        default = "required" if option["required"] else f"`{shown(option['default'])}`"
        cells = [f"`{option['name']}`", f"{kind} {bounds}".strip(), default]
        cells += [option["change"] or ""] if is_stage else []
        cells.append(_inline(option["help"]))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def markdown(text: str) -> str:
    """A docstring as Markdown: headings bold, examples and tables as code."""
    out = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.split("\n")
        if len(lines) > 1 and re.fullmatch(r"-+", lines[1]):
            if lines[0] != "Examples":
                out.append(f"**{lines[0]}**")
            lines = lines[2:]
        if not lines:
            continue
        if lines[0].startswith(">>>"):
            out.append("\n".join(["```pycon", *lines, "```"]))
        elif re.match(r"=+( +=+)+$", lines[0]) or lines[0].startswith("=="):
            out.append("\n".join(["<!-- not compared: a table -->", "```text", *lines, "```"]))
        else:
            out.append(_inline("\n".join(lines)))
    return _joined(out)


def _joined(blocks: Sequence[str]) -> str:
    """Code that blank lines parted is one block again."""
    text = "\n\n".join(blocks)
    return text.replace("\n```\n\n```pycon\n", "\n\n")


def _inline(text: str) -> str:
    return text.replace("``", "`")


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "stages.md"
    target.write_text(page() + "\n", encoding="utf-8")
    print(target)
