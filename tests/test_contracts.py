"""Every built-in plugin keeps the contract of its kind, which the kit checks."""

from __future__ import annotations

from collections.abc import Callable

from engine.testing import parametrize_scorers, parametrize_sinks, parametrize_sources, parametrize_stages


@parametrize_stages()
def test_contract(check: Callable[[], None]) -> None:
    check()


@parametrize_sources()
def test_contract_of_a_source(check: Callable[[], None]) -> None:
    check()


@parametrize_sinks()
def test_contract_of_a_sink(check: Callable[[], None]) -> None:
    check()


@parametrize_scorers()
def test_contract_of_a_scorer(check: Callable[[], None]) -> None:
    check()
