"""Which files a path, a URL or a pattern stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from engine.errors import DataError, listing
from engine.runtime.io.address import inside
from engine.runtime.io.partitions import Keys, is_key, keys_of
from engine.runtime.io.sink import STATE
from engine.runtime.io.storage import COMPRESSED, Found, Storage, StoredFile
from engine.source import Address

_PART = re.compile(r"part-\d{5,}-[0-9a-f]{12}\.")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class DataFiles:
    """Files of one format.

    Parameters
    ----------
    format : str
    files : tuple of StoredFile
        In the order in which they are read: by their paths, part by part.
    keys : tuple of mapping
        For each, what the names of its folders tell: all have the same keys.
    """

    format: str
    files: tuple[StoredFile, ...]
    keys: tuple[Keys, ...]


def find(
    address: Address, storage: Storage, formats: Mapping[str, str], wanted: str | None = None
) -> DataFiles:
    """A file by itself; all data files of a folder; or those that a pattern matches.

    Names that start with ``_`` or ``.`` are skipped. Of a folder, folders in it that are named ``key=value``
    are looked into, at any depth. In a pattern, ``*``, ``?`` and ``[…]`` stand for letters of one name, and
    ``**`` for folders at any depth; what literally has that name is meant first.

    Parameters
    ----------
    address : Path or str
    storage : Storage
        Where it leads to.
    formats : mapping of str to str
        Endings of files, and the format that each stands for.
    wanted : str, optional
        The format; None is by ending. A file by itself may then end in anything.

    Raises
    ------
    DataError
        There is nothing to read, files of several formats, or folders that disagree in their keys.
    """
    kind = storage.kind(address)
    if kind == "file":
        file = storage.file(address)
        return DataFiles(wanted or _format_of(address, formats), (file,), ({},))
    is_pattern = kind is None and _MAGIC.search(str(address)) is not None
    if kind is None and not is_pattern:
        raise DataError(f"{address}: no such file or folder{storage.near(address)}")
    there = list(_matches(address, storage) if is_pattern else storage.walk(address, is_key, None))
    seen = [item for item in there if is_pattern or not _is_hidden(item.parts[-1])]
    if not is_pattern:
        seen = _of_output(address, storage, seen)
    by_format: dict[str, list[Found]] = {}
    for item in seen:
        format = formats.get(ending_of(item.parts[-1], formats))
        if format is not None and wanted in (None, format):
            by_format.setdefault(format, []).append(item)
    if not by_format:
        ends = endings(end for end, format in formats.items() if wanted in (None, format))
        if not is_pattern:
            raise DataError(f"{address}: the folder holds no data files ({ends})")
        others = (
            f"of {listing([item.parts[-1] for item in seen], 3)}, which match, none is one" if seen else ""
        )
        raise DataError(f"{address}: no data file matches ({ends}); {others or _hint(address, storage)}")
    if len(by_format) > 1:
        counts = " and ".join(f"{len(files)} {format}" for format, files in sorted(by_format.items()))
        what = "pattern matches" if is_pattern else "folder holds"
        raise DataError(f"{address}: the {what} {counts} files; say which with source.use=")
    ((format, chosen),) = by_format.items()
    files = tuple(item.file or storage.file(item.address) for item in chosen)
    for file in files:
        if file.size == 0:
            raise DataError(f"{file}: the file is empty (0 bytes)")
    return DataFiles(format, files, keys_of(address, [item.parts for item in chosen]))


def _of_output(folder: Address, storage: Storage, files: list[Found]) -> list[Found]:
    """Of a folder that a batch writes to, what its last commit names, in that order; of others all."""
    from engine.runtime.shards.committed import last_commit

    commit = last_commit(folder, storage)
    if commit is None:
        # parts of a run that isn't committed yet
        begun = storage.kind(inside(folder, STATE)) == "folder"
        return [item for item in files if not (begun and _PART.match(item.parts[-1]))]
    by_name = {item.parts[-1]: item for item in files}
    odd = [
        file.name
        for file in commit.files
        if file.name not in by_name or _size(by_name[file.name], storage) != file.size
    ]
    if odd:
        raise DataError(
            f"{folder}: gone, or another file than run {commit.run_id} wrote: {listing(odd, 3)};"
            " to write everything anew: sink.mode=replace"
        )
    return [by_name[file.name] for file in commit.files]


def _size(found: Found, storage: Storage) -> int | None:
    if found.file is not None:
        return found.file.size
    now = storage.now(found.address)
    return None if now is None else now[0]


def ending_of(name: str, formats: Mapping[str, object]) -> str:
    """The longest of some endings that a file's name has; empty: none.

    >>> ending_of("rows.CSV.gz", {".csv": "csv", ".csv.gz": "csv", ".gz": "gz"})
    '.csv.gz'
    """
    return max((end for end in formats if name.lower().endswith(end.lower())), key=len, default="")


def endings(formats: Iterable[str]) -> str:
    """Endings of files for a message; that such may be compressed goes without saying."""
    return listing(end for end in formats if not end.endswith(tuple(COMPRESSED)))


def _format_of(address: Address, formats: Mapping[str, str]) -> str:
    name = str(address).rpartition("/")[2]
    found = formats.get(ending_of(name, formats))
    if found is None:
        raise DataError(
            f"{address}: no format has the extension '{Path(name).suffix}'; there are {endings(formats)}"
        )
    return found


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", "."))


def _matches(pattern: Address, storage: Storage) -> Iterator[Found]:
    base, segments = _split(pattern)
    if storage.kind(base) != "folder":
        raise DataError(f"{pattern}: there is no folder {base}")
    named = {segment[:1] for segment in segments}

    def enters(name: str) -> bool:
        return not _is_hidden(name) or name[0] in named

    depth = None if "**" in segments else len(segments)
    for found in storage.walk(base, enters, depth):
        if _match(found.parts, segments):
            yield found


def _split(pattern: Address) -> tuple[Address, Sequence[str]]:
    """The folder in front of the first part with a wildcard, and the parts from there on."""
    if isinstance(pattern, Path):
        parts = pattern.parts
        first = next(i for i, part in enumerate(parts) if _MAGIC.search(part))
        return Path(*parts[:first]), parts[first:]
    parts = tuple(pattern.split("/"))
    wild = [i for i, part in enumerate(parts) if _MAGIC.search(part)]
    if wild[0] < 3:
        raise DataError(f"{pattern}: the name of a bucket can't be a pattern")
    return "/".join(parts[: wild[0]]), parts[wild[0] :]


def _match(parts: Sequence[str], segments: Sequence[str]) -> bool:
    if not segments or not parts:
        return not parts and all(segment == "**" for segment in segments)
    first, rest = segments[0], segments[1:]
    if first == "**":
        # at the end it stands for files, too
        goes_on = not _is_hidden(parts[0]) and _match(parts[1:], segments)
        return _match(parts, rest) or goes_on
    if _is_hidden(parts[0]) and first[:1] != parts[0][:1]:
        return False
    return fnmatchcase(parts[0], first) and _match(parts[1:], rest)


def _hint(pattern: Address, storage: Storage) -> str:
    base, _ = _split(pattern)
    names = [found.parts[-1] for found in storage.walk(base, lambda name: False, 1)]
    if not names:
        return f"{base} holds no files; ** looks into its folders"
    return f"{base} holds {listing(names, 3)}"
