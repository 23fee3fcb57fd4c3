"""How a class becomes a plugin: frozen, with a name and a version, its annotated attributes its options."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, dataclass_transform

from engine.option import option


class Plugin:
    """Base of every kind of plugin."""

    use: ClassVar[str] = ""
    """What configs call it."""
    version: ClassVar[int] = 1


_P = TypeVar("_P", bound=Plugin)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def declare(name: str, version: int) -> Callable[[type[_P]], type[_P]]:
    """What the decorator of each kind of plugin does to a class.

    Parameters
    ----------
    name : str
        What configs call it.
    version : int

    Examples
    --------
    >>> class Toy(Plugin):
    ...     size: int = option(3)
    >>> made = declare("toy", 2)(Toy)
    >>> made(size=4), made.use, made.version
    (Toy(size=4), 'toy', 2)
    """

    def decorate(cls: type[_P]) -> type[_P]:
        made = dataclass(frozen=True)(cls)
        made.use = name
        made.version = version
        return made

    return decorate


def option_fields(cls: type[Plugin]) -> tuple[dataclasses.Field[Any], ...]:
    """The options of a plugin as dataclass fields, in order."""
    return dataclasses.fields(cls)  # type: ignore[arg-type]
