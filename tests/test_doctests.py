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
from engine.registry import KINDS, Registry

PLUGINS = [(kind, name) for kind in KINDS for name in Registry().names(kind)]


def _modules() -> list[str]:
    own = [
        m.name
        for m in pkgutil.walk_packages(engine.__path__, "engine.")
        if not m.name.startswith("engine.plugins.")
    ]
    plugins = [Registry().definition(name, kind).module for kind, name in PLUGINS]
    return sorted({*own, *plugins} - {"engine.__main__"})


@pytest.mark.parametrize("name", _modules())
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_built_in_plugin_has_an_example(kind: str, name: str) -> None:
    module = importlib.import_module(Registry().definition(name, kind).module)
    assert ">>>" in (Registry().load(name, kind).__doc__ or ""), module.__file__
