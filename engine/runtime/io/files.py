"""Which files a path stands for, and what is said when they can't be had."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from engine.errors import DataError, did_you_mean, listing
from engine.files import is_regular

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


def format_of(path: Path, formats: Mapping[str, str] = FORMATS) -> str:
    """The format of a file, by its extension.

    Raises
    ------
    DataError
        The extension is none that the engine knows.
    """
    found = formats.get(path.suffix.lower())
    if found is None:
        raise DataError(f"{path}: no format has the extension '{path.suffix}'; there are {listing(formats)}")
    return found


def find_files(
    path: Path, wanted: str | None = None, formats: Mapping[str, str] = FORMATS
) -> tuple[str, tuple[Path, ...]]:
    """The format and the files of a path: itself, or all data files of a folder by name.

    Names that start with ``_`` or ``.`` are skipped.

    Parameters
    ----------
    path : Path
    wanted : str, optional
        The format; None is by extension.
    formats : mapping of str to str
        Extensions, and the format that each stands for.

    Raises
    ------
    DataError
        There is nothing to read, or files of several formats.
    """
    if not path.exists():
        siblings = sorted(item.name for item in path.parent.iterdir()) if path.parent.is_dir() else []
        if not path.parent.is_dir():
            raise DataError(f"{path}: no such file or folder, nor is there a folder {path.parent}")
        raise DataError(f"{path}: no such file or folder.{did_you_mean(path.name, siblings)}")
    if not path.is_dir():
        _refuse_odd(path)
        return wanted or format_of(path, formats), (path,)
    found: dict[str, list[Path]] = {}
    for item in _listed(path):
        with reading(item):
            kind = formats.get(item.suffix.lower())
            if kind and item.is_file() and not item.name.startswith(("_", ".")):
                found.setdefault(kind, []).append(item)
    if wanted:
        found = {kind: files for kind, files in found.items() if kind == wanted}
    if not found:
        kinds = [end for end, kind in formats.items() if wanted in (None, kind)]
        raise DataError(f"{path}: the folder holds no data files ({listing(kinds)})")
    if len(found) > 1:
        counts = " and ".join(f"{len(files)} {kind}" for kind, files in sorted(found.items()))
        raise DataError(f"{path}: the folder holds {counts} files; say which with source.use=")
    ((kind, files),) = found.items()
    for file in files:
        _refuse_odd(file)
    return kind, tuple(files)


def _listed(folder: Path) -> Iterable[Path]:
    """The files of a folder: of the output of a batch, those that are committed."""
    from engine.runtime.shards.committed import committed_files, is_unfinished

    with reading(folder):
        return committed_files(folder) or sorted(i for i in folder.iterdir() if not is_unfinished(i))


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
    """An error of the system or of Arrow in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).splitlines()[0] if str(error) else repr(error)


def _refuse_odd(file: Path) -> None:
    with reading(file):
        if not is_regular(file):
            raise DataError(f"{file}: this is no regular file; write the rows to a file first, and read that")
        if file.stat().st_size == 0:
            raise DataError(f"{file}: the file is empty (0 bytes)")
