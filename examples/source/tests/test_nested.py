"""The source keeps the contract of all sources, and objects in objects are columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from engine.registry import Registry
from engine.testing import check_source, parametrize_sources

ROOT = Path(__file__).parents[1]


def write(path: Path, rows: pa.Table) -> None:
    """Rows as lines of JSON."""
    lines = [{name: _plain(value) for name, value in row.items()} for row in rows.to_pylist()]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def _plain(value: object) -> object:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


@parametrize_sources(plugins=[ROOT / "plugins"], given={"nested": {"write": write}})
def test_contract(check: Callable[[], None]) -> None:
    check()


def test_the_orders() -> None:
    rows = {
        "order": [1001, 1002, 1003, 1004],
        "amount": [60, 900, None, 25],
        "items": [3, 2, 1, 2],
        "customer.age": [41, 35, None, 19],
        "customer.country": ["DE", "FR", "FR", "DE"],
        "placed": pa.array([1740824100, 1740830400, 1740907800, 1740884700], pa.timestamp("s")),
    }
    registry = Registry([ROOT / "plugins"])
    check_source("nested", rows, registry=registry, path=str(ROOT / "data" / "orders.nested"), separator=".")
