"""What the author of a source writes: its options, and how it is opened.

A source is a class in a file of its own, ``sources/NAME.py`` in a folder of plugins, decorated with `source`.
Its annotated attributes are its options in ``source: {use: NAME, …}``; the class becomes a frozen dataclass.

Examples
--------
>>> from engine.source import SourcePlugin, option, source
>>> @source("lines")
... class Lines(SourcePlugin):
...     '''Lines of a text.'''
...
...     extensions = (".txt",)
...
...     path: str = option(help="the file")
>>> Lines(path="a.txt")
Lines(path='a.txt')
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, dataclass_transform

from engine.declare import Plugin, declare
from engine.option import option

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["Source", "SourcePlugin", "option", "source"]


class Source(Protocol):
    """Rows to score.

    Attributes
    ----------
    path : Path
        What messages call it.
    schema : pyarrow.Schema
        All columns there.
    text : bool
        Every value arrives as text, to be parsed.
    rows : int or None
        How many rows there are, where that is known without reading them.
    """

    @property
    def path(self) -> Path: ...
    @property
    def schema(self) -> pa.Schema: ...
    @property
    def text(self) -> bool: ...
    @property
    def rows(self) -> int | None: ...

    def files(self) -> tuple[Path, ...]:
        """The files, in the order in which they are read; none where it reads no files."""
        ...

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows in order, at most ``batch_rows`` at a time, with these columns (None: all) in this order.

        Of no columns, batches have rows all the same. Text columns in ``coded`` may come dictionary-encoded,
        as they lie in the file. Several threads take batches, one at a time.
        """
        ...

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message: file and position, counted from 0."""
        ...


class SourcePlugin(Plugin):
    """Base of every source that configs can name."""

    extensions: ClassVar[tuple[str, ...]] = ()
    """Endings of files, as ``.csv``, for which ``use: auto`` takes it; it needs an option ``path``."""

    def check(self) -> Iterable[str]:
        """What is wrong with these options, a sentence each; ``delimiter: …`` is told as the option's."""
        return ()

    def open(self) -> Source:
        """Look at what is there; rows are read later.

        Raises
        ------
        DataError
            There is nothing to read.
        """
        raise NotImplementedError


_P = TypeVar("_P", bound=SourcePlugin)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def source(name: str, *, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class a source that configs call ``name``; the file is named after it."""
    return declare(name, version)
