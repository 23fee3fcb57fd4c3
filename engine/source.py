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

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Protocol,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    runtime_checkable,
)

from engine.declare import Plugin, declare
from engine.errors import DataError
from engine.option import option

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from engine.runtime.io.piece import Piece

Address: TypeAlias = "Path | str"
"""A path of this machine, or a URL such as ``s3://bucket/rows.parquet``."""

__all__ = ["Address", "PiecedSource", "Source", "SourcePart", "SourcePlugin", "option", "source"]


class Source(Protocol):
    """Rows to score.

    Attributes
    ----------
    path : Path or str
        What messages call it: a path or a URL, or other text where it reads no files.
    schema : pyarrow.Schema
        All columns there.
    text : bool
        Every value arrives as text, to be parsed.
    rows : int or None
        How many rows there are, where that is known without reading them.
    """

    @property
    def path(self) -> Address: ...
    @property
    def schema(self) -> pa.Schema: ...
    @property
    def text(self) -> bool: ...
    @property
    def rows(self) -> int | None: ...

    def files(self) -> tuple[Address, ...]:
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


@runtime_checkable
class SourcePart(Source, Protocol):
    """Some rows of a source; ``rows`` is how many, where that is known of all its pieces."""

    def locate(self, row: int) -> tuple[str, int]:
        """The file of a row that was read, and its number there; both count from 0.

        Where it isn't known how many rows of the file lie in front of a piece, the number is that in the
        piece.
        """
        ...

    def counts(self) -> tuple[int, ...]:
        """The rows that were read of each piece, once all were."""
        ...


@runtime_checkable
class PiecedSource(Source, Protocol):
    """A source that can be read in pieces, each on its own: by several processes, and again after a fault.

    Pieces are told as JSON, so that a process which has the options of the source and some pieces reads those
    rows and no others (`SourcePlugin.part`).

    Attributes
    ----------
    identity : mapping
        What makes the rows what they are besides the pieces, as JSON: of CSV the delimiter. Only where it is
        the same, a run is resumed.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def pieces(self) -> tuple[Piece, ...]:
        """The smallest pieces that are worth being read on their own; in this order they hold every row once.

        Several that follow each other in a file may be asked for as one: from the ``start`` of the first to
        the ``stop`` of the last. Of a piece whose rows are counted, ``skip`` and ``take`` may be asked for.
        """
        ...

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        """The rows of some pieces, in this order. Several parts are read at the same time, by threads.

        Raises
        ------
        InputChanged
            Something isn't what it was when it was cut.
        DataError
            It can't be read.
        """
        ...


@runtime_checkable
class FilesSource(Source, Protocol):
    """Rows of files, whose columns are known before they are read."""

    def check_columns(self, columns: Sequence[str]) -> None:
        """See that every file has these columns, of one family each.

        Raises
        ------
        DataError
        """
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

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        """The rows of some pieces that the opened source was cut in, in another process perhaps.

        A source that can do so without looking at all that is there says how.

        Raises
        ------
        InputChanged
            Something isn't what it was when it was cut.
        DataError
            It can't be read, or not in pieces.
        """
        opened = self.open()
        if not isinstance(opened, PiecedSource):
            raise DataError(f"{opened.path}: can't be read in pieces")
        return opened.part(pieces)


_P = TypeVar("_P", bound=SourcePlugin)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def source(name: str, *, version: int = 1) -> Callable[[type[_P]], type[_P]]:
    """Make a class a source that configs call ``name``; the file is named after it."""
    return declare(name, version)
