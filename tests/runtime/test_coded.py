"""Kept text that lies in dictionaries stays in them on its way, and is text to whoever reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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


def with_nulls_within(texts: list[str | None], unused: int = 3) -> pa.DictionaryArray:
    """Text in a dictionary that holds a null, too, and texts that no row has; some rows have no index."""
    dictionary: list[str | None] = [f"unused {i}" for i in range(unused)]
    dictionary += [None, *dict.fromkeys(text for text in texts if text is not None)]
    places = {text: i for i, text in enumerate(dictionary)}
    indices = [places[text] if text is not None or i % 2 else None for i, text in enumerate(texts)]
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(dictionary))


@pytest.mark.parametrize("sink", ["out.parquet", "out.csv", "out.arrow"])
@pytest.mark.parametrize("plain_first", [False, True])
def test_dictionaries_with_a_null_within(
    pipeline: Pipeline, sink: str, plain_first: bool, tmp_path: Path
) -> None:
    """Arrow's files may hold such; each file has another dictionary, and one has none."""
    (tmp_path / "in").mkdir()
    plain = [table(i * ROWS).slice(0, 700) for i in range(3)]
    for number, part in enumerate(plain):
        if number != (0 if plain_first else 2):
            for name, unused in (("shop", 3), ("colour", number)):
                place = part.schema.names.index(name)
                part = part.set_column(place, name, with_nulls_within(part[name].to_pylist(), unused))
        with pa.ipc.new_file(str(tmp_path / "in" / f"{number}.arrow"), part.schema) as writer:
            writer.write_table(part)
    written = tmp_path / sink
    run_batch(
        pipeline,
        open_source({"path": str(tmp_path / "in")}),
        open_sink({"path": str(written)}),
        threads=2,
        batch_rows=300,
    )
    names = ["id", "shop", "colour"]
    found = pa.Table.from_batches(open_source({"path": str(written)}).batches(names, 10_000))
    assert found.to_pylist() == pa.concat_tables(plain).select(names).to_pylist()


class Held:
    """Rows in memory, of which some batches come with dictionaries, though the schema says text."""

    path, text, rows = Path("held"), False, None

    def __init__(self, batches: list[pa.RecordBatch], schema: pa.Schema) -> None:
        self.schema, self._batches = schema, batches

    def files(self) -> tuple[Path, ...]:
        return ()

    def place(self, row: int) -> str:
        return f"held, row {row}"

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        yield from (batch.select(columns) if columns else batch for batch in self._batches)


@pytest.mark.parametrize("sink", ["out.parquet", "out.csv"])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_source_whose_dictionaries_hold_a_null(
    pipeline: Pipeline, sink: str, mixed: bool, tmp_path: Path
) -> None:
    plain = [table(i * ROWS).slice(0, 500) for i in range(5)]
    batches = []
    for number, part in enumerate(plain):
        (batch,) = part.combine_chunks().to_batches()
        if not mixed or number != 2:
            shops = part["shop"].to_pylist()
            coded = with_nulls_within(shops) if number % 2 else pa.array(shops).dictionary_encode()
            batch = batch.set_column(batch.schema.names.index("shop"), "shop", coded)
        batches.append(batch)
    written = tmp_path / sink
    run_batch(pipeline, Held(batches, plain[0].schema), open_sink({"path": str(written)}), threads=2)
    names = ["id", "shop", "colour"]
    found = pa.Table.from_batches(open_source({"path": str(written)}).batches(names, 10_000))
    assert found.to_pylist() == pa.concat_tables(plain).select(names).to_pylist()


def test_a_null_among_a_dictionary_s_own_texts(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2], pa.int32()), pa.array(["a", None, "b"]))
    schema = pa.schema([("c", column.type)])
    path = tmp_path / "rows.parquet"
    with open_sink({"path": str(path)}).open(schema) as writer:
        writer.write(pa.record_batch([column], schema=schema))
        writer.write(pa.record_batch([column.slice(1)], schema=schema))
    assert pq.read_table(path)["c"].to_pylist() == ["a", None, None, "b", None, None, "b"]
