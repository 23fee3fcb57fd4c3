"""The words of an expression, and the error that points at one of its characters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.errors import UserError

_SHOWN = 60  # characters of a long expression that a message quotes


class ExpressionError(UserError):
    """An expression that is not of the language, or does not fit its columns.

    Parameters
    ----------
    problem : str
        What was found and what was expected.
    text : str
        The expression.
    index : int
        The character the problem is at, from 0; the message counts from 1.
    hint : str
        What to do about it; a line of its own.
    """

    def __init__(self, problem: str, text: str, index: int, hint: str = "") -> None:
        self.text = text
        self.index = index
        shown, column = _excerpt(text, index)
        head = f"{problem} at position {index + 1:,}: '"
        lines = [f"{head}{shown}'", " " * (len(head) + column) + "^"]
        if hint:
            lines.append(f"  {hint}")
        super().__init__("\n".join(lines))


def _excerpt(text: str, index: int) -> tuple[str, int]:
    """The part of a text around a character, on one line, and where in it the character is."""
    start = max(0, min(index - _SHOWN // 2, len(text) - _SHOWN)) if len(text) > _SHOWN else 0
    part = text[start : start + _SHOWN]
    before = "…" if start else ""
    after = "…" if start + _SHOWN < len(text) else ""
    # Character for character, so that the caret stays below the one that is meant.
    line = "".join(c if c.isprintable() else " " for c in part)
    return f"{before}{line}{after}", len(before) + index - start


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression, from character ``start`` up to ``end``.

    Parameters
    ----------
    kind : {"number", "text", "name", "operator", "end"}
    value : str
        Without the quotes of a text or a quoted name.
    start, end : int
    quoted : bool
        A name between backticks, which is always a column.
    """

    kind: str
    value: str
    start: int
    end: int
    quoted: bool = False


_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<quoted>`(?:[^`]|``)+`)
    |(?P<name>[^\W\d]\w*)
    |(?P<operator><=|>=|==|!=|[-+*/<>(),])""",
    re.VERBOSE,
)

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "**": "write x * x, or pow(x, 2)",
        "//": "write floor(a / b)",
        "&": "write and",
        "|": "write or",
        "~": "write not",
        "!": "write not",
        "=": "write == to compare",
        "%": "write a - floor(a / b) * b",
        "[": "write a name with unusual characters between backticks: `wind gust`",
        ".": "write a name with unusual characters between backticks: `wind.gust`",
    }
)
"""What to write in place of something that other languages have."""

_WORDS = ("and", "or", "not", "true", "false", "inf", "nan")


def tokens(text: str) -> list[Token]:
    """The words of an expression in order, and one of kind ``end``.

    Raises
    ------
    ExpressionError
        A character begins no word.
    """
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unreadable(text, position)
        start, position = position, match.end()
        kind = str(match.lastgroup)
        if kind == "blank":
            continue
        value = match.group()
        if kind in ("number", "name") and found and found[-1].kind == "number" and found[-1].end == start:
            raise ExpressionError(f"expected an operator, found {value!r}", text, start)
        if kind == "text":
            value = value[1:-1].replace(value[0] * 2, value[0])
        if kind == "quoted":
            found.append(Token("name", value[1:-1].replace("``", "`"), start, position, quoted=True))
            continue
        if kind == "name" and value in _WORDS:
            kind = "operator"
        found.append(Token(kind, value, start, position))
    found.append(Token("end", "", len(text.rstrip()), len(text)))
    return found


def _unreadable(text: str, position: int) -> ExpressionError:
    character = text[position]
    if character in "'\"":
        return ExpressionError(f"a text that begins with {character} does not end", text, position)
    if character == "`":
        return ExpressionError("a name that begins with ` does not end", text, position)
    return ExpressionError(f"{character!r} has no meaning here", text, position, HINTS.get(character, ""))
