"""XGBoost in a child process: what it is asked, and what is said where it ends or fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from engine.errors import ModelError
from engine.forest import oracle
from engine.forest.choose import choose_scorer, read_checked
from tests.forest import zoo

pytestmark = pytest.mark.usefixtures("checks")


@pytest.mark.skipif(zoo.RELEASE != (3, 2), reason="other releases survive it")
@pytest.mark.parametrize("mode", ["xgboost", "auto"])
def test_a_model_that_ends_xgboosts_process_is_told(mode: str) -> None:
    data = zoo.edited("vector leaves", zoo.old_vector_leaves)
    with pytest.raises(ModelError) as caught:
        choose_scorer(data, "m.json", mode)
    assert str(caught.value) == (
        f"m.json is damaged: XGBoost {xgboost.__version__} doesn't survive it: "
        "it ends the process with signal 11"
    )
    with pytest.raises(ModelError):
        read_checked(data, "m.json")


def test_the_child_scores_rows_around_the_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    right = oracle.predict_apart

    def spy(data: bytes, rows: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return right(data, rows)

    monkeypatch.setattr("engine.forest.choose.predict_apart", spy)
    choose_scorer(zoo.saved("binary"), "m", "xgboost")
    (rows,) = seen
    forest = zoo.forest("binary")
    thresholds = forest.trees.threshold[(forest.trees.left >= 0) & (forest.trees.feature == 0)]
    assert len(rows) > 300 and np.isin(rows[:, 0], thresholds).any()


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        (
            "raise OSError('libxgboost.so is not there')",
            oracle.FailedError,
            "OSError: libxgboost.so is not there",
        ),
        ("import os; os._exit(0)", oracle.FailedError, "it gave no array: "),
        ("import os; os._exit(9)", oracle.FailedError, "it ended with status 9"),
        ("while True: pass", oracle.CrashedError, "it takes more than 2 seconds"),
        ("import mmap; mmap.mmap(-1, 2**37, flags=0x4022)", oracle.FailedError, "Cannot allocate memory"),
    ],
)
def test_children_that_fail(
    source: str, error: Any, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xgboost.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    if error is oracle.CrashedError:
        monkeypatch.setattr(oracle, "_SECONDS", 2.0)
    with pytest.raises(error) as caught:
        oracle.predict_apart(zoo.saved("binary"), None)
    assert text in str(caught.value)


def test_a_child_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xgboost.py").write_text("raise OSError('libxgboost.so is not there')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError) as caught:
        read_checked(zoo.saved("binary"), "m.ubj")
    assert str(caught.value) == (
        f"m.ubj: the process in which XGBoost {xgboost.__version__} was to try it failed: "
        "OSError: libxgboost.so is not there"
    )
