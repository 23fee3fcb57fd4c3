"""A small pipeline with its data and a bundle, made once; and the command line, run in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PIPELINE = """\
# @package _global_
name: prices
inputs: {size: number, rooms: number, city: category, sold: timestamp}
target: {column: price}
split: {kind: random, valid: 0.2, test: 0.2}
keep: [id]
stages:
  fill: {use: impute, columns: [size], strategy: median}
  city: {use: onehot, columns: [city]}
  squeeze: {use: clip, columns: [rooms], lo: 0, hi: 9}
  model: {use: xgboost, columns: [size, rooms, "city_*"], rounds: 5, params: {max_depth: 3, nthread: 1}}
  decide: {use: threshold, columns: [score], at: 50, into: dear}
"""

STATED = """\
# @package _global_
name: stated
inputs: {size: number}
stages:
  squeeze: {use: clip, columns: [size], lo: 0, hi: 9}
  double: {use: expr, into: twice, value: "size * 2"}
"""


def houses(rows: int = 400) -> pa.Table:
    """Houses with their prices; some sizes and prices are missing."""
    rng = np.random.default_rng(0)
    size = rng.uniform(20, 200, rows)
    rooms = rng.integers(1, 8, rows)
    city = rng.choice(["Bath", "Leeds", "York"], rows)
    price = size * 0.4 + rooms * 3 + (city == "Bath") * 9
    return pa.table(
        {
            "id": pa.array(range(rows)),
            "size": pa.array(size, mask=rng.random(rows) < 0.1),
            "rooms": pa.array(rooms),
            "city": pa.array(city),
            "sold": pa.array(np.datetime64("2020-01-01") + np.arange(rows), pa.timestamp("us")),
            "price": pa.array(price, mask=np.arange(rows) % 50 == 7),
        }
    )


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with conf/, houses.parquet and the fitted bundles/prices."""
    from engine.cli.main import main

    folder = tmp_path_factory.mktemp("prices")
    (folder / "conf" / "pipeline").mkdir(parents=True)
    (folder / "conf" / "pipeline" / "prices.yaml").write_text(PIPELINE)
    (folder / "conf" / "pipeline" / "stated.yaml").write_text(STATED)
    pq.write_table(houses(), folder / "houses.parquet")
    code = main(
        [
            "fit",
            "pipeline=prices",
            f"--config-dir={folder / 'conf'}",
            f'source.path="{folder / "houses.parquet"}"',
            f'bundle="{folder / "bundles" / "prices"}"',
        ]
    )
    assert code == 0
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, which is the working folder."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(project: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, in the project's folder, with its conf/."""
    from engine.cli.main import main

    def run(*argv: str, conf: bool = True) -> Ran:
        given: Sequence[str] = (*argv, "--config-dir", "conf") if conf else argv
        capfd.readouterr()
        code = main(given)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run
