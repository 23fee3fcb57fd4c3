"""A registry in which a class stands for its name, wherever it is defined."""

from __future__ import annotations

import inspect
from typing import Any

from engine.declare import Plugin
from engine.registry import KINDS, Definition, Registry


class StandIn(Registry):
    """Another registry's plugins, and among them one class that may lie in no file of its own.

    Parameters
    ----------
    registry : Registry
    cls : type of Plugin

    Examples
    --------
    >>> from engine.sink import SinkPlugin, sink
    >>> @sink("nowhere")
    ... class Nowhere(SinkPlugin):
    ...     '''Write nothing.'''
    >>> StandIn(Registry(), Nowhere).names("sink")
    ['arrow', 'csv', 'jsonl', 'nowhere', 'parquet', 'postgres']
    """

    def __init__(self, registry: Registry, cls: type[Plugin]) -> None:
        self.__dict__.update(registry.__dict__)
        self._cls = cls
        self._kind = next(kind.name for kind in KINDS.values() if issubclass(cls, kind.base))

    def names(self, kind: str = "stage") -> list[str]:
        """The names of all plugins of a kind, this one among them."""
        own = {self._cls.use} if kind == self._kind else set()
        return sorted({*super().names(kind), *own})

    def load(self, name: str, kind: str = "stage") -> type[Any]:
        """The class of a plugin; for its own name this one."""
        if (name, kind) == (self._cls.use, self._kind):
            return self._cls
        return super().load(name, kind)

    def definition(self, name: str, kind: str = "stage") -> Definition:
        """Where a plugin is defined."""
        if (name, kind) != (self._cls.use, self._kind) or name in super().names(kind):
            return super().definition(name, kind)
        file = inspect.getsourcefile(self._cls) or ""
        module = self._cls.__module__
        return Definition(name, kind, "a class", file or module, module, self._cls.__name__, file)
