"""An authority of the tests' own, and what it certifies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Files:
    """Where a certificate, its key, and the authority's certificate are."""

    cert: str
    key: str
    ca: str


def certify(
    folder: Path, *names: str, before: datetime | None = None, after: datetime | None = None
) -> Files:
    """A certificate for hosts, or for a client, signed by an authority of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert(*names, not_before=before, not_after=after)
    files = {
        "cert.pem": b"".join(blob.bytes() for blob in issued.cert_chain_pems),
        "key.pem": issued.private_key_pem.bytes(),
        "ca.pem": authority.cert_pem.bytes(),
    }
    for name, data in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(data)
    return Files(*(str(folder / name) for name in files))
