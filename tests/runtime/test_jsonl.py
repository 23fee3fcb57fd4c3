"""Lines of JSON in and out: the row that `predict_one` takes and gives, cell by cell."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.decode import RowDecoder, TableDecoder
from engine.encode_json import json_lines
from engine.errors import DataError, RowError
from engine.runtime.io import FileSource, jsonl, open_sink, open_source
from engine.runtime.io.storage import DISK
from engine.schema import Input, Kind

VOCABULARY = {"c": ("a", "é", "")}
INPUTS = [Input("n", Kind.NUMBER), Input("c", Kind.CATEGORY), Input("t", Kind.TIMESTAMP)]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", "é", "", "b", "inf", "-inf", "nan", "12", "2013-01-01T05:00:00Z", "2013-13-01"])
    | st.text(max_size=3)
    | st.sampled_from([[1], {"x": 1}, [], {}])
)
objects = st.lists(
    st.dictionaries(st.sampled_from(["n", "c", "t", "other"]), scalars), min_size=1, max_size=8
)


def source_of(path: Path, text: str) -> Any:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return open_source({"path": str(path)})


def decoded(path: Path, text: str, rows: int = 1000) -> Any:
    source = source_of(path, text)
    batches = list(source.batches([name for name in ("n", "c", "t") if name in source.schema.names], rows))
    decoder = TableDecoder([Input(i.name, i.kind, optional=True) for i in INPUTS], None, VOCABULARY)
    return [decoder.decode(batch) for batch in batches]


def as_python(name: str, value: Any) -> Any:
    """What JSON means, as a row in Python has it: infinity has no number in JSON, and 1.0 is 1."""
    if name == "n" and value in ("inf", "-inf"):
        return float(value)
    if name == "t" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=objects, rows=st.integers(1, 9))
@example(objects=[{"n": 1}, {"n": 2.5}, {"n": 2**64}, {"n": None}, {}], rows=2)
@example(objects=[{"n": 2**53 + 1}, {"n": 0.5}], rows=9)
@example(objects=[{"n": True}, {"n": 1}], rows=9)
@example(objects=[{"t": 1e6}, {"t": True}], rows=9)
@example(objects=[{"t": 1.5}, {"t": "2013-01-01"}, {"t": 10**18}], rows=9)
def test_each_cell_is_taken_or_refused_as_a_row_is(tmp_path: Path, objects: Any, rows: int) -> None:
    text = "".join(json.dumps(row) + "\n" for row in objects)
    parts = decoded(tmp_path / "rows.jsonl", text, rows)
    start = 0
    for part in parts:
        bad = {(start + b.row, b.column) for b in part.bad}
        for i in range(part.rows):
            row = objects[start + i]
            for item in INPUTS:
                given = {item.name: as_python(item.name, row.get(item.name))}
                try:
                    (wanted,) = RowDecoder([item], None, VOCABULARY).values(given)
                except RowError:
                    assert (start + i, item.name) in bad
                    continue
                assert (start + i, item.name) not in bad
                values = part.columns[item.name]
                found = values.codes[i] if item.name == "c" else values[i]
                assert found == wanted or (math.isnan(found) and math.isnan(wanted))
        start += part.rows
    assert start == len(objects)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(
            st.none() | st.floats(width=32),
            st.none() | st.text(st.characters(codec="utf-8"), max_size=4),
            st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
            st.none() | st.booleans(),
        ),
        max_size=6,
    )
)
def test_what_is_written_reads_back_as_the_same(tmp_path: Path, values: Any) -> None:
    kinds = [pa.float32(), pa.string(), pa.timestamp("us", "UTC"), pa.bool_()]
    columns = list(zip(*values, strict=True)) or [[]] * 4
    batch = pa.RecordBatch.from_arrays(
        [pa.array(list(c), kind) for c, kind in zip(columns, kinds, strict=True)], names=["f", "s", "t", "b"]
    )
    path = tmp_path / "out.jsonl"
    with open_sink({"path": str(path), "mode": "replace"}).open(batch.schema) as writer:
        writer.write(batch)
    found = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    assert len(found) == len(values)
    for row, (f, s, t, b) in zip(found, values, strict=True):
        assert row["s"] == s and row["b"] == b
        number = {"inf": math.inf, "-inf": -math.inf}.get(row["f"], row["f"])
        assert number == f or (number is None and (f is None or math.isnan(f)))
        assert row["t"] is None if t is None else datetime.fromisoformat(row["t"]) == t.replace(tzinfo=UTC)


def test_kinds_of_column_that_can_be_kept() -> None:
    batch = pa.record_batch(
        {
            "decimal": pa.array([Decimal("1.50")]),
            "day": pa.array([date(2013, 1, 2)]),
            "coded": pa.array(['say "x"\n']).dictionary_encode(),
            "view": pa.array(["é"], pa.string_view()),
            "nothing": pa.nulls(1),
            "whole": pa.array([2**63 - 1]),
        }
    )
    assert json.loads(json_lines(batch)) == {
        "decimal": 1.5, "day": "2013-01-02", "nothing": None,
        "coded": 'say "x"\n', "view": "é", "whole": 2**63 - 1,
    }  # fmt: skip
    assert json_lines(batch.slice(1)) == b""
    with pytest.raises(DataError, match=r"can't hold x \(list<item: int64>\)"):
        jsonl.check_columns(pa.schema([("x", pa.list_(pa.int64()))]))


def test_slices_are_written_alone() -> None:
    batch = pa.record_batch({"x": pa.array([1, 2, 3])}).slice(1, 1)
    assert json_lines(batch) == b'{"x":2}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"n": 1}\n{"n": 2\n', "line 2: can't be read as JSON: Expecting ',' delimiter"),
        ('{"n": 1}\n\n[1]\n', 'line 3: expected an object such as {"x": 1}, found a list'),
        ('{"n": NaN}\n', "line 1: can't be read as JSON: NaN is no JSON"),
        ('{"n": ' + "[" * 200_000 + "\n", "line 1: can't be read as JSON: it is nested too deeply"),
    ],
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        decoded(tmp_path / "bad.jsonl", text)
    assert message in str(caught.value)


def test_bytes_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"c": "a"}\n{"c": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: this is no UTF-8"):
        list(open_source({"path": str(path)}).batches(["c"], 10))


def test_blocks_do_not_change_what_is_read(tmp_path: Path) -> None:
    rows = [{"n": i if i % 7 else i / 2, "c": "é" * (i % 5)} for i in range(500)]
    text = "\ufeff" + "\r\n".join([*map(json.dumps, rows), ""])
    (whole,) = decoded(tmp_path / "a.jsonl", text)
    (tmp_path / "b.jsonl").write_bytes(text.encode())
    format = jsonl.JsonlReader(block=97, sample=97)
    source = FileSource(tmp_path, [DISK.file(tmp_path / "b.jsonl")], format)
    decoder = TableDecoder([Input(i.name, i.kind, optional=True) for i in INPUTS], None, VOCABULARY)
    parts = [decoder.decode(batch) for batch in source.batches(["n", "c"], 1000)]
    assert len(parts) > 50
    assert np.concatenate([part.columns["n"] for part in parts]).tolist() == whole.columns["n"].tolist()
    assert (
        np.concatenate([part.columns["c"].codes for part in parts]).tolist()
        == whole.columns["c"].codes.tolist()
    )


def test_a_batch_without_columns_has_its_rows(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.jsonl", '{"n": 1}\n{"n": 2}\n')
    assert [batch.num_rows for batch in source.batches([], 10)] == [2]


def test_a_name_that_is_no_text_is_nobody_s(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.jsonl", '{"\\ud800": 1, "n": 2}\n')
    assert source.schema.names == ["n"]


def test_files_of_many_names_are_refused_at_once(tmp_path: Path) -> None:
    text = "".join(f'{{"a{i}": 1}}\n' for i in range(30_000))
    with pytest.raises(DataError, match="30,000 names in its first MB"):
        source_of(tmp_path / "a.jsonl", text)


@pytest.mark.parametrize("columns", [["n"], ["n", "c"]])
def test_a_line_is_refused_whatever_is_read_of_it(tmp_path: Path, columns: list[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1, "c": "a", "x": "\xff"}\n')
    with pytest.raises(DataError, match="line 1: this is no UTF-8"):
        list(open_source({"path": str(path)}).batches(columns, 10))
