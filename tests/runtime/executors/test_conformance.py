"""What every executor does: every shard is scored once, whatever fails, with the bits of a single thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from engine.runtime.rejects import RefusedError, Rejects
from engine.runtime.shards.drive import FailedShardsError
from engine.runtime.shards.pace import Pace
from engine.testing.rows import difference

from .conftest import Batches, MakeExecutor
from .made import flip, write_file, write_parts


def read_parts(folder: Path) -> pa.Table:
    """The parts of an output, in the order of their names."""
    return pa.concat_tables(pq.read_table(file) for file in sorted(folder.glob("part-*.parquet")))


def flaky(source: Path, **options: Any) -> dict[str, Any]:
    """A folder of parts, read by the user's own plugin."""
    notes = source.with_name("notes")
    notes.mkdir(exist_ok=True)
    return {"use": "flaky", "path": str(source), "notes": str(notes), **options}


def reads(source: Path, name: str = "*") -> int:
    """How often parts of it were begun to be read."""
    return len(list(source.with_name("notes").glob(f"{name} *")))


def receipts(sink: Path) -> set[int]:
    """The shards of an unfinished run that are done."""
    return {int(file.stem) for file in sink.glob("_engine/*/receipts/*.json")}


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_folder_of_files_is_answered_as_in_memory(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, answers: pa.Table, tmp_path: Path,
    ending: str,
) -> None:  # fmt: skip
    source = write_parts(tmp_path / "in", table, 8, ending)
    summary = batches.run(make_executor(), {"path": str(source)}, {"path": str(tmp_path / "out")})
    assert (summary.shards, summary.rows_in, summary.rows_out) == (
        24 if ending == "parquet" else 8,
        2000,
        2000,
    )
    found = read_parts(tmp_path / "out")
    assert found.drop_columns("id").equals(answers.drop_columns("id"))
    assert list(map(int, found.column("id").to_pylist())) == list(range(2000))


def test_one_file_becomes_one_file(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, answers: pa.Table, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_file(tmp_path / "in.parquet", table)
    summary = batches.run(make_executor(), {"path": "in.parquet"}, {"path": "out.parquet"})
    assert summary.shards == 20
    assert difference(pq.read_table("out.parquet"), answers) is None
    assert sorted(item.name for item in tmp_path.iterdir()) == ["_engine", "in.parquet", "out.parquet"]


def test_bad_rows_go_to_the_rejects_with_their_place(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 4, "csv")
    for name in ("01.csv", "03.csv"):
        lines = (source / name).read_text().splitlines()
        lines[5] = lines[5].replace(lines[5].split(",")[1], "abc")
        (source / name).write_text("\n".join(lines) + "\n")
    summary = batches.run(
        make_executor(), {"path": str(source)}, {"path": str(tmp_path / "out")}, rejects=Rejects(max=0.01)
    )
    assert (summary.rows_in, summary.rows_out, summary.rejected) == (2000, 1998, 2)
    assert summary.rejects is not None
    rejected = pq.read_table(summary.rejects).to_pylist()
    assert [(row["file"], row["row"], row["column"], row["a"]) for row in rejected] == [
        (str(source / name), 4, "a", "abc") for name in ("01.csv", "03.csv")
    ]


def test_refused_rows_end_the_run_and_leave_nothing(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 4, "csv")
    (source / "02.csv").write_text("id,a,b,k,y\n1,abc,1,x,1\n")
    with pytest.raises(RefusedError, match=r"02\.csv, row 0: a: expected a number, found 'abc'"):
        batches.run(make_executor(), {"path": str(source)}, {"path": str(tmp_path / "out")})
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_named_and_the_others_are_done(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 8)
    flip(source / "03.parquet")
    with pytest.raises(FailedShardsError) as caught:
        batches.run(
            make_executor(), flaky(source), {"path": str(tmp_path / "out")}, shard_rows=250
        )  # fmt: skip
    assert caught.value.exit_code == 3
    assert "1 of 8 shards failed; the others are done and wait" in str(caught.value)
    assert f"shard 3 ({source / '03.parquet'}): {source / '03.parquet'}: " in str(caught.value)
    assert receipts(tmp_path / "out") == {0, 1, 2, 4, 5, 6, 7}
    assert reads(source) == 8  # damage doesn't pass: nothing was tried again


def test_a_fault_that_passes_is_tried_again(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, answers: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 4)
    batches.run(
        make_executor(), flaky(source, faulty="02.parquet", faults=2), {"path": str(tmp_path / "out")},
        shard_rows=500,
    )  # fmt: skip
    assert difference(read_parts(tmp_path / "out"), answers) is None
    assert (reads(source, "02.parquet"), reads(source)) == (3, 6)


def test_a_fault_that_stays_is_tried_so_often_and_no_more(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 4)
    with pytest.raises(FailedShardsError) as caught:
        batches.run(
            make_executor(attempts=2), flaky(source, faulty="02.parquet", faults=99),
            {"path": str(tmp_path / "out")}, shard_rows=500,
        )  # fmt: skip
    assert "RuntimeError: the network is gone (tried 2 times)" in str(caught.value)
    assert (reads(source, "02.parquet"), reads(source)) == (2, 5)


def test_progress_is_told_and_an_interrupted_run_does_only_what_is_missing(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, answers: pa.Table, tmp_path: Path
) -> None:
    source, sink = write_parts(tmp_path / "in", table, 10), {"path": str(tmp_path / "out")}
    seen: list[Pace] = []

    def interrupt(pace: Pace) -> None:
        if pace.shards == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batches.run(make_executor(), flaky(source), sink, shard_rows=200, progress=interrupt)
    done, before = receipts(tmp_path / "out"), reads(source)
    assert 3 <= len(done) < 10
    summary = batches.run(
        make_executor(), flaky(source), sink, shard_rows=200, progress=seen.append, resume="require"
    )
    assert summary.resumed == len(done)
    assert reads(source) - before == 10 - len(done)
    assert difference(read_parts(tmp_path / "out"), answers) is None
    assert (seen[-1].rows, seen[-1].total, seen[-1].shards, seen[-1].of) == (2000, 2000, 10, 10)
    assert [pace.rows for pace in seen] == sorted(pace.rows for pace in seen)


def test_a_source_that_changed_ends_the_run(
    make_executor: MakeExecutor, batches: Batches, table: pa.Table, tmp_path: Path
) -> None:
    source = write_parts(tmp_path / "in", table, 4)

    def change(pace: Pace) -> None:
        if pace.shards == 1:
            write_file(source / "03.parquet", table.slice(0, 7))

    with pytest.raises(DataError, match=r"03\.parquet: changed since the run was planned \(size"):
        batches.run(
            make_executor(), flaky(source, seconds=0.5), {"path": str(tmp_path / "out")}, shard_rows=500,
            progress=change,
        )  # fmt: skip
