"""How the files of one format are written, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa


class Part(Protocol):
    """A file that is being written."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...

    def abandon(self) -> None:
        """Let the file go, whatever state it is in."""
        ...


PartMaker = Callable[[Path, pa.Schema], Part]
"""``part(file, schema)`` starts a file."""
Text = Callable[[pa.RecordBatch, bool], bytes]
"""``text(batch, first)``: rows as they are written to a stream, the first ones with what goes in front."""
Join = Callable[[Sequence[Path], Path, pa.Schema], None]
"""``join(parts, file, schema)``: the rows of several files, in order, in one."""


@dataclass(frozen=True)
class Output:
    """How the files of one format are written.

    Parameters
    ----------
    extension : str
        Of the files, with the dot.
    part : callable
    check_columns : callable
        Raises `DataError` for columns that the format can't hold.
    takes_coded : bool
        Text may come dictionary-encoded.
    join : callable, optional
        Without, one file can't be written in shards.
    options : mapping
        What else changes what is written.
    text : callable, optional
        Without, it can't be written in a stream.
    """

    extension: str
    part: PartMaker
    check_columns: Callable[[pa.Schema], None]
    takes_coded: bool = False
    join: Join | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    text: Text | None = None
