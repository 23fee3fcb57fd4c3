"""How an object store is reached, but for its keys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import DataError

__all__ = ["StorageOptions"]


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """Where an object store is, and whether it is asked without keys.

    What isn't given is taken from the environment, as the keys always are (``AWS_ACCESS_KEY_ID`` and so on).

    Parameters
    ----------
    endpoint : str, optional
        The address of an S3-compatible store, with ``https://`` or ``http://``; else ``AWS_ENDPOINT_URL_S3``
        or ``AWS_ENDPOINT_URL``, else Amazon's.
    region : str, optional
        Else ``AWS_REGION`` or ``AWS_DEFAULT_REGION``.
    anonymous : bool
        Ask without keys, as for a public bucket.

    Raises
    ------
    DataError
        The endpoint is no address.

    Examples
    --------
    >>> StorageOptions("http://localhost:9000").plain_http
    True
    >>> StorageOptions("localhost:9000")
    Traceback (most recent call last):
    ...
    engine.errors.DataError: endpoint 'localhost:9000': write it with its protocol, as in http://localhost:9000
    """

    endpoint: str | None = None
    region: str | None = None
    anonymous: bool = False

    def __post_init__(self) -> None:
        self.address()

    def address(self) -> str | None:
        """The endpoint that is asked, of the options or the environment; None is the provider's own."""
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
        found = self.endpoint or next((os.environ[name] for name in names if os.environ.get(name)), None)
        return found and _checked(found.rstrip("/"))

    def asked_region(self) -> str | None:
        """The region that is asked, of the options or the environment; None is the provider's default."""
        return self.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")

    @property
    def plain_http(self) -> bool:
        """Whether the endpoint says ``http://``: nothing is encrypted then."""
        return (self.address() or "").lower().startswith("http://")


def _checked(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        port, user = parts.port, parts.username
    except ValueError as error:
        raise DataError(f"endpoint: this is no address: {error}") from None
    if user is not None:
        raise DataError(
            f"endpoint at {parts.hostname}: keys have no place in it; they are set by AWS_ACCESS_KEY_ID"
        )
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0:
        raise DataError(
            f"endpoint {endpoint!r}: write it with its protocol, as in http://{endpoint.rpartition('//')[2]}"
        )
    return endpoint
