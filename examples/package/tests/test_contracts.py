"""Each stage of the package keeps the contract of all stages."""

from __future__ import annotations

from collections.abc import Callable

from engine.testing import parametrize_stages


@parametrize_stages(["haversine", "winsor"])
def test_contract(check: Callable[[], None]) -> None:
    check()
