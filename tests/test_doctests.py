"""Every example in a docstring runs.

Modules are imported by their one name: `pytest --doctest-modules` would import a plugin's file a second time.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import engine
import engine.plugins
from engine.registry import Registry


def _modules() -> list[str]:
    own = [
        m.name
        for m in pkgutil.walk_packages(engine.__path__, "engine.")
        if not m.name.startswith("engine.plugins.")
    ]
    return sorted(
        {*own, *(Registry().definition(name).module for name in Registry().names())} - {"engine.__main__"}
    )


@pytest.mark.parametrize("name", _modules())
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("name", Registry().names())
def test_every_built_in_stage_has_an_example(name: str) -> None:
    module = importlib.import_module(Registry().definition(name).module)
    assert ">>>" in (Registry().load(name).__doc__ or ""), module.__file__
