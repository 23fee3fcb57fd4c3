"""Refusals as gRPC says them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from grpc import StatusCode

from engine.runtime.serve.call import Refusal

CODES: Mapping[int, StatusCode] = MappingProxyType(
    {
        400: StatusCode.INVALID_ARGUMENT,
        401: StatusCode.UNAUTHENTICATED,
        403: StatusCode.PERMISSION_DENIED,
        404: StatusCode.NOT_FOUND,
        413: StatusCode.RESOURCE_EXHAUSTED,
        422: StatusCode.INVALID_ARGUMENT,
        429: StatusCode.RESOURCE_EXHAUSTED,
        503: StatusCode.UNAVAILABLE,
    }
)
"""By the status of HTTP."""

_MOST_BYTES = 2_000
"""Of a text. It travels in a header, where a byte may become three; clients take some 8 KiB of headers."""


def code_of(refusal: Refusal) -> StatusCode:
    """The code of a refusal.

    Examples
    --------
    >>> code_of(Refusal(404, "there is no model 'x'", "not_found")).name
    'NOT_FOUND'
    """
    other = StatusCode.INTERNAL if refusal.status >= 500 else StatusCode.INVALID_ARGUMENT
    return CODES.get(refusal.status, other)


def shortened(text: str) -> str:
    """A text that fits into a header.

    Examples
    --------
    >>> shortened("é" * 5000)[-3:], len(shortened("é" * 5000))
    ('éé…', 999)
    """
    written = text.encode("utf-8", errors="replace")
    if len(written) <= _MOST_BYTES:
        return written.decode()
    return written[: _MOST_BYTES - 3].decode(errors="ignore") + "…"
