"""One request and its answer, as handlers see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.answer.live import Live
    from engine.errors import RowError
    from engine.values import BadValue

JSON = b"application/json"


@dataclass(slots=True)
class Call:
    """A request whose body is read.

    Parameters
    ----------
    path : str
        Without the query.
    headers : list of (bytes, bytes)
        Names in lower case.
    body : bytes
        As the handler takes it: no longer compressed.
    live : Live
        The version that answers; it stays the same for the whole request. Routes that don't need one may be
        asked before there is any.
    id : str
        The request's id, safe to print.
    times : tuple of float
        How many seconds parsing, scoring and encoding took; set by the handler.
    rows : iterable of (mapping, mapping or RowError), optional
        What was asked and answered, row by row; set by the handler.
    table : (RecordBatch, RecordBatch, list of BadValue), optional
        The same by columns.
    """

    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    live: Live
    id: str = ""
    times: tuple[float, float, float] | None = None
    rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any] | RowError]] | None = None
    table: tuple[pa.RecordBatch, pa.RecordBatch, list[BadValue]] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first header of this name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class Answer:
    """What is sent back.

    Parameters
    ----------
    body : bytes
    status : int
    kind : bytes
        The media type.
    headers : list of (bytes, bytes)
        Besides length, type and version.
    """

    body: bytes
    status: int = 200
    kind: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class Refusal(Exception):  # noqa: N818 - it is an answer, too
    """A request that isn't answered; every protocol says it in its own way.

    Parameters
    ----------
    status : int
        Of HTTP.
    message : str
        What was found, what was expected, what to do.
    code : str
        A word for programs: ``invalid``, ``too_large``, ``not_found``, …
    column : str
        The input that it concerns, or empty.
    headers : tuple of (bytes, bytes)
        Such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        column: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.column = column
        self.headers = headers

    def answer(self) -> Answer:
        """The error as HTTP has it, on every route."""
        body = msgspec.json.encode({"error": self.message, "code": self.code, "column": self.column or None})
        return Answer(body, self.status, JSON, list(self.headers))
