"""Emitted source to a compiled function, kept on disk.

A source lies in a file named by the hash of all that can change what it computes; numba keeps its object
code beside it. numba itself does not notice when a function that a kernel calls changes in another file,
so the hash covers those files' text.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from engine.jit.folder import cache_folder

Kernel = Callable[[int, int, int, int, int, int], None]
"""``kernel(rows, columns, outputs, numbers, integers, scratch)``: a row count and five addresses."""

_CALLED = (
    "jit/functions.py",
    "jit/lowlevel.py",
    "jit/bitmap.py",
    "expr/calendar.py",
    "expr/called.py",
    "expr/libm.py",
    "expr/single.py",
    "values.py",
)


def why_not() -> str:
    """Why nothing can be compiled here; empty: it can."""
    try:
        import numba
    except ImportError as error:
        return f"numba can't be imported: {error}"
    return "NUMBA_DISABLE_JIT is set" if numba.config.DISABLE_JIT else ""


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


def kernel_name(source: str) -> str:
    """The name of an emitted source: the same for the same answers, on this set of packages."""
    return "kernel_" + hashlib.sha256((_salt() + source).encode()).hexdigest()[:24]


class _Loaded:
    """The kernels of this process; one at a time is compiled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kernels: dict[str, Kernel] = {}


@cache
def _loaded() -> _Loaded:
    return _Loaded()


def compile_kernel(source: str) -> Kernel:
    """Compile an emitted source, or load it if this was done before. Safe to call from several threads.

    Parameters
    ----------
    source : str
        A module that defines ``kernel``.
    """
    name = kernel_name(source)
    loaded = _loaded()
    with loaded.lock:
        if name not in loaded.kernels:
            path = _stored(name, source)
            with _beside(path):
                try:
                    kernel = _compile(name, source, path)
                except Exception:
                    # a file that was cut short; a fault of the source itself shows again
                    _forget(path)
                    kernel = _compile(name, source, path)
            loaded.kernels[name] = kernel
        return loaded.kernels[name]


def _stored(name: str, source: str) -> Path:
    folder = cache_folder("kernels")
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


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Have numba keep its object code in this cache, wherever ``NUMBA_CACHE_DIR`` points."""
    import numba

    folder, before = cache_folder("kernels", "objects"), numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        # numba makes a folder of its own in there, named after the source's place
        for found in folder.iterdir():
            cache_folder("kernels", "objects", found.name)
        yield
    finally:
        numba.config.CACHE_DIR = before


def _forget(path: Path) -> None:
    for found in cache_folder("kernels", "objects").rglob(f"{path.stem}.*"):
        found.unlink(missing_ok=True)


def _compile(name: str, source: str, path: Path) -> Kernel:
    import numba

    from engine.jit.target import lower_numba

    lower_numba()
    module = ModuleType(f"engine_kernels.{name}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # numba looks the module up while it loads its cache
    # the text itself, not a .pyc that may lie beside it
    exec(compile(source, str(path), "exec"), module.__dict__)
    signature = numba.void(*[numba.int64] * 6)
    jit = numba.njit(signature, nogil=True, cache=True, error_model="numpy")
    kernel: Kernel = jit(module.__dict__["kernel"])
    return kernel
