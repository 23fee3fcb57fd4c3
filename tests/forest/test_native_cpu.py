"""Every form of the vector code gives the same bits, each forced in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from engine.forest import oracle
from tests.forest import made, zoo

_CHILD = """
import json, pathlib, sys
import numpy as np
from engine.forest.native import NativeScorer
from engine.jit.target import level
from tests.forest import zoo

folder = pathlib.Path(sys.argv[1])
wrong = []
for path in sorted(folder.glob(sys.argv[2])):
    x, wanted = np.load(path.with_suffix(".x.npy")), np.load(path.with_suffix(".y.npy"))
    scorer = NativeScorer(zoo.forest_of(path.read_bytes()))
    for size in (17, 70, 271, len(x)):
        for order in "CF":
            if scorer.many(np.array(x[:size], order=order)).tobytes() != wanted[:size].tobytes():
                wrong.append([path.stem, size, order])
    if zoo.one_by_one(scorer, x[:300]).tobytes() != wanted[:300].tobytes():
        wrong.append([path.stem, "one"])
if int(sys.argv[3]):
    from tests.compile.test_folding import test_random_chains

    for seed in range(int(sys.argv[3])):
        test_random_chains(seed)
from numba.core.registry import cpu_target
print(json.dumps([level(), cpu_target.target_context.codegen()._tm_features, wrong]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, rows and XGBoost's answers."""
    found = tmp_path_factory.mktemp("models")

    def keep(name: str, data: bytes, x: np.ndarray) -> None:
        (found / f"{name}.model").write_bytes(data)
        np.save(found / f"{name}.x.npy", x)
        np.save(found / f"{name}.y.npy", oracle.predict(data, x).reshape(len(x), -1))

    for kind in zoo.MODELS:
        x = np.concatenate([zoo.hard_rows(kind, 384), zoo.features(200, 5, zoo.is_categorical(kind))])
        keep(kind, zoo.saved(kind), x)
    for depth in range(1, 11):
        rng = np.random.default_rng(depth)
        data = made.model([made.tree(rng, depth, "balanced", made.ODD, 0.2) for _ in range(4)])
        keep(f"made {depth}", data, made.rows(data, 340))
    return found


def run(folder: Path, models: str, foldings: int, **environment: str) -> tuple[str, str]:
    """Score in a child; the level that it used, and numba's features."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), models, str(foldings)],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    level, features, wrong = json.loads(done.stdout)
    assert wrong == []
    return level, features


def has(*names: str) -> bool:
    features = llvm.get_host_cpu_features()
    return all(features.get(name) for name in names)


def most() -> str:
    """The greatest level that this processor has."""
    if has("avx512f", "avx512bw", "avx512vl"):
        return "avx512"
    return "avx2" if has("avx2") else "portable"


@pytest.mark.parametrize("setting", ["native", "avx2", "generic"])
def test_every_setting_gives_the_same_bits(setting: str, folder: Path) -> None:
    level, features = run(folder, "*.model", 12, ENGINE_CPU=setting)
    wanted = {"native": most(), "avx2": "avx2" if has("avx2") else "portable", "generic": "portable"}
    assert level == wanted[setting]
    if setting != "native":
        assert "avx512" not in features.replace("-avx512", "")


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"NUMBA_CPU_NAME": "generic"}, "portable"),
        ({"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse3"}, "portable"),
        ({"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}, "avx2"),
        ({"NUMBA_CPU_FEATURES": "+avx2,+fma"}, "avx2"),
        ({"NUMBA_CPU_NAME": "generic", "ENGINE_CPU": "avx2"}, "portable"),
        ({"NUMBA_ENABLE_AVX": "0"}, "portable"),
    ],
)
def test_no_more_than_numba_compiles_for(environment: dict[str, str], wanted: str, folder: Path) -> None:
    if wanted == "avx2" and not has("avx2", "fma", "bmi2"):
        pytest.skip("this processor has no AVX2")
    assert run(folder, "binary.model", 0, **environment)[0] == wanted


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
