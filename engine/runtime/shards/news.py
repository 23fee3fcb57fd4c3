"""Files that no committed run of a sink has read."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import DataError
from engine.runtime.io.piece import Piece
from engine.runtime.shards.plan import told
from engine.runtime.shards.sink import RunState
from engine.sink import Sink


def new_pieces(pieces: Sequence[Piece], state: RunState, sink: Sink) -> Sequence[Piece]:
    """The pieces of files that the runs whose output is there haven't read.

    Where such a run was begun and not ended, it comes first: the files that it was planned with, as long as
    they are what they were.

    Raises
    ------
    DataError
        There is an output that nothing may be added to.
    """
    seen = {source for commit in state.commits() for source in commit.sources}
    new = [piece for piece in pieces if told(piece) not in seen]
    if seen and new and sink.mode != "append":
        raise DataError(
            f"{sink.path}: earlier runs' output is there; to add the new files': sink.mode=append"
        )
    now = {told(piece) for piece in new}
    for run_id in state.unfinished():
        plan = state.plan(run_id)
        planned = {told(piece) for shard in plan.shards for piece in shard.pieces} if plan else set()
        if planned and planned <= now:
            return [piece for piece in new if told(piece) in planned]
    return new
