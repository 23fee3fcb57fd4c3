"""Kept text that lies in dictionaries stays in them on its way, and is text to whoever reads it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.api import build
from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects

ROWS = 40_000


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    config = {
        "name": "kept",
        "inputs": {"n": "number", "colour": "category"},
        "keep": ["id", "shop", "colour", "at"],
        "stages": {
            "flag": {"use": "onehot", "columns": ["colour"], "categories": {"colour": ["red", "green"]}},
        },
        "outputs": ["n", "colour_red"],
    }
    return build(Config(config))


def table(start: int = 0, shops: int = 50) -> pa.Table:
    ids = range(start, start + ROWS)
    return pa.table(
        {
            "id": [f"row {i}" for i in ids],
            "shop": [None if i % 11 == 0 else f"shop {start} {i * i % shops}" for i in ids],
            "colour": [("red", "green", "blue", None)[i % 4] for i in ids],
            "n": [float(i) for i in ids],
            "at": pa.array(ids, pa.timestamp("us", "America/New_York")),
        }
    )


def lies_coded(file: Path, name: str) -> bool:
    metadata = pq.read_metadata(file)
    place = metadata.schema.to_arrow_schema().names.index(name)
    groups = [metadata.row_group(i).column(place) for i in range(metadata.num_row_groups)]
    return all(group.has_dictionary_page and group.total_uncompressed_size < 2 * ROWS for group in groups)


def run(pipeline: Pipeline, source: Path, sink: Path, **options: object) -> pa.Table:
    run_batch(
        pipeline, open_source({"path": str(source)}), open_sink({"path": str(sink)}), threads=2, **options
    )  # type: ignore[arg-type]
    return pq.read_table(sink)


def test_one_file_of_many_row_groups(pipeline: Pipeline, tmp_path: Path) -> None:
    """Each row group has a dictionary of its own."""
    pq.write_table(table(shops=3000), tmp_path / "in.parquet", row_group_size=1500)
    found = run(pipeline, tmp_path / "in.parquet", tmp_path / "out.parquet", batch_rows=1000)
    expected = pipeline.predict_many(table(shops=3000))
    assert found.schema == expected.schema
    assert found.equals(expected)
    assert found.schema.field("shop").type == pa.string()
    assert found.schema.field("at").type == pa.timestamp("us", "America/New_York")
    assert lies_coded(tmp_path / "out.parquet", "shop")
    assert not lies_coded(tmp_path / "out.parquet", "id")


def test_files_that_lie_in_different_ways(pipeline: Pipeline, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    parts = [table(0), table(ROWS), table(2 * ROWS)]
    pq.write_table(parts[0], folder / "a.parquet")
    pq.write_table(parts[1], folder / "b.parquet", use_dictionary=False)
    pq.write_table(parts[2], folder / "c.parquet")
    found = run(pipeline, folder, tmp_path / "out.parquet")
    assert found.equals(pipeline.predict_many(pa.concat_tables(parts)))


def test_a_file_of_text_first(pipeline: Pipeline, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    parts = [pa.concat_tables([table(0)] * 5), table(ROWS)]
    pq.write_table(parts[0], folder / "a.parquet", use_dictionary=False)
    pq.write_table(parts[1], folder / "b.parquet")
    found = run(pipeline, folder, tmp_path / "out.parquet")
    assert found.equals(pipeline.predict_many(pa.concat_tables(parts)))


def test_csv_and_rejects(pipeline: Pipeline, tmp_path: Path) -> None:
    strict = build(
        Config(
            {
                **pipeline.plan.config,
                "inputs": {"n": "number", "colour": {"kind": "category", "missing": "reject"}},
            }
        )
    )
    pq.write_table(table(), tmp_path / "in.parquet")
    source = open_source({"path": str(tmp_path / "in.parquet")})
    for name in ("out.csv", "out.parquet"):
        run_batch(
            strict, source, open_sink({"path": str(tmp_path / name)}), rejects=Rejects(max=None), threads=2
        )
    good, bad = strict.predict_many(table(), rejects=True)
    assert pq.read_table(tmp_path / "out.parquet").equals(good)
    rejects = pq.read_table(tmp_path / "out.rejects.parquet")
    assert rejects["shop"].to_pylist() == table()["shop"].take(bad["row"]).to_pylist()
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 1 + good.num_rows
    assert lines[2].split(",")[1].strip('"') == good["shop"][1].as_py()
