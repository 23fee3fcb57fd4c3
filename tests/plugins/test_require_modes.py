"""Rows that break rules: the same in a row, a table, a batch and a server; left out of what is learned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from engine.api import build, fit
from engine.cli.main import main
from engine.errors import DataError, RowError
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects

from ..serve.running import serving
from .ruled import REFUSED, ROWS, SPLIT, STAGES, both, config_of, table_of


def test_a_row_a_table_and_a_trace() -> None:
    for pipeline in both(config_of(STAGES)):
        found, rejects = pipeline.predict_many(table_of(ROWS), rejects=True)
        assert found["id"].to_pylist() == [0.0, 3.0, 6.0]
        assert found["w"].to_pylist() == ["N711AA", None, "n1"]
        assert rejects.to_pylist() == [
            {"row": row, "column": column, "code": "filtered", "reason": reason}
            for row, column, reason in REFUSED
        ]
        for row, column, reason in REFUSED:
            with pytest.raises(RowError) as one:
                pipeline.predict_one({**ROWS[row], "id": row})
            assert (str(one.value), one.value.column, one.value.code) == (reason, column, "filtered")
            traced = pipeline.trace_one({**ROWS[row], "id": row}).refusal
            assert traced is not None
            assert (traced.message, traced.column, traced.code) == (reason, column, "filtered")


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_batch(tmp_path: Path, suffix: str) -> None:
    """Each row is in the output or among the rejects, with the reason; so it is from text."""
    pipeline, source = build(config_of(STAGES)), tmp_path / f"rows.{suffix}"
    table = table_of(ROWS)
    if suffix == "csv":
        pacsv.write_csv(table, source)
    else:
        pq.write_table(table, source)
    out, rejects = tmp_path / f"out.{suffix}", tmp_path / f"out.rejects.{suffix}"
    read = pacsv.read_csv if suffix == "csv" else pq.read_table
    summary = run_batch(
        pipeline,
        open_source({"path": str(source)}),
        open_sink({"path": str(out)}),
        rejects=Rejects(max=None),
        batch_rows=2,
    )
    assert (summary.rows_in, summary.rows_out, summary.rejected) == (7, 3, 4)
    kept, gone = read(out), read(rejects)
    assert [float(value) for value in kept["id"].to_pylist()] == [0, 3, 6]
    columns = [gone[name].to_pylist() for name in ("row", "column", "reason")]
    assert list(zip(*columns, strict=True)) == REFUSED
    assert set(gone["code"].to_pylist()) == {"filtered"}
    # what was found stands beside the reason
    assert [str(value) for value in gone["n"].to_pylist()] in (
        ["-90", "601", "None", "5"],
        ["-90.0", "601.0", "None", "5.0"],
    )
    assert [float(value) for value in gone["id"].to_pylist()] == [1, 2, 4, 5]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ruled") / "bundle"
    fit(config_of(STAGES, split=SPLIT), table_of(ROWS * 9)).save(folder)
    yield folder


def test_a_server(bundle: Path) -> None:
    reasons = {row: (column, reason) for row, column, reason in REFUSED}
    sent = [
        {**row, "id": i, "t": row["t"] and row["t"].isoformat()}
        for i, row in enumerate(ROWS)
    ]  # fmt: skip
    with serving(f"bundle={bundle}") as server:
        many = server.predict(sent).json
        for i, (row, answer) in enumerate(zip(sent, many, strict=True)):
            one = server.predict(row)
            if i not in reasons:
                assert one.status == 200 and one.json == answer and answer["id"] == i
                continue
            column, reason = reasons[i]
            assert one.status == 422
            assert answer == one.json == {"error": reason, "code": "filtered", "column": column}


def test_rules_are_changed_on_a_bundle(bundle: Path, tmp_path: Path) -> None:
    pq.write_table(table_of(ROWS), tmp_path / "rows.parquet")
    given = [f"source.path={tmp_path}/rows.parquet", f"sink.path={tmp_path}/out.csv", "rejects.max=null"]
    rules = ["stages.range.max=null", "stages.range.not_null=false", "stages.codes.allowed=[XX]"]
    assert main(["batch", f"bundle={bundle}", *given, *rules]) == 0
    assert pacsv.read_csv(tmp_path / "out.csv")["id"].to_pylist() == [3, 4]
    said = [
        reason.split(": ")[0] for reason in pacsv.read_csv(tmp_path / "out.rejects.csv")["reason"].to_pylist()
    ]
    assert said == ["stages.codes", "stages.range", "stages.tails", "stages.codes", "stages.codes"]


def test_fit_leaves_refused_rows_out() -> None:
    stages = {
        "range": {"use": "require", "columns": ["n"], "max": 10, "not_null": True},
        "fill": {"use": "scale", "columns": ["n"], "strategy": "maxabs"},
    }
    rows = [{"n": n, "k": None, "w": None, "t": None} for n in (1.0, 2.0, 10.0, 500.0, None)] * 20
    pipeline = fit(config_of(stages, split=SPLIT), table_of(rows))
    assert pipeline.predict_one({"id": 0, "n": 10.0})["n"] == 1.0
    assert pipeline.fitted is not None and pipeline.fitted.rows["filtered"] == 40
    everything = [{**row, "n": 11.0} for row in rows]
    with pytest.raises(DataError, match=r"stages\.range: the filter refuses every row"):
        fit(config_of(stages, split=SPLIT), table_of(everything))
