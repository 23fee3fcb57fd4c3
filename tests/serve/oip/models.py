"""Pipelines that answer, for tests."""

from __future__ import annotations

from typing import Any

from engine.answer.live import Live
from engine.api import build
from engine.config.config import Config

INPUTS: dict[str, Any] = {
    "a": "number",
    "b": "number",
    "k": "category",
    "t": "timestamp",
    "w": "text",
}
STAGES: dict[str, Any] = {
    "sum": {"use": "expr", "value": "a + b", "into": "sum"},
    "flag": {"use": "expr", "value": "a > b", "into": "flag"},
    "code": {"use": "ordinal", "columns": ["k"], "categories": ["UA", "AA", ""], "into": "code"},
    "said": {"use": "label", "columns": ["flag"], "labels": ["low", "high"], "into": "said"},
    "age": {"use": "elapsed", "columns": ["t"], "since": "1970-01-01T00:00:00Z", "unit": "seconds"},
    "long": {"use": "text_length", "columns": ["w"]},
}


def live(inputs: dict[str, Any] | None = None, stages: dict[str, Any] | None = None, **more: Any) -> Live:
    """A pipeline that learns nothing."""
    config = {"name": "demo", "inputs": inputs or INPUTS, "stages": stages or STAGES, **more}
    return build(Config(config)).live()
