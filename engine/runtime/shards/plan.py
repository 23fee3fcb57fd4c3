"""What a run of shards is, as it lies beside the output: the plan, receipts and commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.runtime.io.piece import Piece
from engine.runtime.shards.spread import Spread

# whoever may write beside an output may write these, too: none of them leads out of its folder
RunId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{12}\Z")]
Try = Annotated[str, Meta(pattern=r"\A(\d{5,}-[0-9a-f]{12})?\Z")]
Whole = Annotated[str, Meta(pattern=r"\A(whole-[0-9a-f]{12}[.\w]*)?\Z")]


class Shard(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rows that are scored together, and written or not written together.

    Parameters
    ----------
    index : int
        In the order of the source, from 0.
    pieces : tuple of Piece
        What it reads, one piece of a file at most; none: all of a source that can't be read in pieces.
    rows : int or None
        How many rows it has, if that is known.
    """

    index: int
    pieces: tuple[Piece, ...] = ()
    rows: int | None = None

    @property
    def size(self) -> int:
        """About how many bytes it reads."""
        return sum(piece_bytes(piece) for piece in self.pieces)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run, before the first row is read. It never changes.

    Parameters
    ----------
    run_id : str
        12 hex digits: the hash of ``identity``.
    identity : dict
        All that makes it this run and no other.
    shards : tuple of Shard
    resumable : bool
        Whether what it reads can be read again.
    after : int
        The number of the last commit when it was begun: where an output was removed, or another took its
        place, the same run is begun again.
    format : int
        Of this file.
    """

    run_id: RunId
    identity: dict[str, Any]
    shards: tuple[Shard, ...]
    resumable: bool = True
    after: int = 0
    format: int = 1


class Sample(msgspec.Struct, frozen=True):
    """One of the first rows that were refused, for a message."""

    where: str
    column: str
    code: str
    message: str


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a shard was scored and lies at the sink.

    Parameters
    ----------
    shard : int
    rows_in, rows_out, rejected : int
        ``rows_in == rows_out + rejected``.
    read : tuple of int
        The rows of each of the shard's pieces.
    spreads : dict of str to Spread
        How the values of each output column are spread, but for those that are kept.
    samples : tuple of Sample
    attempt : str
        The name of the try that was first: what it wrote is the shard's.
    size : int
        Bytes that it wrote.
    digest : str
        The sha256 of them.
    """

    shard: int
    rows_in: int
    rows_out: int
    rejected: int
    read: tuple[int, ...] = ()
    spreads: dict[str, Spread] = {}
    samples: tuple[Sample, ...] = ()
    attempt: Try = ""
    size: int = 0
    digest: str = ""


class Committed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of an output that readers see.

    Parameters
    ----------
    name : str
        In the folder of the output; for one file, its own.
    rows, size : int
    digest : str
        The sha256 of it; empty: of a file joined of several, nobody computed it.
    """

    name: str
    rows: int
    size: int
    digest: str = ""


class Commit(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a run ended: its output is what readers see.

    Parameters
    ----------
    number : int
        Commits of a sink count from 1; the highest one tells what is there.
    run_id : str
    mode : str
        What the run did to what was there.
    identity : dict
        Of the run.
    files : tuple of Committed
        All files of the output, those of earlier runs that it was appended to as well.
    sources : tuple of str
        The files that were read for them, each as ``path size stamp``, where it is asked for new ones only.
    summary : dict
        What is printed of the run.
    rejects : str
        Where its rejected rows are, as people write it; empty: there are none.
    whole : str
        Of one file: in the folder of the run, what gets the file's name behind the commit.
    """

    number: int
    run_id: RunId
    mode: str
    identity: dict[str, Any]
    files: tuple[Committed, ...]
    sources: tuple[str, ...] = ()
    summary: dict[str, Any] = {}
    rejects: str = ""
    whole: Whole = ""


def ended(plan: Plan, commits: Sequence[Commit]) -> Commit | None:
    """The commit of a run that was begun; None: it is unfinished."""
    mine = (commit for commit in commits if commit.run_id == plan.run_id and commit.number > plan.after)
    return next(mine, None)


def read_commit(data: bytes) -> Commit:
    """A commit of files, as it lies beside them.

    Raises
    ------
    msgspec.MsgspecError
        It is none, or names files outside its folder.
    """
    commit = msgspec.json.decode(data, type=Commit)
    odd = [file.name for file in commit.files if "/" in file.name or file.name in ("", ".", "..")]
    if odd or not commit.files:
        raise msgspec.ValidationError(f"{odd[0]!r} is no file of the folder" if odd else "it has no files")
    return commit


def told(piece: Piece) -> str:
    """The file of a piece as it was, as a commit notes it."""
    return f"{piece.file} {piece.size} {piece.stamp}"


def piece_bytes(piece: Piece) -> int:
    """About how many bytes a piece reads: all of a file, where it says nothing finer."""
    if piece.of == "bytes":
        return (piece.size if piece.stop is None else piece.stop) - piece.start
    return piece.size
