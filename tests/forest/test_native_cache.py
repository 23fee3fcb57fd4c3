"""What is compiled and found out is used again: by other models, and without XGBoost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.config.config import Config
from tests.forest import made

_COMPILE = """
import pathlib, sys
from engine.forest.native import NativeScorer
from tests.forest import zoo
NativeScorer(zoo.forest_of(pathlib.Path(sys.argv[1]).read_bytes()))
"""

_USE = """
import json, sys
from engine.cli.main import main
import engine

folder = sys.argv[1]
pipeline = engine.load(folder + "/bundle")
score = pipeline.predict_one({"a": 1.0, "b": 2.0})["score"]
bundle = f"bundle={folder}/bundle"
files = [f"source.path={folder}/rows.parquet", f"sink.path={folder}/out.csv"]
status = [main(["check", bundle]), main(["batch", bundle, *files])]
print(json.dumps([score, status, "xgboost" in sys.modules, pipeline.explain()]))
"""


_NAMES = """
import json, pathlib, sys
from engine.forest import batch, output, search, vector, walk
made_of = [m.__file__ for n, m in sys.modules.items() if n.startswith(("engine.forest.", "engine.jit."))]
from engine.forest import kernels
from engine.jit import cache

def name(changed=None):
    pathlib.Path.read_bytes = lambda path: read(path) + (b"#" if str(path) == changed else b"")
    kernels._digest.cache_clear(), cache._salt.cache_clear()
    return kernels._digest(), cache._salt()

read = pathlib.Path.read_bytes
print(json.dumps({pathlib.Path(file).name: name(file) != name() for file in made_of}))
"""


def child(source: str, *arguments: str, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={**os.environ, "ENGINE_CACHE_DIR": str(cache)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kernels(cache: Path) -> set[str]:
    return {path.name for path in (cache / "kernels").rglob("*") if path.is_file()}


def test_a_second_model_of_the_same_shapes_compiles_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        trees = [made.tree(rng, 5, "balanced", (), 0.2) for _ in range(4)]
        # The third one has a chain, too, which wants another kernel.
        trees += [made.tree(rng, 40, "chain")] if number == 2 else []
        (tmp_path / f"{number}.json").write_bytes(made.model(trees))
    found = []
    for number in range(3):
        child(_COMPILE, str(tmp_path / f"{number}.json"), cache=tmp_path / "cache")
        found.append(kernels(tmp_path / "cache"))
    assert found[0] and found[0] == found[1]
    assert found[1] < found[2]


def test_whatever_a_kernel_is_made_of_is_in_its_name(tmp_path: Path) -> None:
    """numba itself would run old machine code: it doesn't watch the files that a kernel imports."""
    found = json.loads(child(_NAMES, cache=tmp_path))
    assert found.keys() >= {"sizes.py", "lowlevel.py", "walk.py"}
    assert [file for file, in_name in found.items() if not in_name] == []


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle, rows and a cache of its own."""
    folder = tmp_path_factory.mktemp("bundle")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    rows = pa.table({"a": a, "b": b, "y": (a > b).astype(float)})
    config: dict[str, Any] = {
        "name": "small",
        "inputs": {"a": "number", "b": "number"},
        "target": {"value": "y > 0"},
        "stages": {"model": {"use": "xgboost", "rounds": 3, "params": {"max_depth": 2, "nthread": 1}}},
    }
    engine.fit(Config(config), rows).save(folder / "bundle")
    pq.write_table(rows.drop_columns("y"), folder / "rows.parquet")
    return folder


def test_a_warm_cache_needs_no_xgboost(bundle: Path) -> None:
    scores = []
    for _ in range(2):
        (bundle / "out.csv").unlink(missing_ok=True)
        last = child(_USE, str(bundle), cache=bundle / "cache").splitlines()[-1]
        score, status, imported, text = json.loads(last)
        assert status == [0, 0], text
        assert "native: " in text
        scores.append(score)
    assert not imported
    assert scores[0] == scores[1]
    assert len((bundle / "out.csv").read_text().splitlines()) == 201
