"""A traced row in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from engine.answer.traced import RowTrace, TracedColumn
from engine.cli.output import aligned
from engine.errors import listing
from engine.pipeline import Pipeline

_ALIKE = 6
"""More columns of a stage than this that have one value are told in one line."""


def trace_text(pipeline: Pipeline, found: RowTrace) -> str:
    """What each stage made or changed, then the answer, or why there is none."""
    lines = [f"a row through {pipeline.plan.name}, version {pipeline.version}", "", "inputs"]
    lines += _rows([[column.name, shown(column.value)] for column in found.inputs])
    for stage in found.stages:
        note = f"  ({stage.note})" if stage.note else ""
        lines += ["", f"{stage.label}: {stage.use}{note}", *_columns(stage.columns)]
        if stage.dropped:
            lines.append(f"  dropped: {listing(stage.dropped, 8)}")
    lines.append("")
    if found.refusal is not None:
        reached = len(found.stages)
        left = [planned.label for planned in pipeline.plan.stages[reached:]]
        lines.append(f"refused: {found.refusal.message}")
        if left:
            lines.append(f"not reached: {listing(left, 12)}")
        return "\n".join(lines)
    lines.append("answer")
    return "\n".join([*lines, *_rows([[name, shown(v)] for name, v in (found.answer or {}).items()])])


def _columns(columns: Sequence[TracedColumn]) -> list[str]:
    """The columns of a stage, many of one value together."""
    texts = [_change(column) for column in columns]
    counts = Counter(texts)
    rows: list[list[str]] = []
    alike: dict[str, list[str]] = {}
    for column, text in zip(columns, texts, strict=True):
        if counts[text] > _ALIKE:
            alike.setdefault(text, []).append(column.name)
        else:
            rows.append([column.name, text])
    more = [f"  {len(names)} columns  {text}: {listing(names, 6)}" for text, names in alike.items()]
    return _rows(rows) + more


def _change(column: TracedColumn) -> str:
    now = shown(column.value)
    if column.made:
        return now
    before = shown(column.before)
    return f"{now}, as before" if before == now else f"{before} → {now}"


def _rows(rows: list[list[str]]) -> list[str]:
    return aligned(rows, indent=2).splitlines() if rows else []


def shown(value: Any) -> str:
    """A value for people.

    >>> shown(float("nan")), shown(0.5), shown(True), shown("UA"), shown("")
    ('missing', '0.5', 'true', 'UA', "''")
    """
    if value is None or value != value:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(plain(value))
    if isinstance(value, str):
        clear = value.isprintable() and value.strip() == value and value not in ("", "missing")
        return value if clear else repr(value)
    return repr(value) if isinstance(value, int | float) else str(value)


def plain(value: Any) -> Any:
    """A value for JSON: a timestamp as RFC 3339 in UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
