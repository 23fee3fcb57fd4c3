"""Names of tables and columns: read as they are written, quoted whatever they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 63
"""Bytes of a name; the server would cut off the rest without a word."""

_PART = r'("(?:[^"]|"")+"|[^".]+)'
_TABLE = re.compile(rf"(?:{_PART}\.)?{_PART}")


@dataclass(frozen=True)
class Table:
    """A table, by its schema's name and its own.

    Parameters
    ----------
    schema : str or None
        None: where the server finds it, or makes new ones.
    name : str

    Examples
    --------
    >>> print(Table("risk", "of all").sql)
    "risk"."of all"
    """

    schema: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """As it stands in a statement."""
        return quoted(self.name) if self.schema is None else f"{quoted(self.schema)}.{quoted(self.name)}"

    def beside(self, name: str) -> Table:
        """Another table in its schema."""
        return Table(self.schema, name)


def quoted(name: str) -> str:
    """A name as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'


def read_table(text: str) -> Table:
    """The table that an option names: ``scores``, ``risk.scores``, ``risk."a.b"``; capitals count.

    Raises
    ------
    ValueError
        It names none; with what was expected.

    Examples
    --------
    >>> read_table('risk."a.b"')
    Table(schema='risk', name='a.b')
    """
    match = _TABLE.fullmatch(text)
    if match is None:
        raise ValueError(
            "expected a table, as scores or risk.scores (names with a dot or a quote in it in quotes, as "
            f'risk."a.b"), found {text!r}'
        )
    parts = [_unquoted(part) for part in match.groups() if part is not None]
    for part in parts:
        if fault := name_fault(part):
            raise ValueError(f"{part!r} {fault}")
    return Table(parts[0] if len(parts) == 2 else None, parts[-1])


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def table_mistakes(text: str) -> Iterator[str]:
    """What is wrong with the option ``table``."""
    try:
        read_table(text)
    except ValueError as error:
        yield f"table: {error}"


def name_fault(name: str) -> str | None:
    """Why something can't be the name of a table or column; None: it can."""
    if not name or "\0" in name:
        return "can't be a name in PostgreSQL"
    if len(name.encode(errors="surrogatepass")) > LONGEST:
        return f"is longer than the {LONGEST} bytes that a name has in PostgreSQL"
    return None
