"""A schema of its own on a real server for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import URL, Schema, made, missing


@pytest.fixture
def schema() -> Iterator[Schema]:
    if reason := missing(URL):
        pytest.skip(reason)
    with made() as schema:
        yield schema
