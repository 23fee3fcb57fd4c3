# ruff: noqa: E501
"""Writes docs/values.md: what each value becomes, asked of the code that does it.

python docs/generate/values.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engine.decode import RowDecoder, TableDecoder, json_cells
from engine.errors import DataError, RowError
from engine.schema import Input, Kind
from engine.values import FIRST, NAT, Categories

KINDS = (Kind.NUMBER, Kind.CATEGORY, Kind.TIMESTAMP)
TEXTS = ("", "12", "2013-01-01T05:00:00Z", "UA", "inf", "nan", "null", "true", "é")
"""What the category's vocabulary holds: the texts of the examples."""

_EAST = timezone(timedelta(hours=5, minutes=30))
_TEN = datetime(2013, 1, 1, 10, tzinfo=_EAST)
_DICTIONARY = pa.array(["UA"]).dictionary_encode()

ARROW: Sequence[tuple[str, pa.Array]] = (
    ("int8 … int64", pa.array([12], pa.int8())),
    ("uint8 … uint64", pa.array([2**64 - 1], pa.uint64())),
    ("int64 beyond 2⁵³", pa.array([2**53 + 1], pa.int64())),
    ("float16", pa.array([np.float16(0.1)], pa.float16())),
    ("float32", pa.array([0.1], pa.float32())),
    ("float64", pa.array([-0.0], pa.float64())),
    ("float64", pa.array([float("inf")], pa.float64())),
    ("float64", pa.array([float("nan")], pa.float64())),
    ("decimal32 … decimal256", pa.array([Decimal("0.1")], pa.decimal128(5, 1))),
    ("boolean", pa.array([True])),
    ("string", pa.array(["UA"])),
    ("string", pa.array([""])),
    ("large_string", pa.array(["UA"], pa.large_string())),
    ("string_view", pa.array(["UA"], pa.string_view())),
    ("dictionary of text", _DICTIONARY),
    ("run-end encoded", pa.RunEndEncodedArray.from_arrays([1], pa.array([12]))),
    ("timestamp, no zone", pa.array([datetime(2013, 1, 1, 5)], pa.timestamp("s"))),
    ("timestamp, with a zone", pa.array([_TEN], pa.timestamp("us", "Asia/Kolkata"))),
    ("timestamp[ns]", pa.array([-1], pa.int64()).view(pa.timestamp("ns"))),
    ("date32, date64", pa.array([date(2013, 1, 1)])),
    ("time32, time64", pa.array([time(1, 0, 0, 500000)])),
    ("duration", pa.array([timedelta(minutes=1, milliseconds=500)])),
    ("null", pa.nulls(1)),
    ("any, null", pa.array([None], pa.int32())),
    ("binary", pa.array([b"UA"])),
    ("list, struct, map, union", pa.array([[1]])),
)
"""What stands in the first column, and an array with one value."""

PYTHON: Sequence[Any] = (
    12, 2**53 + 1, 10**400, 0.1, -0.0, float("inf"), float("nan"), True, False, Decimal("0.1"), None, "UA", "12", "",
    "2013-01-01T05:00:00Z", datetime(2013, 1, 1, 5), _TEN, date(2013, 1, 1), time(1, 0), timedelta(minutes=1),
    np.float32(0.1), np.int8(12), np.bool_(True), np.datetime64("2013-01-01T05"), np.timedelta64(90, "s"), b"UA", [1],
)  # fmt: skip

JSON: Sequence[tuple[str, Any]] = (
    ("12", 12), ("1.5", 1.5), ("1e400", float("inf")), ("true", True), ("null", None), ('"UA"', "UA"), ('"12"', "12"),
    ('""', ""), ('"inf"', "inf"), ('"nan"', "nan"), ('"2013-01-01T05:00:00Z"', "2013-01-01T05:00:00Z"),
    ("1357016400000000", 1357016400000000), ("1357016400000000.0", 1357016400000000.0), ("[1]", [1]),
)  # fmt: skip
"""As it is written, and as parsers read it."""

CSV: Sequence[str | None] = (
    "12", " 1.5 ", "1e400", "inf", "nan", "true", None, "", "UA", "2013-01-01T05:00:00Z", "2013-01-01", "null",
)  # fmt: skip
"""The text of the field; None is an empty field, the empty text a quoted one."""


