"""A pipeline, its rows, and plugins of the user's own whose faults can be chosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

STAGE = """
from engine.stage import ColumnStage, stage


@stage("double")
class Double(ColumnStage):
    '''Twice a number.'''

    def express(self, x, learned):
        return x + x
"""

SOURCE = """
import os
import time
import uuid
from pathlib import Path

from engine.runtime.io.formats import parquet_files
from engine.source import SourcePlugin, option, source


@source("flaky")
class Flaky(SourcePlugin):
    '''Parquet files that note who reads them, and fail as often as is asked for.'''

    path: str = option(help="the folder")
    notes: str = option(help="a folder for notes: one for each part that is read")
    faulty: str = option("", help="the name of a file")
    faults: int = option(0, help="how often it can't be read")
    seconds: float = option(0.0, help="how long reading takes")

    def open(self):
        opened = self._files().open()
        opened.part = self.part
        return opened

    def part(self, pieces):
        name = Path(pieces[0].file).name
        (Path(self.notes) / f"{name} {os.getpid()} {uuid.uuid4().hex}").touch()
        if name == self.faulty and len(list(Path(self.notes).glob(f"{name} *"))) <= self.faults:
            raise RuntimeError("the network is gone")
        time.sleep(self.seconds)
        return self._files().part(pieces)

    def _files(self):
        return parquet_files(self.path, (".parquet",), {})
"""

FIT: dict[str, Any] = {
    "name": "mine",
    "inputs": {"a": "number", "b": {"kind": "number", "optional": True}, "k": "category"},
    "target": {"value": "y > 0"},
    "keep": ["id"],
    "stages": {
        "fill": {"use": "impute", "columns": ["b"], "strategy": "mean"},
        "more": {"use": "double", "columns": ["b"]},
        "city": {"use": "onehot", "columns": ["k"]},
        "model": {"use": "xgboost", "rounds": 5, "params": {"max_depth": 3, "nthread": 1}},
        "decide": {"use": "threshold", "columns": ["score"], "at": 0.5, "into": "yes"},
    },
}
ROWS = 2000


def rows() -> pa.Table:
    """Rows with missing values and categories that nobody knows."""
    draw = np.random.default_rng(7)
    a, b = draw.normal(size=ROWS), draw.normal(size=ROWS)
    gone = draw.random(ROWS) < 0.1
    return pa.table(
        {
            "id": pa.array(range(ROWS)),
            "a": a,
            "b": pa.array(b, mask=gone),
            "k": draw.choice(["x", "y", "z"], ROWS),
            "y": a + b,
        }
    )


def write_plugins(folder: Path) -> Path:
    """A folder of plugins."""
    (folder / "sources").mkdir(parents=True)
    (folder / "double.py").write_text(STAGE)
    (folder / "sources" / "flaky.py").write_text(SOURCE)
    return folder


def write_parts(folder: Path, table: pa.Table, parts: int, ending: str = "parquet") -> Path:
    """The rows as a folder of files."""
    folder.mkdir()
    size = -(-table.num_rows // parts)
    for number in range(parts):
        write_file(folder / f"{number:02d}.{ending}", table.slice(number * size, size))
    return folder


def write_file(path: Path, table: pa.Table) -> Path:
    """The rows as one file."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=100, write_page_checksum=True, compression="none")
    elif path.suffix == ".csv":
        pacsv.write_csv(table, path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))
    return path


def flip(path: Path) -> None:
    """One bit of a file's first page is another."""
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(bytes(data))
