"""Where plugins are found: listed by file name without importing, loaded when a config names them."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.declare import Plugin
from engine.errors import UserError, did_you_mean, fault, listing
from engine.executor import ExecutorPlugin
from engine.metric import MetricPlugin
from engine.scorer import ScorerPlugin
from engine.sink import SinkPlugin
from engine.source import SourcePlugin
from engine.stage import Stage

ENVIRONMENT = "ENGINE_PLUGINS"
"""The environment variable that names folders of plugins, and by which worker processes get them."""


class PluginError(UserError):
    """A plugin is named twice, is broken, or doesn't exist."""


@dataclass(frozen=True, slots=True)
class PluginKind:
    """What a plugin can be, and where plugins of that kind lie.

    Parameters
    ----------
    name : str
        ``stage``; its decorator has that name, too.
    folder : str
        Inside a folder of plugins; empty: the folder itself.
    base : type
        What the class of such a plugin is derived from; ``use`` is its name.
    """

    name: str
    folder: str
    base: type[Plugin]

    @property
    def group(self) -> str:
        """The entry-point group of plugins that packages bring."""
        return f"engine.{self.name}s"


KINDS: Mapping[str, PluginKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            PluginKind("stage", "", Stage),
            PluginKind("source", "sources", SourcePlugin),
            PluginKind("sink", "sinks", SinkPlugin),
            PluginKind("executor", "executors", ExecutorPlugin),
            PluginKind("scorer", "scorers", ScorerPlugin),
            PluginKind("metric", "metrics", MetricPlugin),
        )
    }
)
"""The kinds of plugin by name."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a plugin is defined.

    Parameters
    ----------
    name : str
    kind : str
        A key of `KINDS`.
    origin : str
        ``built in``, ``folder`` or, of a package, its name and version.
    place : str
        For people: ``plugins/clip.py``, or ``package 1.2 (module:Class)``.
    module : str
        The module to import.
    attribute : str
        The class in it; empty: the one class whose ``use`` is ``name``.
    file : str
        Its file, for a plugin in a folder.
    """

    name: str
    kind: str
    origin: str
    place: str
    module: str
    attribute: str = ""
    file: str = ""

    @property
    def defined(self) -> str:
        """The place for a mistake: a user's folder may be called ``plugins``, too."""
        how = "built in" if self.origin == "built in" else "defined in"
        return f"{self.kind} {how}: {self.place}"


class Registry:
    """The plugins that a run can use.

    Parameters
    ----------
    folders : iterable of path
        Folders of the user's own plugins, beside the built-in ones, those in ``ENGINE_PLUGINS`` and installed
        packages.

    Examples
    --------
    >>> "clip" in Registry().names()
    True
    >>> Registry().load("clip").use
    'clip'
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]] = ()) -> None:
        import engine.plugins

        own = dict.fromkeys(map(os.path.abspath, folders), "plugins")
        wanted = dict.fromkeys(engine.plugins.stated(), ENVIRONMENT) | own
        built_in = {os.path.realpath(folder) for folder in engine.plugins.BUILT_IN}
        seen = set(built_in)
        kept = []
        for folder, said_by in wanted.items():
            _check_folder(folder, said_by)
            if os.path.realpath(folder) not in seen:
                seen.add(os.path.realpath(folder))
                kept.append(folder)
                engine.plugins.extend(folder)
        self.folders = tuple(kept)
        """The user's folders, absolute."""
        packages = _installed(_search_path())
        self._found = {
            kind.name: _discover(kind, engine.plugins.BUILT_IN, self.folders, packages[kind.group])
            for kind in KINDS.values()
        }

    def names(self, kind: str = "stage") -> list[str]:
        """The names of all plugins of a kind, sorted, none imported."""
        return sorted(self._found[kind])

    def definition(self, name: str, kind: str = "stage") -> Definition:
        """Where a plugin is defined.

        Raises
        ------
        PluginError
            There is none of this name, or there are two.
        """
        known = self._found[kind]
        found = known.get(name)
        if not found:
            others = [f"there is a {other} of that name" for other in KINDS if name in self._found[other]]
            others += [f"there is one in {where}: add 'plugins=[{where}]'" for where in _nearby(name, kind)]
            raise PluginError(
                f"no {kind} is called {name!r}.{did_you_mean(name, known)}\n"
                + "".join(f"  {line}\n" for line in others)
                + f"  {kind}s: {listing(self.names(kind), 40)}"
            )
        if len(found) > 1:
            how_many = {2: "two", 3: "three"}.get(len(found), str(len(found)))
            places = " and ".join(_told_apart(one) for one in found)
            raise PluginError(f"{how_many} {kind}s are called {name!r}: {places}; rename or remove one")
        return found[0]

    def load(self, name: str, kind: str = "stage") -> type[Any]:
        """The class of a plugin.

        Raises
        ------
        PluginError
            There is none of this name, or its file can't be imported; with file and line of the fault.
        """
        where = self.definition(name, kind)
        try:
            module = importlib.import_module(where.module)
        except (Exception, SystemExit) as error:
            # no cause: a traceback helps nobody who is told the line
            raise PluginError(f"the {kind} {name!r} can't be imported: {fault(error, where.file)}") from None
        if where.file and not Path(where.file).samefile(module.__file__ or ""):
            raise PluginError(
                f"the {kind} {name!r} of {where.file} can't be used in this process: it uses that of "
                f"{module.__file__} already; rename one of them"
            )
        own: list[Any] = list(vars(module).values())
        if where.attribute:
            own = [getattr(module, where.attribute, None)]
        classes: list[type[Any]] = [item for item in own if _is_plugin(item, KINDS[kind].base)]
        for cls in classes:
            if cls.use == name:
                return cls
        others = sorted({cls.use for cls in classes if cls.__module__ == module.__name__})
        instead = f" (it defines {listing(map(repr, others))})" if others else ""
        raise PluginError(
            f"{where.place} defines no {kind} called {name!r}{instead}: decorate its class with "
            f"@{kind}({name!r})"
        )

    def environment(self) -> dict[str, str]:
        """The variables that a worker process needs in its environment to find the user's folders.

        Give them to every child process that imports the engine: ``subprocess.run(…, env={**os.environ,
        **registry.environment()})``, or Ray's ``runtime_env={"env_vars": registry.environment()}``.

        Raises
        ------
        PluginError
            A folder's name can't be told in a list of folders.

        Examples
        --------
        >>> sorted(Registry().environment())
        ['ENGINE_PLUGINS']
        """
        for folder in self.folders:
            if os.pathsep in folder:
                raise PluginError(
                    f"plugins: {folder} has a {os.pathsep!r} in its name, so that worker processes can't be "
                    "told of it; rename the folder"
                )
        return {ENVIRONMENT: os.pathsep.join(self.folders)}


