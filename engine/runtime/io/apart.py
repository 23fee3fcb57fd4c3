"""Source, sink and rejects stand apart: none of them is, holds or lies in another."""

from __future__ import annotations

import os
from pathlib import Path, PurePath, PurePosixPath

from engine.errors import DataError
from engine.runtime.io.address import is_url
from engine.source import Address, Source


def check_apart(source: Source, sink: Address, rejects: Address) -> None:
    """Refuse places of which one would overwrite, or be read as, another. Links are followed.

    Parameters
    ----------
    source : Source
    sink : Path or str
        The file or folder of answers; text that is no URL: something that is no file.
    rejects : Path or str
        The file of rejected rows.

    Raises
    ------
    DataError
    """
    if isinstance(sink, str) and not is_url(sink):
        if sink == source.path:
            raise DataError(f"{sink}: the sink is what the batch reads; write to another place")
        return
    for path, what, remedy in (
        (sink, "the sink", "write to another path"),
        (rejects, "the file of rejects", "set rejects.path to another path"),
    ):
        real = _real(path)
        for read in (source.path, *source.files()):
            if is_url(read) != is_url(path) or not (is_url(read) or isinstance(read, Path)):
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
    if is_url(sink) != is_url(rejects):
        return
    out, refused = _real(sink), _real(rejects)
    if out == refused:
        raise DataError(f"{rejects}: the file of rejects is the sink; set rejects.path to another path")
    if refused.is_relative_to(out):
        raise DataError(
            f"{rejects}: the file of rejects lies in the sink, {sink}, which holds answers alone; "
            "set rejects.path to another path"
        )


def _real(path: Address) -> PurePath:
    return PurePosixPath(str(path)) if is_url(path) else Path(os.path.realpath(path))
