"""The comparison with XGBoost that a model passes when it is first loaded."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelError
from engine.forest import verify
from engine.forest.choose import choose_scorer
from engine.forest.native import NativeScorer
from tests.forest import zoo

pytestmark = pytest.mark.usefixtures("checks")


def test_a_difference_is_told_and_xgboost_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    right = NativeScorer.many
    monkeypatch.setattr(NativeScorer, "many", lambda self, x, threads=1: right(self, x) + np.float32(1))
    scorer = choose_scorer(zoo.saved("squared error"), "m", trusted=True)
    assert not isinstance(scorer, NativeScorer)
    assert "; not native: in a block it gave" in scorer.note
    with pytest.raises(ModelError, match="m can't be scored natively: in a block it gave"):
        choose_scorer(zoo.saved("squared error"), "m", "native", trusted=True)


def test_the_check_is_made_once(checks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_scorer(zoo.saved("poisson"), "m", trusted=True)
    (kept,) = checks.glob("*.json")
    assert json.loads(kept.read_text())["answer"] is None
    monkeypatch.setattr("engine.forest.choose.difference", lambda *_: pytest.fail("checked again"))
    assert isinstance(choose_scorer(zoo.saved("poisson"), "m"), NativeScorer)


def test_a_difference_in_single_rows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    right = NativeScorer.one

    def wrong(self: NativeScorer, features: np.ndarray, scores: np.ndarray) -> None:
        right(self, features, scores)
        scores += np.float32(1)

    monkeypatch.setattr(NativeScorer, "one", wrong)
    scorer = choose_scorer(zoo.saved("squared error"), "m", trusted=True)
    assert not isinstance(scorer, NativeScorer)
    assert "; not native: in one row it gave" in scorer.note


@pytest.mark.parametrize("changed", ["xgboost", "level", "libm", "processor", "source"])
def test_the_check_is_made_again_elsewhere(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ask() -> None:
        verify.remembered(b"model", "native", lambda: asked.append(1))

    ask()
    ask()
    assert len(asked) == 1
    place, value = {
        "xgboost": ("engine.forest.verify.xgboost_version", lambda: "99.0.0"),
        "level": ("engine.jit.target.level", lambda: "avx1024"),
        "libm": ("engine.expr.libm.fingerprint", lambda: "another"),
        "processor": ("llvmlite.binding.get_host_cpu_name", lambda: "another"),
        "source": ("engine.forest.verify.sources_digest", lambda root: "another"),
    }[changed]
    monkeypatch.setattr(place, value)
    ask()
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["forest/row.py", "jit/lowlevel.py", "jit/target.py", "expr/libm.py"])
def test_other_sources_are_another_engine(name: str, tmp_path: Path) -> None:
    engine = Path(verify.__file__).parents[1]
    for number, text in enumerate(["", "# changed\n"]):
        root = shutil.copytree(
            engine, tmp_path / str(number), ignore=lambda _, names: [n for n in names if n == "__pycache__"]
        )
        (root / name).write_text((root / name).read_text() + text)
    same, other = (verify.sources_digest(tmp_path / str(number)) for number in range(2))
    assert same == verify.sources_digest(engine) != other


def test_thresholds_at_the_ends_of_float32_warn_nobody() -> None:
    greatest = float(np.finfo(np.float32).max)

    def change(document: dict) -> None:
        for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
            inner = [node for node, left in enumerate(tree["left_children"]) if left != -1]
            for number, node in enumerate(inner):
                tree["split_conditions"][node] = (greatest, -greatest, 1e-45)[number % 3]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer = choose_scorer(zoo.edited("binary", change), "m.json", trusted=True)
    assert isinstance(scorer, NativeScorer)
