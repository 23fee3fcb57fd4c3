"""A source cut into shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from engine.runtime.groups import group_starts
from engine.runtime.io.piece import Piece, total
from engine.runtime.shards.plan import Shard, piece_bytes
from engine.schema import Input
from engine.source import PiecedSource

SHARD_ROWS = 1 << 20
"""Rows of a shard, unless the config says otherwise."""
_ROW_BYTES = 64
"""What a row of text is taken to have where nobody knows how many rows there are."""
_BATCH_ROWS = 1 << 17


def cut(pieces: Sequence[Piece], shard_rows: int) -> tuple[Shard, ...]:
    """Pieces packed into shards, in order, each about as large as asked.

    Parameters
    ----------
    pieces : sequence of Piece
    shard_rows : int
        A shard has more only where one piece has; where rows aren't known, 64 bytes are taken for one.
    """
    shards: list[list[Piece]] = [[]]
    weight = 0
    for piece in pieces:
        own = piece.rows if piece.rows is not None else piece_bytes(piece) // _ROW_BYTES
        if shards[-1] and weight + own > shard_rows:
            shards.append([])
            weight = 0
        shards[-1].append(piece)
        weight += own
    return tuple(_shard(index, found) for index, found in enumerate(shards) if found)


def cut_between_groups(
    source: PiecedSource, pieces: Sequence[Piece], inputs: Sequence[Input], shard_rows: int
) -> tuple[Shard, ...]:
    """Pieces packed into shards that end where a group of each of these inputs ends.

    The columns of the groups are read for it. A piece is cut only if it can be read from its middle.

    Raises
    ------
    DataError
        A group comes again after another.
    """
    shards: list[list[Piece]] = [[]]
    weight = 0
    known: list[tuple[Piece, int, list[int]]] = _with_starts(source, pieces, inputs)
    for piece, rows, starts in known:
        done = 0
        places = starts if piece.of == "groups" else [start for start in starts if start == 0]
        for start in places:
            if start + weight - done >= shard_rows and (shards[-1] or start > done):
                if start > done:
                    shards[-1].append(_part(piece, done, start))
                shards.append([])
                weight, done = 0, start
        if rows > done or not rows:
            shards[-1].append(_part(piece, done, rows))
            weight += rows - done
    return tuple(_shard(index, found) for index, found in enumerate(shards) if found)


def _with_starts(
    source: PiecedSource, pieces: Sequence[Piece], inputs: Sequence[Input]
) -> list[tuple[Piece, int, list[int]]]:
    """Each piece with how many rows it has, and those of them at which a group begins."""
    names = [item.name for item in inputs]
    whole = source.part(pieces)
    found: list[tuple[Piece, int, list[int]]] = []
    starts = group_starts(inputs, whole, whole.batches(names, _BATCH_ROWS, names))
    begun = list(starts)
    place = 0
    first = 0
    for piece, rows in zip(pieces, whole.counts(), strict=True):
        here = []
        while place < len(begun) and begun[place] < first + rows:
            here.append(begun[place] - first)
            place += 1
        found.append((piece, rows, here))
        first += rows
    return found


def _part(piece: Piece, start: int, stop: int) -> Piece:
    if piece.of != "groups" or (start, stop) == (0, piece.rows):
        return piece
    return msgspec.structs.replace(piece, skip=start, take=stop - start)


def _shard(index: int, pieces: Sequence[Piece]) -> Shard:
    joined = tuple(_joined(pieces))
    return Shard(index, joined, total(joined))


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The same, with neighbours in a file made one."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and _follows(last, piece):
            rows = None if last.rows is None or piece.rows is None else last.rows + piece.rows
            last = msgspec.structs.replace(last, stop=piece.stop, rows=rows)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _follows(last: Piece, piece: Piece) -> bool:
    return (
        not last.is_cut
        and not piece.is_cut
        and last.file == piece.file
        and last.of == piece.of != "file"
        and last.stop == piece.start
    )
