"""What of a folder of parts is output: the files that its last commit names."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import msgspec

from engine.errors import DataError, listing
from engine.runtime.io.address import inside
from engine.runtime.io.files import reading
from engine.runtime.io.sink import STATE
from engine.runtime.io.storage import DISK, Storage
from engine.runtime.shards.plan import Commit, read_commit
from engine.source import Address


def committed_files(path: str | PathLike[str]) -> tuple[Path, ...]:
    """The files of a batch's output, in the order of their rows: all of it as of the last commit.

    Whoever lists the folder instead may see, while a run is being committed or after one was interrupted,
    files of two runs.

    Parameters
    ----------
    path : path-like
        The folder that a batch writes to.

    Returns
    -------
    tuple of Path
        Empty: no run was committed there yet.

    Raises
    ------
    DataError
        A file of the output is gone or has another size, or the commit can't be read.

    Examples
    --------
    >>> import tempfile
    >>> committed_files(tempfile.mkdtemp())
    ()
    """
    folder = Path(path)
    commit = last_commit(folder)
    if commit is None:
        return ()
    files = [folder / file.name for file in commit.files]
    odd = [
        file.name
        for file, known in zip(files, commit.files, strict=True)
        if not file.is_file() or file.stat().st_size != known.size
    ]
    if odd:
        raise DataError(
            f"{folder}: gone, or another file than run {commit.run_id} wrote: {listing(odd, 3)};"
            " to write everything anew: sink.mode=replace"
        )
    return tuple(files)


def last_commit(folder: Address, storage: Storage = DISK) -> Commit | None:
    """The commit that says what a folder's output is; None: there is none.

    Raises
    ------
    DataError
    """
    commits = inside(inside(folder, STATE), "commits")
    if storage.kind(commits) != "folder":
        return None
    names = [found.parts[-1] for found in storage.walk(commits, lambda name: False, 1)]
    highest = max((name for name in names if not name.startswith("_")), default=None)
    if highest is None:
        return None
    file = inside(commits, highest)
    with reading(file), storage.open(file) as handle:
        data = handle.read()
    try:
        return read_commit(data)
    except msgspec.MsgspecError as error:
        raise DataError(f"{file}: can't be read as a batch's commit: {error}") from None
