"""What the tests of running share: an S3 server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.s3 import S3Server, serving


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """One for all tests of a process; each takes a bucket of its own."""
    with serving() as server:
        yield server
