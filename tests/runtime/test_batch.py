"""A batch: every row in the output or among the rejects, the same bits as in memory."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from engine.api import build
from engine.config.config import Config
from engine.errors import ConfigError, DataError
from engine.pipeline import Pipeline
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.runtime.shards.pace import Pace

CONFIG: dict[str, Any] = {
    "name": "tiny",
    "inputs": {"n": "number", "m": "number"},
    "keep": ["id"],
    "stages": {"clip": {"use": "clip", "columns": ["n"], "lo": 0, "hi": 100}},
    "outputs": ["n"],
}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return build(Config(CONFIG))


def table(rows: int = 1000) -> pa.Table:
    return pa.table(
        {"id": [f"r{i}" for i in range(rows)], "n": [float(i) for i in range(rows)], "m": [1] * rows}
    )


def run(
    pipeline: Pipeline, source: Path, sink: Path, sink_options: Mapping[str, Any] = {}, **options: Any
) -> BatchSummary:
    return run_batch(
        pipeline,
        open_source({"path": str(source)}),
        open_sink({"path": str(sink), **sink_options}),
        **options,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pq.write_table(table(), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    lines = ["id,n,m"] + [f"r{i},{'abc' if i in (3, 7) else i},1" for i in range(10)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_rows", [7, 1000])
def test_a_batch_gives_what_predict_many_gives(
    pipeline: Pipeline, source: Path, tmp_path: Path, threads: int, batch_rows: int
) -> None:
    seen: list[Pace] = []
    summary = run(
        pipeline, source, tmp_path / "out.parquet", threads=threads, batch_rows=batch_rows,
        progress=seen.append,
    )  # fmt: skip
    assert pq.read_table(tmp_path / "out.parquet").equals(pipeline.predict_many(table()))
    assert (summary.rows_in, summary.rows_out, summary.rejected, summary.rejects) == (1000, 1000, 0, None)
    assert (summary.files, summary.columns) == ((str(tmp_path / "out.parquet"),), ("id", "n"))
    assert (seen[-1].rows, seen[-1].total, seen[-1].share) == (1000, 1000, 1.0)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["_engine", "in.parquet", "out.parquet"]


def test_a_sink_that_takes_no_shards_is_written_by_several_threads(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    both = threading.Barrier(2, timeout=60)

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(pipeline, name)

        def score_batch(self, batch: pa.RecordBatch, *, text: bool) -> Any:
            both.wait()
            return pipeline.score_batch(batch, text=text)

    pq.write_table(table(), tmp_path / "in.parquet")
    sink = open_sink({"path": str(tmp_path / "out.parquet")})
    sink.join = None  # type: ignore[attr-defined]  # as a format is whose files can't be joined
    source = open_source({"path": str(tmp_path / "in.parquet")})

    summary = run_batch(Watched(), source, sink, threads=2, batch_rows=500)

    assert summary.run_id is None
    assert pq.read_table(tmp_path / "out.parquet").equals(pipeline.predict_many(table()))


def test_csv_in_and_out_gives_the_same_as_parquet(pipeline: Pipeline, source: Path, tmp_path: Path) -> None:
    pacsv.write_csv(table(), tmp_path / "in.csv")
    summary = run(pipeline, tmp_path / "in.csv", tmp_path / "out", {"format": "csv"})
    (part,) = (tmp_path / "out").glob("part-*.csv")
    assert summary.files == (str(part),)
    found = pacsv.read_csv(part)
    assert found.column("id").to_pylist() == table().column("id").to_pylist()
    assert found.column("n").cast("float64").equals(pipeline.predict_many(table()).column("n"))


def test_no_rows(pipeline: Pipeline, tmp_path: Path) -> None:
    pq.write_table(table(0), tmp_path / "in.parquet")
    summary = run(pipeline, tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert summary.rows_in == 0
    assert pq.read_table(tmp_path / "out.parquet").schema.names == ["id", "n"]


def test_too_many_bad_rows_end_the_run_and_nothing_is_written(
    pipeline: Pipeline, dirty: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        run(pipeline, dirty, tmp_path / "out.parquet")
    assert str(caught.value) == (
        "2 of the 10 rows read so far are rejected, more than rejects.max=0; nothing was written"
        " (rows count from 0)\n"
        f"  {dirty}, row 3: n: expected a number, found 'abc'\n"
        f"  {dirty}, row 7: n: expected a number, found 'abc'\n"
        "to let them pass into a file of rejects: rejects.max=1000 or rejects.max=0.01\n"
        "to take such values as missing: 'inputs.n={kind: number, invalid: null}'"
    )
    assert [item.name for item in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("most", [2, 0.2, 0.99, None])
def test_bad_rows_go_to_the_rejects(
    pipeline: Pipeline, dirty: Path, tmp_path: Path, most: float | None
) -> None:
    summary = run(pipeline, dirty, tmp_path / "out.parquet", rejects=Rejects(max=most), batch_rows=4)
    assert (summary.rows_in, summary.rows_out, summary.rejected) == (10, 8, 2)
    assert summary.rejects == str(tmp_path / "out.rejects.parquet")
    kept = pq.read_table(tmp_path / "out.parquet").column("id").to_pylist()
    assert kept == [f"r{i}" for i in range(10) if i not in (3, 7)]
    reason = "n: expected a number, found 'abc'"
    assert pq.read_table(summary.rejects).to_pylist() == [
        {
            "file": str(dirty),
            "row": row,
            "column": "n",
            "code": "invalid",
            "reason": reason,
            "n": "abc",
            "id": f"r{row}",
        }
        for row in (3, 7)
    ]


def test_a_share_that_is_passed_only_at_the_end(pipeline: Pipeline, dirty: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"2 of the 10 rows read so far are rejected, more than rejects\.max=0\.1"
    ):
        run(pipeline, dirty, tmp_path / "out.csv", rejects=Rejects(max=0.1))
    assert [item.name for item in tmp_path.iterdir()] == ["in.csv"]


def test_rejects_go_again_if_the_output_cannot_be_committed(
    pipeline: Pipeline, dirty: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"

    def another_run_is_faster(pace: Pace) -> None:
        out.write_text("theirs")

    with pytest.raises(DataError, match=r"out\.csv: somebody wrote this file meanwhile"):
        run(pipeline, dirty, out, rejects=Rejects(max=2), progress=another_run_is_faster)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["_engine", "in.csv", "out.csv"]
    assert out.read_text() == "theirs"
    out.unlink()
    assert run(pipeline, dirty, out, rejects=Rejects(max=2)).resumed == 1


def test_a_replaced_output_keeps_no_old_rejects(pipeline: Pipeline, dirty: Path, tmp_path: Path) -> None:
    run(pipeline, dirty, tmp_path / "out.csv", rejects=Rejects(max=2))
    assert (tmp_path / "out.rejects.csv").exists()
    pq.write_table(table(5), tmp_path / "in.parquet")
    run(pipeline, tmp_path / "in.parquet", tmp_path / "out.csv", {"mode": "replace"})
    assert not (tmp_path / "out.rejects.csv").exists()


def test_a_policy_of_fail_ends_the_run_at_once(dirty: Path, tmp_path: Path) -> None:
    inputs = {"n": {"kind": "number", "invalid": "fail"}, "m": "number"}
    strict = build(Config({**CONFIG, "inputs": inputs}))
    with pytest.raises(DataError) as caught:
        run(strict, dirty, tmp_path / "out.csv", rejects=Rejects(max=100))
    assert str(caught.value) == (
        f"{dirty}, row 3: n: expected a number, found 'abc'\n"
        "to take such values as missing: 'inputs.n={kind: number, invalid: null}'"
    )
    assert [item.name for item in tmp_path.iterdir()] == ["in.csv"]


def test_a_source_that_does_not_fit_is_refused_before_it_is_read(pipeline: Pipeline, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "n": ["x"], "m": [1]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match="n: expected a number, found string"):
        run(pipeline, tmp_path / "in.parquet", tmp_path / "out.parquet")


def test_the_sink_is_never_the_source(pipeline: Pipeline, source: Path) -> None:
    with pytest.raises(DataError, match="the sink is what the batch reads; write to another path"):
        run(pipeline, source, source, {"mode": "replace"})
    assert pq.read_table(source).num_rows == 1000


def test_a_kept_column_takes_the_type_of_the_first_file(pipeline: Pipeline, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    first = table(3)
    for number, kind in enumerate((pa.string(), pa.large_string())):
        pq.write_table(first.set_column(0, "id", first.column("id").cast(kind)), data / f"{number}.parquet")
    run(pipeline, data, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == ["r0", "r1", "r2"] * 2


def test_a_kept_column_that_is_no_utf8_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"id,n,m\n\xff,1,1\n")
    with pytest.raises(DataError, match="id: expected text, found bytes that are no UTF-8"):
        run(pipeline, tmp_path / "in.csv", tmp_path / "out.parquet")


EXPECTED = "rejects.max: expected a count (100), a share below 1 (0.01), or null: as many as there are; "


@pytest.mark.parametrize(
    ("most", "message"),
    [
        (-1, "found -1"),
        (-0.5, "found -0.5"),
        (float("nan"), "found nan"),
        (True, "found True"),
        (1.0, "1.0 is no share below 1\n  as a count: rejects.max=1; all rows: rejects.max=null"),
        (1e3, "1000.0 is no share below 1\n  as a count: rejects.max=1000; all rows: rejects.max=null"),
        (float("inf"), "inf is no share below 1\n  all rows: rejects.max=null"),
    ],
)
def test_what_may_not_be_allowed(most: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Rejects(max=most)
    assert str(caught.value) == EXPECTED + message


# -- source, sink and rejects stand apart


def test_the_rejects_never_take_the_place_of_the_source(
    pipeline: Pipeline, source: Path, tmp_path: Path
) -> None:
    for path in (source, tmp_path / "link.parquet"):
        if path != source:
            path.symlink_to(source)
        with pytest.raises(DataError) as caught:
            run(
                pipeline, source, tmp_path / "out.parquet", {"mode": "replace"}, rejects=Rejects(str(path), 5)
            )
        assert str(caught.value) == (
            f"{path}: the file of rejects is what the batch reads; set rejects.path to another path"
        )
    assert pq.read_table(source).num_rows == 1000


@pytest.mark.parametrize("name", ["out.csv", "./sub/../out.csv"])
def test_the_rejects_are_not_the_sink(pipeline: Pipeline, source: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    path = f"{tmp_path}/{name}"
    with pytest.raises(DataError) as caught:
        run(pipeline, source, tmp_path / "out.csv", {"mode": "replace"}, rejects=Rejects(path, 5))
    assert str(caught.value) == (
        f"{Path(path)}: the file of rejects is the sink; set rejects.path to another path"
    )


def test_the_rejects_do_not_lie_in_the_sink(pipeline: Pipeline, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError) as caught:
        run(pipeline, source, out, rejects=Rejects(str(out / "bad.csv"), 5))
    assert str(caught.value) == (
        f"{out}/bad.csv: the file of rejects lies in the sink, {out}, which holds answers alone; "
        "set rejects.path to another path"
    )
    assert not out.exists()


def test_a_sink_that_holds_the_source_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    data = tmp_path / "out"
    data.mkdir()
    part = data / "part-00000.parquet"
    pq.write_table(table(), part)
    with pytest.raises(DataError) as caught:
        run(pipeline, part, data, {"mode": "replace"})
    assert str(caught.value) == (
        f"{data}: the sink is a folder that holds what the batch reads, {part}; write to another path"
    )
    assert pq.read_table(part).num_rows == 1000


@pytest.mark.parametrize("inside", ["scores.parquet", "scores", "deep/scores.csv"])
def test_a_sink_in_the_folder_that_is_read_is_refused(
    pipeline: Pipeline, source: Path, tmp_path: Path, inside: str
) -> None:
    with pytest.raises(DataError) as caught:
        run(pipeline, tmp_path, tmp_path / inside)
    assert str(caught.value) == (
        f"{tmp_path / inside}: the sink lies in the folder that the batch reads, {tmp_path}, so that the next"
        " run would read it, too; write to another path"
    )
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", ["notes.csv", "notes.parquet"])
def test_only_rejects_of_an_earlier_run_are_replaced(
    pipeline: Pipeline, source: Path, tmp_path: Path, name: str
) -> None:
    notes = tmp_path / name
    notes.write_text("a,b\n1,2\n")
    with pytest.raises(DataError) as caught:
        run(pipeline, source, tmp_path / "out.csv", {"mode": "replace"}, rejects=Rejects(str(notes), 5))
    assert str(caught.value) == (
        f"{notes}: not replaced, since it is no file of rejects that a batch wrote; "
        "set rejects.path to another path"
    )
    assert notes.read_text() == "a,b\n1,2\n"


def test_old_rejects_stay_where_the_run_fails(pipeline: Pipeline, dirty: Path, tmp_path: Path) -> None:
    run(pipeline, dirty, tmp_path / "out.csv", rejects=Rejects(max=2))
    with pytest.raises(DataError):
        run(pipeline, dirty, tmp_path / "out.csv", {"mode": "replace"})
    assert (tmp_path / "out.rejects.csv").exists()


def test_rejects_of_appended_runs_keep_their_ending(pipeline: Pipeline, dirty: Path, tmp_path: Path) -> None:
    options = {"format": "csv", "mode": "append", "compression": "gz"}
    summary = run(pipeline, dirty, tmp_path / "out", options, rejects=Rejects(max=None))
    assert summary.rejects == str(tmp_path / f"out.rejects.{summary.run_id}.csv.gz")
    assert open_source({"path": summary.rejects}).schema.names[:2] == ["file", "row"]


def test_a_sink_that_takes_no_shards_is_fed_by_several_threads(
    pipeline: Pipeline, source: Path, tmp_path: Path
) -> None:
    """The first two batches wait for one another: one thread alone would wait for ever."""
    both = threading.Barrier(2)

    class Together(Pipeline):
        def score_batch(self, batch: pa.RecordBatch, *, text: bool = False) -> Any:
            if both.n_waiting or not met:
                both.wait(60)
                met.append(batch)
            return super().score_batch(batch, text=text)

    met: list[pa.RecordBatch] = []
    sink = open_sink({"path": str(tmp_path / "out.parquet")})
    sink.join = None  # type: ignore[attr-defined]
    meeting = copy.copy(pipeline)
    meeting.__class__ = Together
    summary = run_batch(meeting, open_source({"path": str(source)}), sink, threads=2, batch_rows=100)
    assert (summary.run_id, summary.rows_out) == (None, 1000)
    assert pq.read_table(tmp_path / "out.parquet").equals(pipeline.predict_many(table()))
