"""What one value of each kind is read by: a value of Python, or one of JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from engine.decode import json_cells, scalar
from engine.schema import Kind

Readers: TypeAlias = Mapping[Kind, Callable[[Any], Any]]
"""By kind, what turns a value into a float, int µs or text (None: missing), or raises `ValueError`."""

PYTHON: Readers = MappingProxyType(
    {
        Kind.NUMBER: scalar.number,
        Kind.TIMESTAMP: scalar.timestamp,
        Kind.CATEGORY: scalar.utf8_text,
        Kind.TEXT: scalar.utf8_text,
    }
)
JSON: Readers = MappingProxyType(
    {**PYTHON, Kind.NUMBER: json_cells.number, Kind.TIMESTAMP: json_cells.timestamp}
)
