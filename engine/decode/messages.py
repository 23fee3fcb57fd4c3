"""What is said about a value that its input refuses: the same words for a table and for a row."""

from __future__ import annotations

from typing import Any

from engine.schema import Input, Kind

_EXPECTED = {
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.CATEGORY: "text",
    Kind.TEXT: "text",
    Kind.TIMESTAMP: "a timestamp",
}

_LONGEST = 60


def describe(value: Any) -> str:
    """A Python value and its type, short enough for one line.

    >>> describe(5)
    '5 (int)'
    """
    return f"{quote(value)} ({type(value).__name__})"


def quote(value: Any) -> str:
    """A value as Python writes it, short enough for one line."""
    try:
        text = repr(value)
    except Exception:  # a foreign object's, or a whole number of thousands of digits
        text = "a value that can't be printed"
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 13]}…{text[-12:]}"
    return text


def invalid(item: Input, found: str) -> str:
    """A value that is not of its input's kind."""
    return f"{item.name}: expected {_EXPECTED[item.kind]}, found {found}"


def missing(item: Input) -> str:
    """A value that is missing where none may be."""
    return f"{item.name}: the value is missing"


def unknown(item: Input, text: str) -> str:
    """A category that no stage of the pipeline knows."""
    return f"{item.name}: {quote(text)} is not a category that the pipeline knows"
