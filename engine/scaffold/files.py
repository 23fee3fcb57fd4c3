"""Files that are written all or none, and never over others; and the rows that they begin with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from keyword import iskeyword
from pathlib import Path
from random import Random
from string import Template

from engine.errors import UserError, listing

_HERE = Path(__file__).parent


def fill(template: str, names: Mapping[str, str]) -> str:
    """A template of this package with names filled in."""
    return Template((_HERE / template).read_text(encoding="utf-8")).substitute(names)


def write_new(files: Mapping[Path, str]) -> list[Path]:
    """Write files, and the folders they lie in.

    Raises
    ------
    UserError
        One is there already: then none is written.
    """
    there = [str(path) for path in files if path.exists() or path.is_symlink()]
    if there:
        raise UserError(
            f"{listing(there)}: there already, and nothing is overwritten; give another name, or move it away"
        )
    blocked = [str(parent) for path in files for parent in path.parents if parent.is_file()]
    if blocked:
        raise UserError(f"{blocked[0]}: is a file, and a folder is needed there; move it away")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    return list(files)


def check_name(name: str, what: str) -> None:
    """Refuse a name that can't be a module's.

    Raises
    ------
    UserError
    """
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and not iskeyword(name):
        return
    plain = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
    hint = (
        f" Such as {plain!r}"
        if re.fullmatch(r"[a-z][a-z0-9_]*", plain) and plain != name and not iskeyword(plain)
        else ""
    )
    reason = "is a word of Python's own" if iskeyword(name) else "can't name one"
    raise UserError(
        f"{name!r} {reason}: {what} is named in small letters, digits and '_', a letter first.{hint}"
    )


def sample_rows(rows: int) -> str:
    """Made-up houses as CSV, in order of city: the same at each call."""
    chance = Random(7)
    lines = []
    for number in range(rows):
        size, rooms = chance.uniform(30, 200), chance.randint(1, 7)
        city = chance.choice(("Bath", "Leeds", "York"))
        price = size * 2 + rooms * 12 + (60 if city == "Bath" else 0) + chance.gauss(0, 20)
        shown = "" if chance.random() < 0.05 else f"{size:.1f}"
        sold = date(2024, 1, 1) + timedelta(days=number)
        lines.append((city, f"{number},{shown},{rooms},{city},{sold},{price:.0f}"))
    return "\n".join(["id,size,rooms,city,sold,price", *(line for _, line in sorted(lines, key=_city)), ""])


def _city(line: tuple[str, str]) -> str:
    return line[0]
