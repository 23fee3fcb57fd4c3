"""Source, sink and rejects stand apart: none of them is, holds or lies in another."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import DataError
from engine.source import Source


def check_apart(source: Source, sink: Path | str, rejects: Path) -> None:
    """Refuse places of which one would overwrite, or be read as, another. Links are followed.

    Parameters
    ----------
    source : Source
    sink : Path or str
        The file or folder of answers; text: what is no file can only be the very thing that is read.
    rejects : Path
        The file of rejected rows.

    Raises
    ------
    DataError
    """
    if isinstance(sink, str):
        if sink == source.path:
            raise DataError(f"{sink}: the sink is what the batch reads; write to another place")
        return
    for path, what, remedy in (
        (sink, "the sink", "write to another path"),
        (rejects, "the file of rejects", "set rejects.path to another path"),
    ):
        real = _real(path)
        for read in (source.path, *source.files()):
            if not isinstance(read, Path):
                continue
            if real == _real(read):
                raise DataError(f"{path}: {what} is what the batch reads; {remedy}")
            if _real(read).is_relative_to(real):
                raise DataError(
                    f"{path}: {what} is a folder that holds what the batch reads, {read}; {remedy}"
                )
            if real.is_relative_to(_real(read)):
                raise DataError(
                    f"{path}: {what} lies in the folder that the batch reads, {read}, so that the next run "
                    f"would read it, too; {remedy}"
                )
    out, refused = _real(sink), _real(rejects)
    if out == refused:
        raise DataError(f"{rejects}: the file of rejects is the sink; set rejects.path to another path")
    if refused.is_relative_to(out):
        raise DataError(
            f"{rejects}: the file of rejects lies in the sink, {sink}, which holds answers alone; "
            "set rejects.path to another path"
        )


def _real(path: Path | str) -> Path:
    return Path(os.path.realpath(path))
