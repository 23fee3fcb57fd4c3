"""The scorer keeps the contract of all scorers: XGBoost's own bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.testing import parametrize_scorers

PLUGINS = Path(__file__).parents[1] / "plugins"


@parametrize_scorers(plugins=[PLUGINS])
def test_contract(check: Callable[[], None]) -> None:
    check()
