"""The page at ``/docs``: reads ``/openapi.json`` in the browser, shows it, and asks ``/predict``."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

KIND = b"text/html; charset=utf-8"

_INLINE = re.compile(rb"<(style|script)>(.*?)</\1>", re.DOTALL)


def page() -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The page and the headers that go with it.

    The page is the same for every pipeline. Its policy lets the browser run the one script and use the one
    style that are in it, known by their hashes, and ask nothing but this server.

    Returns
    -------
    body : bytes
        HTML, of the media type `KIND`.
    headers : list of (bytes, bytes)
        Besides length and type.

    Examples
    --------
    >>> body, headers = page()
    >>> dict(headers)[b"x-content-type-options"]
    b'nosniff'
    """
    body = resources.files("engine.runtime.serve").joinpath("page.html").read_bytes()
    # hashed as it is sent, so that an edit of the page needs none here
    hashes = {tag: _hash(text) for tag, text in _INLINE.findall(body)}
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{hashes[b'script']}'",
            f"style-src '{hashes[b'style']}'",
            "connect-src 'self'",
            "img-src data:",  # its icon, so that the browser asks for none
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
    return body, [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cache-control", b"no-cache"),
    ]


def _hash(text: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}"