def _is_plugin(item: Any, base: type[Plugin]) -> bool:
    return isinstance(item, type) and issubclass(item, base) and bool(item.use)


def _check_folder(folder: str, said_by: str) -> None:
    if not Path(folder).is_dir():
        raise PluginError(f"{said_by}: {folder} is no folder")
    for kind in KINDS.values():
        package = Path(folder, kind.folder, "__init__.py")
        if kind.folder and package.exists():
            # it would hide the engine's own plugins of that kind
            raise PluginError(f"{said_by}: {package} makes a package of a folder of plugins; remove the file")


def _told_apart(definition: Definition) -> str:
    """A place that can't be taken for another: a user's folder may be called ``plugins``, too."""
    if definition.origin == "folder":
        return definition.file
    return f"{definition.place} (built in)" if definition.origin == "built in" else definition.place


def _search_path() -> tuple[tuple[str, int], ...]:
    """Where packages lie, and when one was last installed or removed there."""
    folders = [Path(folder).absolute() for folder in dict.fromkeys(sys.path)]
    return tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders if folder.exists())


@functools.lru_cache(1)
def _installed(_where: tuple[tuple[str, int], ...]) -> Mapping[str, Sequence[importlib.metadata.EntryPoint]]:
    """The plugins of installed packages by their group; every package is looked through for them."""
    every = importlib.metadata.entry_points()
    return {kind.group: tuple(every.select(group=kind.group)) for kind in KINDS.values()}


def _discover(
    kind: PluginKind,
    built_in: Iterable[str],
    own: Iterable[str],
    packages: Iterable[importlib.metadata.EntryPoint],
) -> Mapping[str, tuple[Definition, ...]]:
    found: dict[str, list[Definition]] = {}
    package = ".".join(filter(None, ("engine.plugins", kind.folder)))
    for origin, folders in (("built in", built_in), ("folder", own)):
        for path in (path for folder in folders for path in sorted(Path(folder, kind.folder).glob("*.py"))):
            if not path.name.startswith("_"):
                place = _place(kind, path, origin)
                module = f"{package}.{path.stem}"
                definition = Definition(path.stem, kind.name, origin, place, module, file=str(path))
                found.setdefault(path.stem, []).append(definition)
    for entry in packages:
        origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package"
        place = f"{origin} ({entry.value})"
        definition = Definition(entry.name, kind.name, origin, place, entry.module, entry.attr)
        found.setdefault(entry.name, []).append(definition)
    return {name: tuple(definitions) for name, definitions in found.items()}


def _place(kind: PluginKind, path: Path, origin: str) -> str:
    """A file for messages: of the engine's own ``plugins/clip.py``, of the user's as it is seen from here."""
    if origin == "built in":
        return "/".join(filter(None, ("plugins", kind.folder, path.name)))
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _nearby(name: str, kind: str) -> list[str]:
    """Folders in the working folder that hold a plugin of this name, but weren't given."""
    if not name.isidentifier():
        return []
    inner = "" if kind == "stage" else f"{kind}s/"
    return sorted(path.relative_to(Path.cwd()).parts[0] for path in Path.cwd().glob(f"*/{inner}{name}.py"))
