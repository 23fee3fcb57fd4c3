"""The stages. Their files lie in the project's ``plugins/`` (in a wheel: here) and in the user's folders."""

import os
from pathlib import Path

_checkout = Path(__file__).parents[2] / "plugins"
if _checkout.is_dir() and (Path(__file__).parents[2] / "pyproject.toml").is_file():
    __path__.append(str(_checkout))
__path__.extend(folder for folder in os.environ.get("ENGINE_PLUGINS", "").split(os.pathsep) if folder)

FOLDERS = tuple(__path__)
"""The folders that every registry searches; a registry adds its own to ``__path__``, for importing."""
