"""Batch takes the memory that its batches need, whatever the size of its input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine

PIPELINE = """\
# @package _global_
name: big
inputs: {a: number, b: number, k: category}
keep: [id]
stages:
  fill: {use: impute, columns: [a], value: 0}
  squeeze: {use: clip, columns: [a, b], lo: -1, hi: 1}
  sum: {use: expr, into: c, value: "where(k == 'x', a, b) * 2"}
"""
# ru_maxrss of a child is its own only if nothing but it has run: so the command runs in here
CHILD = """
import resource, sys
from engine.cli.main import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
raise SystemExit(code)
"""
ROWS = 400_000


def written(path: Path, times: int) -> Path:
    """A Parquet file of so many times ``ROWS`` rows, in row groups of one size."""
    rng = np.random.default_rng(0)
    part = pa.table(
        {
            "id": np.arange(ROWS),
            "a": rng.normal(size=ROWS),
            "b": rng.normal(size=ROWS),
            "k": rng.choice(["x", "y"], ROWS),
            "idle": rng.normal(size=ROWS),
        }
    )
    with pq.ParquetWriter(path, part.schema) as writer:
        for _ in range(times):
            writer.write_table(part, row_group_size=100_000)
    return path


def peak(folder: Path, source: Path, sink: str) -> int:
    """The most memory, in KiB, of a batch in a process of its own."""
    command = [
        sys.executable, "-c", CHILD, "batch", "pipeline=big", "--config-dir", str(folder / "conf"),
        f"source.path={source}", f"sink.path={folder / sink}",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(engine.__file__).parents[1])}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_ten_times_the_rows_take_the_same_memory(tmp_path: Path, form: str) -> None:
    (tmp_path / "conf" / "pipeline").mkdir(parents=True)
    (tmp_path / "conf" / "pipeline" / "big.yaml").write_text(PIPELINE)
    peak(tmp_path, written(tmp_path / "small.parquet", 1), f"first.{form}")  # compiles
    least = peak(tmp_path, tmp_path / "small.parquet", f"few.{form}")
    most = peak(tmp_path, written(tmp_path / "large.parquet", 10), f"many.{form}")
    assert most < 1.1 * least
