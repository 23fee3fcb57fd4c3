"""What an object store's refusal means, as `pyarrow.fs` tells it."""

from __future__ import annotations

import re

_DENIED = (
    "the store denies access; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and what they are allowed, "
    "or set source.storage.anonymous=true for a public bucket"
)
_MEANINGS = {
    "NO_SUCH_BUCKET": "there is no such bucket",
    "NO_SUCH_KEY": "there is no such object",
    "RESOURCE_NOT_FOUND": "there is no such bucket or object",
    "ACCESS_DENIED": _DENIED,
    "INVALID_ACCESS_KEY_ID": _DENIED,
    "INVALID_CLIENT_TOKEN_ID": _DENIED,
    "INVALID_SIGNATURE": _DENIED,
    "SIGNATURE_DOES_NOT_MATCH": _DENIED,
    "NETWORK_CONNECTION": "the store can't be reached; check source.storage.endpoint or AWS_ENDPOINT_URL, "
    "and the network",
    "REQUEST_TIMEOUT": "the store doesn't answer in time; try again later",
    "SLOW_DOWN": "the store asks for fewer requests; try again later",
    "SERVICE_UNAVAILABLE": "the store isn't available; try again later",
    "INTERNAL_FAILURE": "the store failed; try again later",
}
_STATUS = {
    "301": "the bucket is in another region; set source.storage.region",
    "403": _MEANINGS["ACCESS_DENIED"],
}


def explained(text: str) -> str | None:
    """What a message means and what to do; None: it isn't a store's.

    Examples
    --------
    >>> explained("When listing: AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation: no")
    'there is no such bucket (NO_SUCH_BUCKET)'
    """
    error = re.search(r"AWS Error (\w+)", text)
    if error is None:
        return None
    code = error[1]
    status = re.search(r"HTTP [Ss]tatus(?: code)?:? ?(\d{3})", text)
    meaning = _MEANINGS.get(code) or (_STATUS.get(status[1]) if status else None)
    if meaning is not None:
        return f"{meaning} ({code})"
    detail = text.splitlines()[0].partition(" operation: ")[2]
    return f"the store answers {code}{': ' if detail else ''}{detail}"
