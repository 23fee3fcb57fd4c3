"""Where plugins are found: listed by file name without importing, loaded when a config names them."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError, did_you_mean, listing
from engine.stage import Stage

ENTRY_POINTS = "engine.stages"
"""The entry-point group of stages that packages bring."""


class PluginError(UserError):
    """A plugin is named twice, is broken, or doesn't exist."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin is defined.

    Parameters
    ----------
    name : str
    place : str
        For people: ``plugins/clip.py``, or ``package 1.2 (module:Class)``.
    module : str
        The module to import.
    attribute : str
        The class in it; empty: the one class whose ``use`` is ``name``.
    file : str
        Its file, for a stage in a folder.
    """

    name: str
    place: str
    module: str
    attribute: str = ""
    file: str = ""


class Registry:
    """The plugins that a run can use.

    Parameters
    ----------
    folders : iterable of path
        Folders of the user's own plugins, beside the built-in ones and installed packages.

    Examples
    --------
    >>> "clip" in Registry().names()
    True
    >>> Registry().load("clip").use
    'clip'
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]] = ()) -> None:
        import engine.plugins

        own = list(map(os.path.abspath, folders))
        for folder in own:
            if not Path(folder).is_dir():
                raise PluginError(f"plugins: {folder} is no folder")
            if folder not in engine.plugins.__path__:
                engine.plugins.__path__.append(folder)
        self._sources = _discover(list(dict.fromkeys([*engine.plugins.FOLDERS, *own])))

    def names(self) -> list[str]:
        """The names of all stages, sorted, none imported."""
        return sorted(self._sources)

    def source(self, name: str) -> Source:
        """Where a stage is defined.

        Raises
        ------
        PluginError
            There is none of this name, or there are two.
        """
        found = self._sources.get(name)
        if not found:
            raise PluginError(
                f"no stage is called {name!r}.{did_you_mean(name, self._sources)}\n"
                f"  stages: {listing(self.names(), 40)}"
            )
        if len(found) > 1:
            places = " and ".join(source.place for source in found)
            raise PluginError(f"two stages are called {name!r}: {places}; rename one of them")
        return found[0]

    def load(self, name: str) -> type[Stage]:
        """The class of a stage.

        Raises
        ------
        PluginError
            There is none of this name, or its file can't be imported.
        """
        source = self.source(name)
        try:
            module = importlib.import_module(source.module)
        except Exception as error:
            raise PluginError(
                f"the stage {name!r} can't be imported from {source.place}: {type(error).__name__}: {error}"
            ) from error
        if source.file and not Path(source.file).samefile(module.__file__ or ""):
            raise PluginError(
                f"the stage {name!r} of {source.file} can't be used in this process: it uses that of "
                f"{module.__file__} already; rename one of them"
            )
        candidates = [getattr(module, source.attribute, None)] if source.attribute else vars(module).values()
        for item in candidates:
            if isinstance(item, type) and issubclass(item, Stage) and item.use == name:
                return item
        raise PluginError(
            f"{source.place} defines no stage called {name!r}: decorate its class with @stage({name!r})"
        )


def _discover(folders: list[str]) -> Mapping[str, list[Source]]:
    found: dict[str, list[Source]] = {}
    for folder in folders:
        for path in sorted(Path(folder).glob("*.py")):
            if not path.name.startswith("_"):
                place = f"{path.parent.name}/{path.name}"
                found.setdefault(path.stem, []).append(
                    Source(path.stem, place, f"engine.plugins.{path.stem}", file=str(path))
                )
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package"
        place = f"{package} ({entry.value})"
        found.setdefault(entry.name, []).append(Source(entry.name, place, entry.module, entry.attr))
    return found
