"""Engine: declarative XGBoost inference pipelines, the same bits in batch and in real time.

Examples
--------
>>> import engine
>>> config = engine.compose(["pipeline=flights"])
>>> config["name"]
'flights'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Config",
    "EngineError",
    "Pipeline",
    "build",
    "committed_files",
    "compose",
    "fit",
    "from_sklearn",
    "load",
]

if TYPE_CHECKING:
    from engine.api import build, fit, load
    from engine.config.compose import compose
    from engine.config.config import Config
    from engine.convert_sklearn import from_sklearn
    from engine.errors import EngineError
    from engine.pipeline import Pipeline
    from engine.runtime.shards.committed import committed_files

_WHERE = {
    "Config": "engine.config.config",
    "EngineError": "engine.errors",
    "Pipeline": "engine.pipeline",
    "build": "engine.api",
    "committed_files": "engine.runtime.shards.committed",
    "compose": "engine.config.compose",
    "fit": "engine.api",
    "from_sklearn": "engine.convert_sklearn",
    "load": "engine.api",
}


def __getattr__(name: str) -> Any:
    # each name is imported when it is first used: `engine --help` must not wait for numba or Arrow
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
