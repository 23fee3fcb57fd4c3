"""Arrow IPC in and out: files and streams, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from engine.runtime.io import open_sink, open_source

TABLE = pa.table(
    {
        "n": pa.array([1.5, None, float("nan"), float("inf")]),
        "c": pa.array(["a", None, "é", "a"]).dictionary_encode(),
        "v": pa.array(["x", "a text of more than twelve bytes", None, ""], pa.string_view()),
    }
)


def read(path: Path, columns: list[str] | None = None, rows: int = 1000) -> pa.Table:
    source = open_source({"path": str(path)})
    return pa.Table.from_batches(source.batches(columns, rows), None if columns else source.schema)


@pytest.mark.parametrize("name", ["rows.arrow", "rows.feather"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with open_sink({"path": str(path)}).open(TABLE.schema) as writer:
        for batch in TABLE.to_batches(3):
            writer.write(batch)
    assert read(path).to_pylist()[:2] == TABLE.to_pylist()[:2]
    assert read(path, ["v", "n"], 1).select(["v"]).to_pylist() == TABLE.select(["v"]).to_pylist()


def test_a_stream_is_read_as_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrows"
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE, 3)
    assert read(path, ["c"]).to_pylist() == TABLE.select(["c"]).to_pylist()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_are_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "rows.arrow"
    whole = pa.BufferOutputStream()
    with pa.ipc.new_file(whole, TABLE.schema) as writer:
        writer.write_table(TABLE)
    raw = bytearray(whole.getvalue().to_pybytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    try:
        read(path)
    except DataError as error:
        assert str(path) in str(error)


def test_a_dictionary_may_outgrow_the_type_of_its_places(tmp_path: Path) -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    path = tmp_path / "rows.arrow"
    batches = [
        pa.record_batch({"c": pa.array([f"{part}-{i}" for i in range(100)]).dictionary_encode().cast(kind)})
        for part in range(2)
    ]
    with open_sink({"path": str(path)}).open(batches[0].schema) as writer:
        for batch in batches:
            writer.write(batch)
    assert read(path)["c"].to_pylist() == [text for batch in batches for text in batch["c"].to_pylist()]
