"""The lines of a CSV file as text, and what Arrow says of them."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from engine.errors import DataError
from engine.runtime.io.lines import Block
from engine.runtime.io.storage import StoredFile

BLOCK = 8 << 20
"""Bytes that are read at a time; no record is longer."""


def read_head(file: StoredFile, stream: Any, delimiter: str) -> tuple[list[str], bool]:
    """The names in the first line, and whether any row follows.

    Raises
    ------
    DataError
        There are none, or they are no text.
    """
    try:
        with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            header = next(reader, [])
            any_rows = next((True for row in reader if row or len(header) == 1), False)
    except csv.Error as error:
        raise DataError(f"{file}, line 1: can't be read as CSV: {error}") from None
    if not header:
        raise DataError(f"{file}, line 1: expected the names of the columns, found an empty line")
    if any("\udc80" <= letter <= "\udcff" for name in header for letter in name):
        raise DataError(f"{file}, line 1: the names of the columns are no UTF-8; convert the file to UTF-8")
    return header, any_rows


def behind_header(file: StoredFile) -> int:
    """Where the second line begins."""
    with file.stream() as stream:
        head = b""
        while more := stream.read(1 << 16):
            head += more
            end = re.search(rb"\r\n|\n|\r(?=[^\n])", head)
            if end is not None:
                return end.end()
        return len(head)


def ends_closed(content: bytes, delimiter: str) -> bool:
    """Whether the last line is whole by itself: no field of it goes on in the next one."""
    last = content.rstrip(b"\r\n")
    last = last[max(last.rfind(b"\n"), last.rfind(b"\r")) + 1 :]
    parts = re.escape(delimiter.encode())
    field = rb'(?>"(?:[^"]|"")*+"[^%b]*+|[^"%b][^%b]*+|)' % (parts, parts, parts)
    return b'"' not in last or re.fullmatch(rb"(?:%b%b)*+%b" % (field, parts, field), last) is not None


def count_lines(content: bytes, blank: bool) -> int:
    """How many lines there are, blank ones too, if they count."""
    breaks = content.count(b"\n")
    if content.count(b"\r") == content.count(b"\r\n") and (
        blank or not re.search(rb"^\r?\n", content, re.MULTILINE)
    ):
        return breaks + (not content.endswith(b"\n"))
    return sum(1 for line in content.splitlines() if line or blank)


def fault(found: str) -> str:
    """Arrow's message about a file, with its row as a line."""
    if "straddling" in found:
        size = BLOCK >> 20
        return f": a record is longer than {size} MB, or a quotation mark is never closed"
    match = re.search(r"Row #(\d+): (.*)", found)
    if match is None:
        return f": can't be read as CSV: {found.removeprefix('CSV parse error: ')}"
    columns = re.match(r"Expected (\d+) columns, got (\d+)", match[2])
    what = f"expected {columns[1]} fields, found {columns[2]}" if columns else match[2]
    return f", line {match[1]}: {what}"


def fault_in(block: Block, found: str) -> str:
    """Arrow's message about some lines, with its row, which leaves out blank ones, as a line."""
    match = re.search(r"Row #(\d+): ", found)
    lines = [number for number, line in enumerate(block.content.splitlines()) if line]
    place = lines[int(match[1]) - 1] if match and int(match[1]) <= len(lines) else 0
    what = re.sub(r"^, line \d+", "", fault(found))
    return f"{block.where(place)}{what}"
