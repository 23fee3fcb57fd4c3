"""What verbs print: results to stdout, everything about the run to stderr."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_NUMBER = re.compile(r"[-+0-9.,e]+|inf|-inf|–|undefined|[0-9,]+ \*")
"""Cells that are set flush right."""


def result(text: str) -> None:
    """Print what was asked for to stdout."""
    print(text, flush=True)


def result_json(value: Any) -> None:
    """Print a result as JSON to stdout; NaN becomes null, the infinities ``"inf"`` and ``"-inf"``."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    result(json.dumps(_plain(value), indent=2, ensure_ascii=not unicode))


def tell(text: str) -> None:
    """Print a summary to stderr."""
    print(text, file=sys.stderr, flush=True)


def aligned(rows: Sequence[Sequence[str]], *, indent: int = 0, right: Sequence[int] = ()) -> str:
    """Rows of cells as lines of text, in columns two blanks apart.

    Parameters
    ----------
    rows : sequence of sequence of str
    indent : int
    right : sequence of int
        Columns that are set flush right.

    Examples
    --------
    >>> print(aligned([["auc", "0.9"], ["log_loss", "0.31"]], right=[1]))
    auc        0.9
    log_loss  0.31
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells below a head (empty: without one); on a terminal with its lines drawn.

    Below a head, columns of numbers are set flush right.
    """
    every = [list(head), *rows] if head else list(rows)
    right = [i for i in range(len(head)) if all(_NUMBER.fullmatch(row[i].strip()) for row in rows)]
    if not sys.stdout.isatty():
        return aligned(
            [[cell.rstrip() if i == 0 else cell for i, cell in enumerate(row)] for row in every], right=right
        )
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, show_header=bool(head), pad_edge=False)
    for i, cell in enumerate(every[0]):
        drawn.add_column(Text(cell if head else ""), justify="right" if i in right else "left")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))  # no markup: cells come from data
    width = Console().width
    made = Console(file=StringIO(), width=width, force_terminal=True)
    made.print(drawn)
    assert isinstance(made.file, StringIO)
    return made.file.getvalue().rstrip("\n")


def metric_rows(metrics: Mapping[str, float]) -> list[list[str]]:
    """Metrics as rows for `aligned`."""
    return [[name, "undefined" if math.isnan(value) else f"{value:.6g}"] for name, value in metrics.items()]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
