"""Every built-in stage keeps the contract that the kit checks."""

from __future__ import annotations

from collections.abc import Callable

from engine.testing import parametrize_stages


@parametrize_stages()
def test_contract(check: Callable[[], None]) -> None:
    check()
