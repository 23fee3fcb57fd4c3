"""Checks of a source that can be read in pieces: they hold every row once, and parts of it are those rows."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from engine.errors import DataError, listing
from engine.runtime.io.piece import InputChanged, Piece
from engine.source import PiecedSource
from engine.testing.outcome import CheckFailedError, NotCheckedError, described, running
from engine.testing.rows import difference
from engine.testing.sources.bench import SourceBench, read, same

_REMEDY = "pieces() holds every row once, in order, and part() gives those of the pieces that it is given"


def pieces(bench: SourceBench) -> None:
    """Every row is in one piece, and a piece is the same once it was JSON."""
    source = _pieced(bench)
    if source is None:
        return
    whole, found = bench.whole, _pieces(source)
    again = msgspec.json.decode(msgspec.json.encode(found), type=tuple[Piece, ...])
    if again != found:
        raise CheckFailedError("pieces() gives pieces that aren't the same once they were JSON")
    how = "read piece by piece"
    tables = [_read(bench, [piece], how) for piece in again]
    for piece, table in zip(found, tables, strict=True):
        if piece.count not in (None, table.num_rows):
            raise CheckFailedError(
                f"a piece says that it has {piece.count:,} rows, and has {table.num_rows:,}: {piece}; give "
                "None where reading alone can tell"
            )
    same(_joined(tables, whole), whole, how, _REMEDY)


def part(bench: SourceBench) -> None:
    """A part is the rows of its pieces, in the order in which they are given, each with its place."""
    source = _pieced(bench)
    if source is None:
        return
    whole, found = bench.whole, _pieces(source)
    alone = [_read(bench, [piece], "read piece by piece") for piece in found]
    if difference(_joined(alone, whole), whole) is not None:
        raise NotCheckedError("see 'pieces'")
    plugin = bench.bound(bench.full.section)
    with running("read as one part, by the options and the pieces alone", _REMEDY):
        opened = plugin.part(found)
        table = read(opened)
        places = [opened.locate(row) for row in range(table.num_rows)]
        counts = opened.counts()
    same(table, whole, "read as one part", _REMEDY)
    if sum(counts) != whole.num_rows or len(counts) != len(found):
        raise CheckFailedError(
            f"counts() of a part that was read gives {counts}; give the rows of each of its pieces, "
            f"of which there are {len(found)}"
        )
    twice = {place for place in places if places.count(place) > 1} if len(places) <= 1000 else set()
    if twice and all(piece.first is not None for piece in found):
        raise CheckFailedError(f"locate() gives {next(iter(twice))!r} for several rows; give each its own")
    backwards = _joined(alone[::-1], whole)
    same(_read(bench, found[::-1], "read backwards"), backwards, "read backwards", _REMEDY)
    for piece, table in zip(found, alone, strict=True):
        if piece.rows is not None and piece.rows > 1:
            half = piece.rows // 2
            halves = [replace(piece, take=half), replace(piece, skip=half)]
            how = f"read as the first {half:,} rows of a piece and the others"
            same(_read(bench, halves, how), table, how, "mind 'skip' and 'take'")


def changed(bench: SourceBench) -> None:
    """What was written again since it was cut in pieces is not read."""
    if _pieced(bench) is None:
        return
    place = bench.written("changing", bench.full.rows)
    opened = bench.open(place)
    file = Path(str(place.section["path"]))
    assert isinstance(opened, PiecedSource)
    found = _pieces(opened)
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    how = "given pieces of a file that was written again"
    try:
        read(bench.bound(place.section).part(found), how=how)
    except InputChanged:
        return
    except CheckFailedError as failed:
        if isinstance(failed.__cause__, InputChanged):
            return
        raise
    except DataError as error:
        raise CheckFailedError(f"{how}, it raises {described(error)}; raise InputChanged") from error
    raise CheckFailedError(f"{how}, it reads it all the same; hold it to the size and stamp of the piece")


def _pieced(bench: SourceBench) -> PiecedSource | None:
    """The source; None: it isn't read in pieces, and needn't be."""
    source = bench.source
    if isinstance(source, PiecedSource):
        return source
    if hasattr(source, "pieces"):
        lacking = [name for name in ("part", "identity") if not hasattr(source, name)]
        raise CheckFailedError(f"it has pieces(), and lacks {listing(lacking)}: see PiecedSource")
    return None


def _pieces(source: PiecedSource) -> tuple[Piece, ...]:
    with running("asked for its pieces", "pieces() gives a tuple of Piece"):
        found = source.pieces()
    if not isinstance(found, tuple) or not all(isinstance(piece, Piece) for piece in found):
        raise CheckFailedError(f"pieces() gives {found!r}; it must be a tuple of Piece")
    return found


def _read(bench: SourceBench, some: list[Piece] | tuple[Piece, ...], how: str) -> pa.Table:
    with running(how, _REMEDY):
        opened = bench.bound(bench.full.section).part(some)
    return read(opened, how=how)


def _joined(tables: list[pa.Table], whole: pa.Table) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive") if tables else whole.slice(0, 0)
