"""Emitted source to a compiled function, kept on disk.

A source lies in a file named by the hash of all that can change what it computes; numba keeps its object
code beside it. numba itself does not notice when a function that a kernel calls changes in another file,
so the hash covers those files' text.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

Kernel = Callable[[int, int, int, int, int, int], None]
"""``kernel(rows, columns, outputs, numbers, integers, scratch)``: a row count and five addresses."""

_CALLED = ("jit/functions.py", "jit/lowlevel.py", "expr/calendar.py", "expr/libm.py", "values.py")


@cache
def _salt() -> str:
    """A digest of everything besides its own source that decides what a kernel computes."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for name in _CALLED:
        digest.update((root / name).read_bytes())
    for package in ("numba", "llvmlite"):
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    digest.update(sys.version.encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """The folder of compiled kernels and self-checks: ``ENGINE_CACHE_DIR``, else in the user's cache folder.

    It is made readable by its owner only. Where it can't be made, or belongs to somebody else, a
    temporary folder serves this process alone.
    """
    chosen = os.environ.get("ENGINE_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(chosen) if chosen else Path(base) / "inference-engine"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.stat()
        if info.st_uid == os.getuid() and os.access(folder, os.W_OK):
            if stat.S_IMODE(info.st_mode) & 0o077:
                folder.chmod(0o700)
            return folder
    except OSError:
        pass
    return _private_folder()


@cache
def _private_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="inference-engine-"))


def kernel_name(source: str) -> str:
    """The name of an emitted source: the same for the same answers, on this set of packages."""
    return "kernel_" + hashlib.sha256((_salt() + source).encode()).hexdigest()[:24]


def compile_kernel(source: str) -> Kernel:
    """Compile an emitted source, or load it if this was done before.

    Parameters
    ----------
    source : str
        A module that defines ``kernel``.
    """
    name = kernel_name(source)
    module = sys.modules.get(f"engine_kernels.{name}") or _import(name, _stored(name, source))
    return module.compiled  # type: ignore[no-any-return]


def _stored(name: str, source: str) -> Path:
    folder = cache_folder() / "kernels"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.py"
    if not path.is_file() or path.read_text() != source:
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(source)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    return path


def _import(name: str, path: Path) -> Any:
    import numba

    from engine.jit.target import lower_numba

    lower_numba()
    full = f"engine_kernels.{name}"
    spec = importlib.util.spec_from_file_location(full, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module  # numba looks the module up while it loads its cache
    try:
        spec.loader.exec_module(module)
        signature = numba.void(*[numba.int64] * 6)
        jit = numba.njit(signature, nogil=True, cache=True, error_model="numpy")
        module.compiled = jit(module.kernel)  # type: ignore[attr-defined]
    except BaseException:
        sys.modules.pop(full, None)
        raise
    return module
