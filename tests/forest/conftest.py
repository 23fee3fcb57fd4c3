"""What several tests of the forest need."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.forest import verify


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for what is found out of models; kernels stay where they are."""
    folder = tmp_path / "checks"
    monkeypatch.setattr(verify, "checks_folder", lambda: folder)
    return folder
