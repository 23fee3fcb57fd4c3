"""docs/values.md, cell by cell: what the tables say is what the code does, and every form says the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.schema import Kind

DOCS = Path(__file__).parents[1] / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("values_page", DOCS / "generate" / "values.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE: Any = _generator()
KINDS = list(PAGE.KINDS)


def test_the_document_is_current() -> None:
    written = (DOCS / "values.md").read_text(encoding="utf-8")
    assert written == PAGE.page() + "\n", "run: python docs/generate/values.py"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "array"), PAGE.ARROW)
def test_a_table_and_a_row_take_a_value_alike(kind: Kind, name: str, array: pa.Array) -> None:
    in_table = PAGE.becomes(kind, array)
    in_row = PAGE.of_row(kind, array[0].as_py())
    if in_table == "*another family*":  # a column of numbers is no timestamp, a number in a row is µs
        is_whole = isinstance(array[0].as_py(), int) and kind is Kind.TIMESTAMP
        assert in_row in ("*invalid*", "*missing*") or is_whole
    else:
        assert in_row == in_table


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("array", [array for _, array in PAGE.ARROW if not pa.types.is_nested(array.type)])
def test_a_null_of_any_type_is_missing(kind: Kind, array: pa.Array) -> None:
    if pa.types.is_run_end_encoded(array.type):
        return  # has no nulls of its own
    found = PAGE.becomes(kind, pa.nulls(1, array.type))
    assert found in ("*missing*", "*another family*")
    assert (found == "*missing*") == (PAGE.becomes(kind, array) != "*another family*")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("text", "value"), PAGE.JSON)
def test_json_and_a_row_take_a_value_alike(kind: Kind, text: str, value: Any) -> None:
    found = PAGE.becomes(kind, PAGE.json_cells.column([value]), is_json=True)
    in_row = PAGE.of_row(kind, value)
    if (kind is Kind.NUMBER and text == '"inf"') or (kind is Kind.TIMESTAMP and text.endswith("00.0")):
        assert in_row == "*invalid*" != found  # what JSON has no other way to say
    else:
        assert found == in_row


seconds = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(list(seconds)))
def test_durations_are_seconds_to_nearest(value: int, unit: str) -> None:
    array = pa.array([value], pa.int64()).view(pa.duration(unit))
    assert PAGE.becomes(Kind.NUMBER, array) == f"`{value / seconds[unit]!r}`"
    assert PAGE.of_row(Kind.NUMBER, array.to_numpy(zero_copy_only=False)[0]) == f"`{value / seconds[unit]!r}`"


@given(st.times())
def test_times_of_day_are_seconds(value: Any) -> None:
    assert PAGE.becomes(Kind.NUMBER, pa.array([value])) == PAGE.of_row(Kind.NUMBER, value)
