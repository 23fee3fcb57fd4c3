"""The formats of files, and what is said when a file can't be had."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pyarrow as pa

from engine.errors import DataError, listing
from engine.runtime.io.store_errors import explained

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        ".parquet": "parquet",
        ".csv": "csv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".arrow": "arrow",
        ".feather": "arrow",
    }
)
"""Extensions of files that the engine itself reads and writes, and the format that each stands for."""


def format_of(path: Path | str, formats: Mapping[str, str] = FORMATS) -> str:
    """The format of a file, by its extension; that of compressed text is its content's.

    Raises
    ------
    DataError
        The extension is none that the engine knows.
    """
    name = str(path).lower()
    bare = name.removesuffix(".gz").removesuffix(".zst")
    for each in (name, bare):
        for ending, found in formats.items():
            if each.endswith(ending) and (found in ("csv", "jsonl") or each == name):
                return found
    suffix = PurePosixPath(name).suffix
    raise DataError(f"{path}: no format has the extension '{suffix}'; there are {listing(formats)}")


@contextmanager
def reading(path: object, what: str = "") -> Iterator[None]:
    """Say which file couldn't be read, and why."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: can't be read{what}: {reason(error)}") from None


class SinkError(DataError):
    """What is to be written can't be: the disk is full, or there is no permission."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which file couldn't be written, and why."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise SinkError(f"{path}: can't be written: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """An error of the system, of Arrow or of an object store in one line."""
    said = explained(str(error))
    if said is not None:
        return said
    told = re.search(r"\[errno (\d+)\]", str(error))  # Arrow's
    number = int(told[1]) if told else getattr(error, "errno", None)
    if isinstance(error, OSError) and error.strerror and not told:
        return error.strerror
    return os.strerror(number) if number else str(error).splitlines()[0] if str(error) else repr(error)
