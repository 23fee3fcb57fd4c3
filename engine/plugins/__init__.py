"""The plugins. Their files lie in the project's ``plugins/`` (in a wheel: here) and in the user's folders."""

import importlib
import os
import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType


class _Uncached(SourceFileLoader):
    """Compiles a file's text each time: a ``.pyc`` is told from a changed file by size and second alone."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def extend(folder: str) -> None:
    """Have plugins imported from a user's folder, too, as ``engine.plugins.NAME``.

    Parameters
    ----------
    folder : str
        An absolute path.
    """
    for place in (folder, *(str(inner) for inner in Path(folder).glob("*/"))):
        sys.path_importer_cache[place] = FileFinder(
            place, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Uncached, SOURCE_SUFFIXES)
        )
    if folder not in __path__:
        __path__.append(folder)
    else:
        importlib.invalidate_caches()  # a folder inside may be new


def stated() -> list[str]:
    """The folders in ``ENGINE_PLUGINS``, as absolute paths: how a worker process gets a user's plugins."""
    given = os.environ.get("ENGINE_PLUGINS", "").split(os.pathsep)
    return list(map(os.path.abspath, filter(None, given)))


_checkout = Path(__file__).parents[2] / "plugins"
if _checkout.is_dir() and (Path(__file__).parents[2] / "pyproject.toml").is_file():
    __path__.append(str(_checkout))

BUILT_IN = tuple(__path__)
"""The folders of the engine's own plugins."""

for _folder in stated():
    extend(_folder)
