"""A batch from and to an object store, on a real server: the same rows as on a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import Pipeline, build
from engine.config.config import Config
from engine.errors import ConfigError, DataError
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.runtime.shards.pace import Pace

from .s3 import KEYS, S3Server

CONFIG = {"name": "stored", "inputs": {"n": "number"}, "keep": ["id"], "outputs": ["n"], "stages": {}}
ROWS = 1000


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return build(Config(CONFIG))


@pytest.fixture
def url(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.bucket()}/out"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    table = pa.table({"id": range(ROWS), "n": pa.array(range(ROWS), pa.float64())})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=100)
    return tmp_path / "in.parquet"


def run(pipeline: Pipeline, source: Path | str, sink: str, mode: str = "error", **more: Any) -> BatchSummary:
    opened = open_source({"path": str(source)})
    given = {"shard_rows": 200, "batch_rows": 50, "threads": 2, **more}
    return run_batch(pipeline, opened, open_sink({"path": sink, "mode": mode}), **given)


def rows(pipeline: Pipeline, address: str, tmp_path: Path) -> list[dict[str, Any]]:
    """What lies at an address, read as a source."""
    out = tmp_path / "read.parquet"
    run(pipeline, address, str(out), mode="replace")
    return pq.read_table(out).to_pylist()


@pytest.mark.parametrize("name", ["scores", "scores.parquet", "scores.csv.gz", "scores.jsonl"])
def test_a_batch_to_a_store(pipeline: Pipeline, source: Path, url: str, name: str, tmp_path: Path) -> None:
    out = f"{url}/{name}"
    summary = run(pipeline, source, out)
    assert (summary.rows_in, summary.rows_out, summary.shards, summary.now) == (ROWS, ROWS, 5, True)
    assert all(file.startswith(out) for file in summary.files)
    assert not run(pipeline, source, out).now
    found = rows(pipeline, out, tmp_path)
    assert sorted((float(row["id"]), row["n"]) for row in found) == [
        (float(i), float(i)) for i in range(ROWS)
    ]
    with pytest.raises(DataError, match=r"sink\.mode=replace"):
        run(pipeline, source, out, shard_rows=300)
    assert run(pipeline, source, out, "replace", shard_rows=300).shards == 4
    assert len(rows(pipeline, out, tmp_path)) == ROWS


def test_what_was_begun_is_continued(pipeline: Pipeline, source: Path, url: str, tmp_path: Path) -> None:
    def stop(pace: Pace) -> None:
        if pace.shards == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pipeline, source, f"{url}/scores", progress=stop)
    with pytest.raises(ConfigError, match=r"executor\.shard_rows: was 200, now 300"):
        run(pipeline, source, f"{url}/scores", shard_rows=300)
    assert run(pipeline, source, f"{url}/scores").resumed >= 2
    assert len(rows(pipeline, f"{url}/scores", tmp_path)) == ROWS


def test_runs_are_appended_and_rejects_lie_beside(pipeline: Pipeline, url: str, tmp_path: Path) -> None:
    for number in range(2):
        lines = ["id,n", *(f"{i},{'bad' if i == 7 else i}" for i in range(number * 10, number * 10 + 10))]
        (tmp_path / f"{number}.csv").write_text("\n".join(lines) + "\n")
        summary = run(pipeline, tmp_path / f"{number}.csv", f"{url}/scores", "append", rejects=Rejects(max=1))
        assert (summary.rows_out, summary.rejected) == ((9, 1), (10, 0))[number]
        assert (summary.rejects is None) == (number == 1)
    assert len(rows(pipeline, f"{url}/scores", tmp_path)) == 19


def test_a_bucket_that_is_not_there(pipeline: Pipeline, source: Path, url: str) -> None:
    with pytest.raises(DataError, match="no-such-bucket"):
        run(pipeline, source, "s3://no-such-bucket/scores")
