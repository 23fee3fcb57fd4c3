"""What makes a run itself and no other, and what changed where it isn't."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import listing
from engine.runtime.io.piece import Piece
from engine.runtime.rejects import Rejects
from engine.runtime.shards.job import BatchPipeline
from engine.runtime.shards.plan import Commit, Plan
from engine.sink import Mode
from engine.source import PiecedSource, Source

_SHOWN = 5


def identify(
    pipeline: BatchPipeline,
    source: Source,
    pieces: Sequence[Piece],
    sink: Mapping[str, Any],
    rejects: Rejects,
    shard_rows: int,
) -> tuple[dict[str, Any], bool]:
    """What a run's id is the hash of, and whether it can be resumed: what is read can be read again.

    Not who runs it, nor with how many workers.
    """
    files = _files(source, pieces)
    return {
        "pipeline": pipeline.version,
        "source": str(source.path) if files else f"{source.path} {uuid.uuid4().hex}",
        "reading": dict(source.identity) if isinstance(source, PiecedSource) else {},
        "files": files,
        "sink": dict(sink),
        "rejects": {"path": rejects.path, "max": rejects.max},
        "shard_rows": shard_rows,
    }, bool(files)


def of_this_sink(
    identity: dict[str, Any], commits: Sequence[Commit], mode: Mode
) -> tuple[dict[str, Any], str]:
    """A run's identity and id, given what is at its sink.

    To replace an output that this very run is only a part of, it has to be made once more, under another id.
    """
    if mode == "replace":
        same = [commit for commit in commits if {**commit.identity, "again": 0} == {**identity, "again": 0}]
        if same and len(commits) == 1:
            return dict(same[0].identity), same[0].run_id
        if same:
            identity = {**identity, "again": commits[-1].number}
    return identity, run_id(identity)


def run_id(identity: Mapping[str, Any]) -> str:
    """12 hex digits."""
    return hashlib.sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()[:12]


def _files(source: Source, pieces: Sequence[Piece]) -> list[list[str]]:
    if pieces:
        found = ((piece.file, str(piece.size), piece.stamp) for piece in pieces)
    else:
        paths = [Path(file) for file in source.files()]
        found = ((str(p.absolute()), str(p.stat().st_size), str(p.stat().st_mtime_ns)) for p in paths)
    return [list(each) for each in dict.fromkeys(found)]


def changes(old: Plan, new: Mapping[str, Any]) -> list[str]:
    """What differs between a run that was begun and another, a line each."""
    was = old.identity
    lines = []
    if was["pipeline"] != new["pipeline"]:
        lines.append(f"the pipeline: version {was['pipeline']}, now {new['pipeline']}")
    lines += _file_changes(was["files"], new["files"])
    for key, name in (("reading", "how the source is read"), ("sink", "the sink")):
        if was[key] != new[key]:
            keys = sorted(k for k in {*was[key], *new[key]} if was[key].get(k) != new[key].get(k))
            lines += [f"{name}: {k} was {was[key].get(k)!r}, now {new[key].get(k)!r}" for k in keys]
    for key in ("path", "max"):
        if was["rejects"][key] != new["rejects"][key]:
            lines.append(f"rejects.{key}: was {was['rejects'][key]!r}, now {new['rejects'][key]!r}")
    if was["shard_rows"] != new["shard_rows"]:
        lines.append(f"executor.shard_rows: was {was['shard_rows']}, now {new['shard_rows']}")
    if not lines and was["source"] != new["source"]:
        lines.append(f"the source: was {was['source']}, now {new['source']}")
    return lines


def _file_changes(was: Sequence[Sequence[str]], now: Sequence[Sequence[str]]) -> list[str]:
    before, after = ({file: tuple(rest) for file, *rest in each} for each in (was, now))
    lines = []
    for what, names in (
        ("changed", [file for file in after if file in before and after[file] != before[file]]),
        ("new", [file for file in after if file not in before]),
        ("gone", [file for file in before if file not in after]),
    ):
        if names:
            lines.append(f"files of the source: {what}: {listing(names, _SHOWN)}")
    return lines
