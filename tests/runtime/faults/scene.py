"""What the tests of faults share: a batch that is run, killed and looked at."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from engine import committed_files

from .forks import Child, Ended, Forks

PIPELINE = """\
# @package _global_
name: tiny
inputs: {n: number, c: category, m: {kind: number, missing: reject}}
keep: [id]
outputs: [n]
stages:
  clip: {use: clip, columns: [n], lo: 0, hi: 50}
"""
COPY = """\
# @package _global_
name: copy
inputs: {n: number}
keep: [id]
outputs: [n]
"""
FILES, GROUPS, GROUP_ROWS = 2, 3, 20
ROWS = FILES * GROUPS * GROUP_ROWS
SHARDS = FILES * GROUPS
REJECTED = ROWS // 10
Rows = list[tuple[Any, ...]]


def table(first: int, rows: int) -> pa.Table:
    """Rows of which each tenth lacks what it must have."""
    numbers = range(first, first + rows)
    return pa.table(
        {
            "id": numbers,
            "n": [number / 7 for number in numbers],
            "c": [f"c{number % 3}" for number in numbers],
            "m": pa.array([None if number % 10 == 3 else number for number in numbers], pa.float64()),
        }
    )


def write_file(path: Path, first: int, rows: int = GROUPS * GROUP_ROWS) -> None:
    """A file with row groups, or of lines."""
    content = table(first, rows)
    if path.suffix == ".csv":
        pacsv.write_csv(content, path)
    else:
        pq.write_table(content, path, row_group_size=GROUP_ROWS, write_page_checksum=True)


def write_source(folder: Path, kind: str) -> None:
    folder.mkdir()
    for number in range(FILES):
        write_file(folder / f"f{number}.{kind}", number * GROUPS * GROUP_ROWS)


@dataclass
class Scene:
    """A folder with a source and sinks in it."""

    folder: Path
    forks: Forks
    options: list[str] = field(default_factory=list)

    def start(self, sink: str, *overrides: str, point: str = "", **environment: str) -> Child:
        """``engine batch`` into a sink."""
        argv = [
            "batch", "--json", "--config-dir", str(self.folder / "conf"),
            f"source.path={self.folder / 'in'}", f"sink.path={self.folder / sink}",
            "rejects.max=null", f"executor.shard_rows={GROUP_ROWS}", "executor.batch_rows=5",
            "executor.threads=2", *self.options, *overrides,
        ]  # fmt: skip
        if not any(word.startswith("pipeline=") for word in argv):
            argv.append("pipeline=tiny")
        return self.forks.start(argv, ENGINE_FAILPOINT=point, **environment)

    def run(self, sink: str, *overrides: str, point: str = "", **environment: str) -> Ended:
        return self.start(sink, *overrides, point=point, **environment).wait()

    def killed(self, sink: str, point: str, *overrides: str) -> bool:
        """Run until the point; whether it came there."""
        ended = self.run(sink, *overrides, point=point)
        assert ended.code in (0, -9), ended
        return ended.code == -9

    def rows(self, sink: str) -> Rows:
        """What a reader sees, who follows the commits or reads the file; none: there is no output."""
        path = self.folder / sink
        files: tuple[Path, ...]
        if path.suffix:
            files = (path,) if path.exists() else ()
        else:
            files = committed_files(path)
        return [row for file in files for row in rows_of(file)]

    def refused(self, sink: str) -> Rows:
        """The rows of the file of rejects, sorted by place."""
        path = self.folder / sink
        name = f"{path.stem}.rejects{path.suffix or '.parquet'}"
        return rows_of(path.with_name(name)) if path.with_name(name).exists() else []

    def state(self, sink: str) -> Path:
        path = self.folder / sink
        return path.parent / "_engine" / path.name if path.suffix else path / "_engine"

    def receipts(self, sink: str) -> int:
        return len([path for path in self.state(sink).glob("*/receipts/*.json") if path.name[0] != "_"])

    def litter(self, sink: str) -> list[str]:
        """What lies in the state besides commits and summaries, and beside the sink besides rejects."""
        state, path = self.state(sink), self.folder / sink
        beside = [p.name for p in path.parent.iterdir() if p.name.startswith("_") and p.name != "_engine"]
        inside = [str(p.relative_to(state)) for p in state.rglob("*") if p.is_file()]
        # a killed process leaves its lock, which nobody holds any more
        known = [
            name
            for name in inside
            if name.startswith("commits/0") or name.endswith("/summary.json") or name == "lock"
        ]
        return sorted({*beside, *inside} - {*known})

    def remove(self, sink: str) -> None:
        path = self.folder / sink
        for each in (path, self.state(sink), *path.parent.glob(f"{path.stem}.*rejects*")):
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink(missing_ok=True)


def rows_of(file: Path) -> Rows:
    """The rows of a file."""
    if file.suffix == ".csv":  # its numbers are the shortest that read back to the same bits
        kinds = {"n": pa.string() if "rejects" in file.name else pa.float64()}
        found = pacsv.read_csv(file, convert_options=pacsv.ConvertOptions(column_types=kinds))
    else:
        found = pq.read_table(file, partitioning=None)
    columns = [column.to_pylist() for column in found.columns]
    return list(zip(*columns, strict=True))


def clean(first: int = 0, rows: int = ROWS) -> Rows:
    """The rows that a clean run writes."""
    return [(number, min(number / 7, 50.0)) for number in range(first, first + rows) if number % 10 != 3]


def slow_but(fast: Callable[..., bool], cases: Iterable[tuple[str, ...]]) -> list[Any]:
    """Cases for ``parametrize``, of which those that aren't among the fast are marked slow."""
    return [case if fast(*case) else pytest.param(*case, marks=pytest.mark.slow) for case in cases]


def commits(scene: Scene, sink: str) -> list[dict[str, Any]]:
    found = sorted((scene.state(sink) / "commits").glob("0*.json"))
    return [json.loads(path.read_text()) for path in found]


def touch_again(path: Path) -> None:
    """Another stamp, the same content."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
