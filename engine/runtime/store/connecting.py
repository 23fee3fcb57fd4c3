"""From a URL and options to a bucket that can be asked."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from engine.errors import DataError, did_you_mean, listing
from engine.runtime.io.storage_options import StorageOptions
from engine.runtime.store.refusals import refusal

__all__ = ["SCHEMES", "connected", "split_url"]

SCHEMES = ("s3", "gs", "az")
"""What the URL of a folder in an object store starts with."""


def split_url(url: str) -> tuple[str, str, str]:
    """The scheme, the bucket and the folder in it, as they are written.

    Raises
    ------
    DataError

    Examples
    --------
    >>> split_url("s3://lake/scores/May%20/")
    ('s3', 'lake', 'scores/May%20')
    """
    scheme, _, rest = url.partition("://")
    bucket, _, folder = rest.partition("/")
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        near = did_you_mean(scheme, SCHEMES)
        raise DataError(
            f"{url}: no object store is called '{scheme}://'; there are {listing(SCHEMES)}.{near}"
        )
    if not bucket or "@" in bucket:
        raise DataError(f"{scheme}://: the URL names no bucket; write {scheme}://bucket/folder")
    return scheme, bucket, folder.strip("/")


def connected(scheme: str, bucket: str, options: StorageOptions, patience: float) -> Any:
    """A bucket as obstore knows it; nothing is asked yet.

    Parameters
    ----------
    scheme, bucket : str
    options : StorageOptions
    patience : float
        Seconds after which a request is given up.

    Raises
    ------
    DataError
    """
    shown = f"{scheme}://{bucket}"
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise DataError(f"{shown}: needs the package obstore: pip install obstore") from None
    config: dict[str, Any] = {"skip_signature": True} if options.anonymous else {}
    if scheme == "s3":
        _check_endpoint(shown, options)
        config |= {"endpoint": options.endpoint, "region": options.region}
        if not os.environ.get("AWS_COPY_IF_NOT_EXISTS"):  # how the store does it, if not as Amazon
            config["copy_if_not_exists"] = "multipart"
    elif options.endpoint:
        raise DataError(f"{shown}: only s3:// takes an endpoint")
    connect: Any = from_url  # typed for options that are written out
    try:
        return connect(
            shown,
            config={key: value for key, value in config.items() if value is not None},
            # a whole download may last; what counts is that bytes come
            client_options={
                "allow_http": scheme == "s3" and options.plain_http,
                "timeout": "1h",
                "connect_timeout": timedelta(seconds=patience / 6),
                "read_timeout": timedelta(seconds=patience / 2),
            },
            retry_config={"retry_timeout": timedelta(seconds=patience * 2 / 3)},
        )
    except (BaseError, ValueError) as error:
        why = refusal(error, scheme, bucket, options.endpoint, options.region)
        raise DataError(f"{shown}: {why}") from None


def _check_endpoint(shown: str, options: StorageOptions) -> None:
    # obstore takes this variable before the option, whatever is said
    meant, other = options.endpoint, os.environ.get("AWS_ENDPOINT_URL_S3")
    if meant and other and meant.rstrip("/") != other.rstrip("/"):
        raise DataError(f"{shown}: endpoint is {meant}, but AWS_ENDPOINT_URL_S3 is another; unset it")
