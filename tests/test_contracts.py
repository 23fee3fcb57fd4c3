"""Every built-in plugin keeps the contract of its kind, which the kit checks."""

from __future__ import annotations

from collections.abc import Callable

from engine.registry import Registry
from engine.testing import parametrize_scorers, parametrize_sinks, parametrize_sources, parametrize_stages

SERVED = {"postgres"}
"""Need a server: tests/runtime/postgres holds them to it."""


def names(kind: str) -> list[str]:
    return [name for name in Registry().names(kind) if name not in SERVED]


@parametrize_stages()
def test_contract(check: Callable[[], None]) -> None:
    check()


@parametrize_sources(names("source"))
def test_contract_of_a_source(check: Callable[[], None]) -> None:
    check()


@parametrize_sinks(names("sink"))
def test_contract_of_a_sink(check: Callable[[], None]) -> None:
    check()


@parametrize_scorers()
def test_contract_of_a_scorer(check: Callable[[], None]) -> None:
    check()
