"""The folder of what is compiled once and used again. It holds code, so it is the user's alone."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder of the cache: in ``ENGINE_CACHE_DIR``, else in the user's own cache folder.

    It and what lies above it within the cache belong to the user and are writable by nobody else; they are
    made so. A folder that others could write to may hold code of theirs: it is not used, nor is one behind a
    link. A temporary folder then serves this process alone.

    Parameters
    ----------
    *parts : str
        Folders within the cache, such as ``kernels``.
    """
    folder = _chosen()
    if folder is not None and _own(folder):
        for part in parts:
            folder = folder / part
            if not _own(folder):
                break
        else:
            return folder
    private = _private_folder().joinpath(*parts)
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    return private


def _chosen() -> Path | None:
    named = os.environ.get("ENGINE_CACHE_DIR")
    if named:
        return Path(named)
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home, as in some containers
        return None
    return base / "inference-engine"


def _own(folder: Path) -> bool:
    """Whether a folder is, or now is made, the user's alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
            return False
        if stat.S_IMODE(info.st_mode) & 0o022 or not os.access(folder, os.W_OK):
            return False
        if stat.S_IMODE(info.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError:
        return False
    return True


@cache
def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="inference-engine-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
