"""Every form of the vector code gives the same bits, each forced in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.forest import zoo

KINDS = (
    "binary", "softprob", "deep", "deep lossguide", "depth 7", "depth 8", "1024 bins", "partitions",
    "vector leaves", "stumps", "zero",
)  # fmt: skip

_CHILD = """
import json, pathlib, sys
import numpy as np
from engine.forest.forest import read_document, read_forest
from engine.forest.kernels import block_kernel
from engine.forest.native import NativeScorer
from engine.jit.target import level

folder, release = pathlib.Path(sys.argv[1]), tuple(json.loads(sys.argv[2]))
wrong = []
for path in sorted(folder.glob("*.ubj")):
    forest = read_forest(read_document(path.read_bytes(), path.stem), path.stem, release)
    x, wanted = np.load(path.with_suffix(".x.npy")), np.load(path.with_suffix(".y.npy"))
    scorer = NativeScorer(forest)
    one = np.empty_like(wanted)
    for row, scores in zip(x, one):
        scorer.one(row, scores)
    for found, way in ((scorer.many(x), "many"), (scorer.many(x[:70]), "some"), (one, "one")):
        if found.tobytes() != wanted[: len(found)].tobytes():
            wrong.append([path.stem, way])
from numba.core.registry import cpu_target
print(json.dumps([level(), cpu_target.target_context.codegen()._tm_features, wrong]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, rows and XGBoost's answers."""
    made = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        x = np.concatenate([zoo.hard_rows(kind, 384), zoo.features(300, 5, zoo.is_categorical(kind))])
        (made / f"{kind}.ubj").write_bytes(zoo.saved(kind))
        np.save(made / f"{kind}.x.npy", x)
        np.save(made / f"{kind}.y.npy", zoo.expected(kind, x))
    return made


@pytest.mark.parametrize("setting", ["native", "avx2", "generic"])
def test_every_setting_gives_the_same_bits(setting: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), json.dumps(zoo.RELEASE)],
        env={**os.environ, "ENGINE_CPU": setting},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    level, features, wrong = json.loads(done.stdout)
    assert wrong == []
    if setting != "native":
        assert "avx512" not in features.replace("-avx512", "")
    if setting == "generic":
        assert level == "portable"


def test_an_unknown_setting_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from engine.jit.target import setting; setting()"],
        env={**os.environ, "ENGINE_CPU": "avx3"},
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = "UserError: ENGINE_CPU is 'avx3'; it may be native, avx2, generic. Did you mean 'avx2'?"
    assert wanted in done.stderr
