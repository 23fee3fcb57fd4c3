"""Checks of what a source says of itself: columns, rows, files, places, and what is not there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from engine.decode.arrow import family, is_text
from engine.errors import ConfigError, DataError, listing
from engine.testing.outcome import CheckFailedError, NotCheckedError, described, running
from engine.testing.sources.bench import READ, SourceBench


def opens(bench: SourceBench) -> None:
    """It can be opened with what is given, and says what it is."""
    if bench.lacking:
        raise CheckFailedError(f"there is nothing to read; give {bench.lacking}")
    if bench.refusal is not None:
        raise CheckFailedError(bench.refusal)


def schema(bench: SourceBench) -> None:
    """Batches have the columns of the schema, of the same families of types."""
    source = bench.source
    names = source.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NotCheckedError(f"these columns are there twice: {listing(twice)}")
    with running("read", READ):
        batches = list(source.batches(None, 100))
    for batch in batches:
        if batch.schema.names != names:
            raise CheckFailedError(
                f"its schema has the columns {listing(names)}, a batch has {listing(batch.schema.names)}; "
                "make both the same"
            )
        for field in batch.schema:
            told = source.schema.field(field.name).type
            if source.text and not (is_text(field.type) or _is_raw(field.type) or pt.is_null(field.type)):
                raise CheckFailedError(
                    f"it says that all is text to be parsed, and the column {field.name!r} is {field.type}; "
                    "say text = False, or give text"
                )
            if not _goes_as(field.type, told, source.text):
                raise CheckFailedError(
                    f"the column {field.name!r} is {told} in its schema and {field.type} in a batch; "
                    "make both the same"
                )


def _goes_as(found: pa.DataType, told: pa.DataType, text: bool) -> bool:
    """Whether a batch may have this type; what is no UTF-8 may come as bytes from a source of text."""
    raw = text and _is_raw(found)
    return bool(pt.is_null(found) or family(found) == family(told) or (raw and is_text(told)))


def _is_raw(found: pa.DataType) -> bool:
    return bool(pt.is_binary(found) or pt.is_large_binary(found))


def row_count(bench: SourceBench) -> None:
    """``rows`` is how many rows there are, or None."""
    told, there = bench.source.rows, bench.full.rows.num_rows
    if told is not None and told != there:
        raise CheckFailedError(
            f"it says that there are {told:,} rows, and there are {there:,}; give None where reading alone "
            "can tell"
        )


def place(bench: SourceBench) -> None:
    """Every row that was read has a place of its own, while others are still being read and after."""
    source = bench.source
    during: list[str] = []
    with running("read, and asked where rows lie", "place() must name a place for every row that was read"):
        for batch in source.batches(None, 7):
            during += [source.place(row) for row in range(len(during), len(during) + batch.num_rows)]
        after = [source.place(row) for row in range(len(during))]
    if during != after:
        row = next(i for i, (a, b) in enumerate(zip(during, after, strict=True)) if a != b)
        raise CheckFailedError(
            f"row {row} lies at {during[row]!r} while it is read, and at {after[row]!r} when all were; "
            "give a row one place"
        )
    known = [str(source.path), *(str(file) for file in source.files())]
    for row, text in enumerate(after):
        if not isinstance(text, str) or not any(path in text for path in known):
            raise CheckFailedError(
                f"place({row}) gives {text!r}; it must name what was read, one of {listing(known, 3)}"
            )
    if len(set(after)) < len(after):
        again = next(text for text in after if after.count(text) > 1)
        raise CheckFailedError(f"several rows lie at {again!r}; say which row it is: file and position")


def files(bench: SourceBench) -> None:
    """``files()`` are files that are there, and what ``path`` names is among what it says it reads."""
    source = bench.source
    with running("asked for its files", "files() gives a tuple of paths, an empty one where it reads none"):
        found = source.files()
    if not isinstance(found, tuple) or not all(isinstance(file, Path | str) for file in found):
        raise CheckFailedError(f"files() gives {found!r}; it must be a tuple of Path, or of URLs")
    for file in found:
        if isinstance(file, Path) and not file.is_file():
            raise CheckFailedError(f"files() names {file}, which is no file; name those that are read")
    given = bench.usual.get("path")
    real = {os.path.realpath(path) for path in (source.path, *found)}
    if isinstance(given, str) and Path(given).exists() and os.path.realpath(given) not in real:
        raise CheckFailedError(
            f"it reads {given}, and neither its path nor files() say so; a batch could then write its "
            "answers over it"
        )


def nothing_there(bench: SourceBench) -> None:
    """Where nothing is, a `DataError` says so, and names it."""
    bench.need_open()
    for path in (bench.folder / "nothing here.csv", bench.folder / "no folder" / "nothing here.csv"):
        section = bench.stated(path=str(path))
        text = _refusal(bench, section, f"opened on {path}, where nothing is")
        if text is None:
            raise CheckFailedError(
                f"{path} is not there, and it is opened and read all the same; let open() raise DataError"
            )
        if str(path) not in text:
            raise CheckFailedError(f"{path} is not there, and the message doesn't name it: {text}")


def damaged(bench: SourceBench) -> None:
    """A file of something else is a `DataError` that names it, or is read; never another exception."""
    bench.need_open()
    given = Path(str(bench.usual["path"]))
    if not given.is_file():
        raise NotCheckedError("it reads no single file")
    whole = given.read_bytes()
    for name, content in (
        ("empty", b""),
        ("of zeros", bytes(100)),
        ("of other bytes", bytes(range(256))),
        ("cut off", whole[: len(whole) * 2 // 3]),
    ):
        path = bench.path(f"file {name}")
        path.write_bytes(content)
        text = _refusal(bench, bench.stated(path=str(path)), f"given a file {name}")
        if text is not None and str(path) not in text:
            raise CheckFailedError(f"given a file {name}, the message doesn't name it: {text}")


def _refusal(bench: SourceBench, section: Mapping[str, Any], how: str) -> str | None:
    """What is said of a place; None: it was opened and read."""
    try:
        for _ in bench.bound(section).open().batches(None, 1000):
            pass
    except ConfigError as error:
        raise CheckFailedError(f"{how}, it is a mistake in the config: {error}; raise DataError") from error
    except DataError as error:
        return str(error)
    except Exception as error:
        raise CheckFailedError(
            f"{how}, it raises {described(error)}; raise engine.errors.DataError, with the path and what to "
            "do (engine.runtime.io.files.reading turns what Arrow and the system raise into one)"
        ) from error
    return None
