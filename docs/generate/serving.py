"""Writes the tables of docs/serving.md: the server's options, and its metrics.

python docs/generate/serving.py
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.cli.docstring import parameters
from engine.config.convert import shown
from engine.runtime.serve.exposition import GAUGES, HISTOGRAMS, TOTALS
from engine.runtime.serve.predictions.settings import KEY, PredictionLog
from engine.runtime.serve.settings import Settings

TARGET = Path(__file__).parents[1] / "serving.md"


def tables() -> Mapping[str, str]:
    """The tables by the names of their markers."""
    return {
        "options": _table(("option", "default", "meaning"), _options("server", Settings)),
        "predictions": _table(("option", "default", "meaning"), _options(KEY, PredictionLog)),
        "metrics": _table(("metric", "kind", "labels", "meaning"), _metrics()),
    }


def filled(text: str) -> str:
    """The document with its tables as they are now.

    Raises
    ------
    ValueError
        A table's markers aren't there, or more than once.
    """
    for name, table in tables().items():
        pattern = re.compile(rf"(<!-- {name}: [^\n]* -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"{name}: its markers are there {count} times")
    return text


def _options(key: str, cls: type[Any]) -> Iterator[Sequence[str]]:
    told = parameters(inspect.getdoc(cls) or "")
    for item in dataclasses.fields(cls):
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        yield f"`{key}.{item.name}`", f"`{shown(default)}`", told[item.name]


def _metrics() -> Iterator[Sequence[str]]:
    for kind, end, known in (
        ("counter", "_total", TOTALS),
        ("gauge", "", GAUGES),
        ("histogram", "", HISTOGRAMS),
    ):
        for name, (help_, labels) in known.items():
            yield f"`engine_{name}{end}`", kind, ", ".join(f"`{label}`" for label in labels), help_


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


if __name__ == "__main__":
    TARGET.write_text(filled(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
    print(TARGET)
