"""What an object store's refusal means, in one line, without the keys that it may repeat."""

from __future__ import annotations

import os
import re

__all__ = ["absent_bucket", "refusal", "status"]

_SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
)
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


def status(error: Exception) -> int:
    """The HTTP status of an answer; 0 if there was none."""
    found = re.search(r"status code: (\d{3})", str(error))
    return int(found[1]) if found else 0


def absent_bucket(error: Exception) -> bool:
    """Whether it isn't the object that is missing, but the bucket."""
    return _code(error) in ("NoSuchBucket", "ContainerNotFound") or "bucket does not exist" in str(error)


def refusal(error: Exception, scheme: str, bucket: str, address: str | None, region: str | None) -> str:
    """What went wrong, and what to do.

    Parameters
    ----------
    error : Exception
        As obstore raises it: several lines, with the whole answer of the store in them.
    scheme : str
        ``s3``, ``gs`` or ``az``.
    bucket : str
    address : str, optional
        The endpoint; None is the provider's own.
    region : str, optional
        The one that was asked.
    """
    text = str(error)
    code, number = _code(error), status(error)
    answer = " ".join(filter(None, (str(number or ""), code)))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "parse path" in text:
        return "the name has an empty part, or a character that no object's name may have"
    if absent_bucket(error):
        return f"there is no bucket {bucket!r}; make it first, or mend the URL"
    if _elsewhere(text, code, number):
        place = re.search(r"<Region>([\w-]+)</Region>", text)
        where = f"in the region {place[1]}" if place else "in another region"
        return f"the bucket is {where}, not in {region or 'us-east-1'}; set region= or AWS_REGION"
    if re.search(r"/latest/(api/token|meta-data)|/computeMetadata/|/metadata/identity", text):
        return f"there are no keys: set {_KEYS[scheme]}, or anonymous=true for a public bucket"
    if number in (401, 403):
        return f"the store denies access ({answer}); check {_KEYS[scheme]}, and what they are allowed"
    if number in (404, 410) or isinstance(error, FileNotFoundError):
        return "there is no such object"
    if number == 501:
        return f"the store can't do this ({answer}); use one that has conditional writes"
    if number >= 500 or number == 429:
        return f"the store answers {answer}; try again later"
    if "HTTP error" in text:
        why = f" ({cause})" if (cause := _cause(text)) else ""
        return f"{address or 'the store'} can't be reached{why}; check the endpoint and the network"
    if number:
        return f"the store answers {answer}"
    return _without_secrets(text.split("\n", 1)[0])


def _code(error: Exception) -> str:
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found[1] if found else ""


def _elsewhere(text: str, code: str, number: int) -> bool:
    if code == "AuthorizationHeaderMalformed":
        return "<Region>" in text
    return (
        number in (301, 307)
        or code in ("PermanentRedirect", "IllegalLocationConstraintException")
        or "incorrectly configured region" in text
    )


def _cause(text: str) -> str:
    """Of a connection that failed: obstore tells it deep in what it prints for its own developers."""
    causes = {
        "certificate": "its certificate isn't trusted",
        "dns error": "no such host",
        "Connection refused": "connection refused",
        "TimedOut": "no answer in time",
        "BadScheme": "its endpoint is no web address",
    }
    return next((said for word, said in causes.items() if word in text), "")


def _without_secrets(text: str) -> str:
    for name in _SECRETS:
        if value := os.environ.get(name):
            text = text.replace(value, f"<{name}>")
    return text
