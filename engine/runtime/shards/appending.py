"""Runs that are added to an output have its columns."""

from __future__ import annotations

import pyarrow as pa

from engine.errors import DataError
from engine.runtime.shards.plan import Commit
from engine.sink import Sink

_TYPED = (".parquet", ".arrow", ".feather")
"""Files that say of which type their columns are."""
_NAMED = (".csv", ".jsonl", ".ndjson")


def check_same_columns(schema: pa.Schema, last: Commit, sink: Sink) -> None:
    """Hold the columns of a run against those of the files that it is added to.

    Raises
    ------
    DataError
        They differ, and the folder couldn't be read as one table any more.
    """
    before = last.summary.get("types")
    if not isinstance(before, dict) or not sink.extension.startswith(_TYPED + _NAMED):
        return
    now = {field.name: str(field.type) for field in schema}
    if sink.extension.startswith(_NAMED):
        before, now = dict.fromkeys(before, ""), dict.fromkeys(now, "")
    if list(before.items()) == list(now.items()):
        return
    names = dict.fromkeys([*before, *now])
    lines = [
        f"  {name}: {_told(before, name)} there, {_told(now, name)} here"
        for name in names
        if before.get(name) != now.get(name)
    ]
    raise DataError(
        "\n".join(
            (
                f"{sink.path}: can't be added to: its columns, as run {last.run_id} wrote them, are others",
                *(lines or [f"  order: {', '.join(before)} there, {', '.join(now)} here"]),
                "write to another folder, or everything anew: sink.mode=replace",
            )
        )
    )


def _told(columns: dict[str, str], name: str) -> str:
    return "not" if name not in columns else columns[name] or "is"
