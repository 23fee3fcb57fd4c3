"""The sink keeps the contract of all sinks, and its files are SQLite's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from engine.testing import parametrize_sinks

PLUGINS = Path(__file__).parents[1] / "plugins"


def read(file: Path) -> pa.Table:
    """The table of a file."""
    with closing(sqlite3.connect(file)) as connection:
        declared = {row[1]: row[2] for row in connection.execute("pragma table_info(scores)")}
        rows = connection.execute("select * from scores").fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(declared)
    return pa.table(
        {name: _column(kind, cells) for (name, kind), cells in zip(declared.items(), columns, strict=True)}
    )


def _column(kind: str, cells: tuple[object, ...]) -> pa.Array:
    if kind != "timestamp":
        return pa.array(cells, pa.string() if kind == "text" else None)
    times = [datetime.fromisoformat(cell) if isinstance(cell, str) else None for cell in cells]
    return pa.array(times, pa.timestamp("us", "UTC"))


@parametrize_sinks(plugins=[PLUGINS], given={"sqlite": {"read": read}})
def test_contract(check: Callable[[], None]) -> None:
    check()
