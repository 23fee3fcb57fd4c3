"""What the service needs of the process around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from engine.answer.live import Live
    from engine.runtime.serve.call import Call

_T = TypeVar("_T")

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Names in lower case and values: what gRPC calls metadata, as HTTP's handlers have it."""


class Heavy(Protocol):
    """Runs work that takes longer than a moment, so that the event loop goes on meanwhile."""

    def __call__(self, work: Callable[[], _T], /) -> Awaitable[_T]:
        """What ``work`` gives, or raises."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """The process around the service, as callables; all are called on the event loop.

    Parameters
    ----------
    live : callable
        The version that answers, or None while there is none; asked once for each call.
    is_ready : callable
        Whether requests should come here: false while the process starts and while it drains.
    allowed : callable
        ``allowed(headers)``: whether who sent these may ask. ServerLive and ServerReady are for everyone.
    observe : callable
        ``observe(method, code, seconds)`` of every call that was answered, such as ``"ModelInfer"``,
        ``"INVALID_ARGUMENT"`` and 0.002.
    heavy : callable
        ``await heavy(work)`` runs it in a thread.
    new_id : callable
        The id of a call whose client gave it none.
    keep : callable, optional
        ``keep("grpc", call)`` of every inference that was answered: its ``times``, and its ``rows`` or its
        ``table``.
    """

    live: Callable[[], Live | None]
    is_ready: Callable[[], bool]
    allowed: Callable[[Headers], bool]
    observe: Callable[[str, str, float], None]
    heavy: Heavy
    new_id: Callable[[], str] = lambda: "-"
    keep: Callable[[str, Call], None] | None = None