def becomes(kind: Kind, column: pa.Array, *, parse_text: bool = False, is_json: bool = False) -> str:
    """What the one value of a column becomes, as an input of this kind."""
    decoder = TableDecoder([Input("x", kind)], None, {"x": TEXTS}, parse_text)
    field = pa.field("x", column.type)
    schema = pa.schema([json_cells.marked(field) if is_json else field])
    try:
        decoded = decoder.decode(pa.Table.from_arrays([column], schema=schema))
    except DataError:
        return "*another family*"
    return "*invalid*" if decoded.bad else shown(kind, decoded.columns["x"])


def of_row(kind: Kind, value: Any) -> str:
    """What a value in a row becomes."""
    try:
        (found,) = RowDecoder([Input("x", kind)], None, {"x": TEXTS}).values({"x": value})
    except RowError:
        return "*invalid*"
    if kind is Kind.CATEGORY:
        return shown(kind, Categories(np.array([found], np.int32), TEXTS))
    return shown(kind, np.array([found]))


def shown(kind: Kind, values: Any) -> str:
    """One value as the tables print it."""
    if isinstance(values, Categories):
        code = int(values.codes[0])
        return (
            f"`{values.texts[code - FIRST]!r}`"
            if code >= FIRST
            else "*missing*"
            if code == 0
            else "*unknown*"
        )
    if kind is Kind.TIMESTAMP:
        if values[0] == NAT:
            return "*missing*"
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(values[0]))
        return f"`{instant.isoformat().replace('+00:00', 'Z')}`"
    return "*missing*" if np.isnan(values[0]) else f"`{float(values[0])!r}`"


def table(head: str, rows: Sequence[tuple[str, Callable[[Kind], str]]]) -> str:
    """A table of Markdown; rows that say the same of the same value are one."""
    lines = [f"| {head} | number | category | timestamp |", "|---|---|---|---|"]
    for name, ask in rows:
        line = f"| {name} | {' | '.join(ask(kind) for kind in KINDS)} |"
        if line not in lines:
            lines.append(line)
    return "\n".join(lines)


def _shown_python(value: Any) -> str:
    text = repr(value).replace("datetime.", "")
    return f"`{text}`" if len(text) < 120 else "`10**400`"


def page() -> str:
    """The whole document."""
    arrow = [
        (f"{name} | `{_python(array)}`", lambda kind, array=array: becomes(kind, array))
        for name, array in ARROW
    ]
    python = [(_shown_python(value), lambda kind, value=value: of_row(kind, value)) for value in PYTHON]
    json_ = [
        (f"`{text}`", lambda kind, value=value: becomes(kind, json_cells.column([value]), is_json=True))
        for text, value in JSON
    ]
    csv = [
        (
            "an empty field" if text is None else f"`{text}`" if text else '`""`',
            lambda kind, text=text: becomes(kind, pa.array([text], pa.string()), parse_text=True),
        )
        for text in CSV
    ]
    return "\n\n".join(
        (
            _HEAD,
            "## Tables and batches: Arrow",
            table("type | for example", arrow).replace("|---|---|---|---|", "|---|---|---|---|---|", 1),
            "## One row, a list of rows: Python",
            table("value", python),
            "## Lines of JSON",
            _JSON,
            table("value", json_),
            "## CSV",
            table("field", csv),
            _TAIL,
        )
    )


def _python(array: pa.Array) -> str:
    (value,) = array.to_pylist()
    if isinstance(value, datetime | date | time | timedelta):
        return str(value)
    return repr(value)


_HEAD = """\
<!-- written by docs/generate/values.py; tests/test_values.py holds it to the code -->
# Values: what each becomes

A value is turned into its input's kind once, by one rule in every mode, when it enters. A **number** is a float64, to
nearest; missing is NaN. A **category** is a text, and *unknown* where no stage knows it. A **timestamp** is a whole
number of µs since 1970 in UTC; without a zone it is taken as UTC, and parts of a µs are floored. A duration or a time
of day, as a number, is in seconds.

What an input does about a value that is *missing*, *invalid* or *unknown* is its entry's affair: `{kind: number,
missing: null|fail|reject, invalid: null|fail|reject, unknown: null|fail|reject}`; an invalid value rejects its row
unless that says otherwise. A column of *another family* than its input's is an error before any row is read."""

_JSON = """\
Each cell is taken or refused by itself, whatever type the rest of its column has. JSON knows one type of number, and no
infinity: `"inf"` and `"-inf"` stand for it, in and out."""

_TAIL = """\
Outputs are float32 (scores of a model), float64, boolean, text and timestamps. CSV and JSON print the shortest decimal
that reads back as the same float64."""


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "values.md"
    target.write_text(page() + "\n", encoding="utf-8")
    print(target)
