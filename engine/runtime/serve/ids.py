"""The ids of requests."""

from __future__ import annotations

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:")
_LONGEST = 64


def safe_id(given: bytes) -> str:
    """A client's id of its request, without what isn't safe to print.

    Examples
    --------
    >>> safe_id(b"order-7"), safe_id(b"a b<c>"), safe_id(b"!")
    ('order-7', 'abc', '-')
    """
    return bytes(byte for byte in given[:_LONGEST] if byte in _SAFE).decode() or "-"
