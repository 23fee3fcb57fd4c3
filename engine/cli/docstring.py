"""A numpydoc docstring as a reader of the terminal likes it: no underlines, no backticks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from engine.cli.output import aligned

_UNDERLINE = re.compile(r"-{3,}|={3,}")
_QUOTED = re.compile(r"``(.+?)``|`([^`\s](?:[^`]*[^`\s])?)`", re.DOTALL)
_BORDER = re.compile(r"=+( +=+)+")


def plain(docstring: str, *, indent: int = 2) -> str:
    """A docstring without its markup. Headings stand at the left, all else is indented.

    Parameters
    ----------
    docstring : str
        As `inspect.getdoc` gives it.
    indent : int

    Examples
    --------
    >>> print(plain("Limit ``x``.\\n\\nNotes\\n-----\\nSee `engine`."))
      Limit x.
    <BLANKLINE>
    notes
      See engine.
    """
    return "\n".join(
        line if is_heading else f"{' ' * indent}{line}".rstrip()
        for line, is_heading in _lines(docstring.splitlines())
    )


def unquoted(text: str) -> str:
    """A text without the backticks around its words.

    >>> unquoted("``a`` or `b`; a name may stand between ` and `")
    'a or b; a name may stand between ` and `'
    """
    return re.sub(_QUOTED, lambda found: found[1] or found[2], text)


def parameters(docstring: str) -> dict[str, str]:
    """What a docstring says of each of its parameters, on one line; None is null, as in configs.

    Parameters
    ----------
    docstring : str
        As `inspect.getdoc` gives it.

    Examples
    --------
    >>> parameters("Limit.\\n\\nParameters\\n----------\\nlo, hi : float or None\\n    None: no ``limit``.")
    {'lo': 'null: no limit.', 'hi': 'null: no limit.'}
    """
    _, _, section = docstring.partition("Parameters\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            if " : " not in line:  # the next section
                break
            names = line.partition(" : ")[0].split(", ")
            found |= dict.fromkeys(names, "")
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return {name: re.sub(r"\bNone\b", "null", unquoted(text)) for name, text in found.items()}


def _lines(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Each line that remains, and whether it is a heading."""
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        below = lines[at + 1].strip() if at + 1 < len(lines) else ""
        end = at + 1
        if line and _UNDERLINE.fullmatch(below):
            yield line.lower(), True
            end += 1
        elif _BORDER.fullmatch(line):
            end = _end_of_table(lines, at)
            for row in aligned(_cells(lines[at:end])).splitlines():
                yield row, False
        else:
            while line and end < len(lines) and lines[end].strip() and not _begins_another(lines, end):
                end += 1
            text = "\n".join(lines[at:end])
            for row in (text if line.startswith(">>> ") else unquoted(text)).splitlines() or [""]:
                yield row, False
        at = end


def _begins_another(lines: Sequence[str], at: int) -> bool:
    below = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return bool(_BORDER.fullmatch(lines[at].strip()) or _UNDERLINE.fullmatch(below))


def _end_of_table(lines: Sequence[str], start: int) -> int:
    """Behind the last border of a table, which a blank line follows."""
    end = start
    while end < len(lines) and lines[end].strip():
        end += 1
    return end


def _cells(lines: Sequence[str]) -> list[list[str]]:
    """The rows of a table whose first line tells where its columns lie."""
    starts = [found.start() for found in re.finditer("=+", lines[0])]
    spans = [slice(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]
    rows = [line for line in lines if not _BORDER.fullmatch(line.strip())]
    return [[unquoted(row[span].strip()) for span in spans] for row in rows]
