"""docs/stages.md is what the plugins say of themselves."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("stages_page", DOCS / "generate" / "stages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_current() -> None:
    written = (DOCS / "stages.md").read_text(encoding="utf-8")
    assert written == _generator().page() + "\n", "run: python docs/generate/stages.py"
