"""What the author of a sink writes: its options, and how it is opened.

A sink is a class in a file of its own, ``sinks/NAME.py`` in a folder of plugins, decorated with `sink`. Its
annotated attributes are its options in ``sink: {use: NAME, …}``; the class becomes a frozen dataclass.

Examples
--------
>>> from engine.sink import Mode, SinkPlugin, option, sink
>>> @sink("lines")
... class Lines(SinkPlugin):
...     '''Lines of a text.'''
...
...     extensions = (".txt",)
...
...     path: str = option(help="the file")
...     mode: Mode = option("error", help="what happens to a file that is there")
>>> Lines(path="a.txt")
Lines(path='a.txt', mode='error')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeVar, dataclass_transform

from engine.declare import Plugin, declare
from engine.option import option

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

__all__ = ["Mode", "Sink", "SinkPlugin", "Writer", "option", "sink"]

Mode = Literal["error", "append", "replace"]
"""What happens to what is already there."""


class Writer(Protocol):
    """A sink that is being written; a context manager.

    Leaving the ``with`` block makes all of it visible at once; an exception leaves nothing behind.
    """

    def __enter__(self) -> Writer: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows. Several threads call it, one at a time."""
        ...

    def files(self) -> tuple[Path, ...]:
        """The files under their final names."""
        ...


class Sink(Protocol):
    """Where answers go.

    Attributes
    ----------
    path : Path or str
        What messages call it; text where it is no file; rejected rows go beside it.
    extension : str
        Of its files, with the dot; may be empty.
    mode : {"error", "append", "replace"}
    is_folder : bool
        Whether it is a folder of parts.
    takes_coded : bool
        Text may come dictionary-encoded.
    """

    @property
    def path(self) -> Path | str: ...
    @property
    def extension(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def is_folder(self) -> bool: ...
    @property
    def takes_coded(self) -> bool: ...
    @property
    def check_columns(self) -> Callable[[pa.Schema], None]:
        """Raises `DataError` for columns that it can't hold."""
        ...

    def check(self) -> None:
        """See, before anything is read, whether it can be written; else raise `DataError`."""
        ...

    def open(self, schema: pa.Schema) -> Writer:
        """Start writing."""
        ...


class SinkPlugin(Plugin):
    """Base of every sink that configs can name."""

    extensions: ClassVar[tuple[str, ...]] = ()
    """Endings of files, as ``.csv``, for which ``use: auto`` takes it; it needs an option ``path``."""

    def check(self) -> Iterable[str]:
        """What is wrong with these options, a sentence each; ``delimiter: …`` is told as the option's."""
        return ()

    def open(self) -> Sink:
        """The sink, nothing written yet."""
        raise NotImplementedError


_P = TypeVar("_P", bound=SinkPlugin)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def sink(name: str, *, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class a sink that configs call ``name``; the file is named after it."""
    return declare(name, version)
