"""Where a database is: what is connected to, and what is shown of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SCHEME = re.compile(r"postgres(ql)?://")
_LACKING = {
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "fallback_application_name": "engine",
}
"""Without the limits a server that is gone would be waited for for hours."""


@dataclass(frozen=True)
class Address:
    """A database; printed, it holds neither user nor password.

    Parameters
    ----------
    url : str
        A connection URI of libpq: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING

    Examples
    --------
    >>> print(Address("postgresql://me:secret@db.example:5433/shop?sslmode=require"))
    postgresql://db.example:5433/shop
    """

    url: str = field(repr=False)

    def __str__(self) -> str:
        return f"postgresql://{_parts(self.url)[1].partition('?')[0]}"

    @property
    def complete(self) -> str:
        """The URI with what is needed and it doesn't say, as how long to wait."""
        given = _parts(self.url)[1].partition("?")[2]
        lacking = [f"{key}={value}" for key, value in _LACKING.items() if f"{key}=" not in given]
        mark = "&" if given else "" if self.url.endswith("?") else "?"
        return f"{self.url}{mark}{'&'.join(lacking)}" if lacking else self.url


def url_mistakes(url: str) -> Iterator[str]:
    """What is wrong with the option ``url``; nothing of it is shown, since it may hold a password."""
    if _SCHEME.match(url) is None:
        yield "url: expected postgresql://user@host:port/database, found something that begins otherwise"
        return
    rest = _parts(url)[1]
    if "@" in rest.partition("?")[0]:
        yield "url: in a user or password, write '@' as %40 and '/' as %2F"
    elif re.search(r"%(?![0-9a-fA-F]{2})", url):
        yield "url: a '%' must stand in front of two hex digits; for the sign itself write %25"
    elif any(letter.isspace() for letter in url):
        yield "url: there is a blank in it; write it as %20"


def _parts(url: str) -> tuple[str, str]:
    """User and password, and all behind them, as libpq parts them: at the first ``@`` before a ``/``."""
    rest = url.partition("://")[2]
    found = re.match(r"([^@/]*)@", rest)
    return (found[1], rest[found.end() :]) if found else ("", rest)
