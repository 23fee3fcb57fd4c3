"""Pipelines of the stages in ``stages/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config.config import Config

STAGES = str(Path(__file__).parent / "stages")


def config_of(stages: dict[str, Any], inputs: dict[str, str] | None = None, **more: Any) -> Config:
    """A config with these stages."""
    return Config(
        {
            "name": "kinds",
            "inputs": inputs or {"a": "number", "b": "number", "k": "category"},
            "stages": stages,
            "plugins": [STAGES],
            **more,
        }
    )


@pytest.fixture
def plugins() -> list[str]:
    return [STAGES]
