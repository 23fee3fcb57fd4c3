"""A folder on a disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.failpoint import reach
from engine.runtime.io.durable import sync
from engine.runtime.io.files import reading, writing
from engine.runtime.store import BusyError


class DiskStore:
    """Files below a folder, which is made when something is written.

    Parameters
    ----------
    root : Path

    Examples
    --------
    >>> import tempfile
    >>> store = DiskStore(Path(tempfile.mkdtemp()))
    >>> store.create("a/b.json", b"{}"), store.create("a/b.json", b"[]"), store.read("a/b.json")
    (True, False, b'{}')
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def shown(self, name: str) -> str:
        return str(self.root / name)

    def create(self, name: str, data: bytes) -> bool:
        path = self.root / name
        beside = path.with_name(f"_{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        with writing(path):
            self._make_folder(path.parent)
            try:
                beside.write_bytes(data)
                sync(beside)
                reach("store.linking")
                made = _link(beside, path)
            finally:
                beside.unlink(missing_ok=True)
            sync(path.parent)
        return made

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        beside = path.with_name(f"_{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        with writing(path):
            self._make_folder(path.parent)
            try:
                beside.write_bytes(data)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        with reading(path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read_all(self, folder: str) -> dict[str, bytes]:
        found = {}
        for name in self.names(folder):
            if not name.startswith("_") and not (self.root / folder / name).is_dir():
                data = self.read(str(Path(folder, name)))
                if data is not None:
                    found[name] = data
        return found

    def names(self, folder: str = "") -> Sequence[str]:
        path = self.root / folder
        with reading(path):
            try:
                return sorted(item.name for item in path.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def size(self, name: str) -> int | None:
        with reading(self.root / name):
            try:
                return (self.root / name).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def holds(self, name: str, size: int, digest: str) -> bool:
        if self.size(name) != size:
            return False
        path = self.root / name
        with reading(path), path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    @contextmanager
    def scratch(self, name: str) -> Iterator[_Scratch]:
        scratch = _Scratch(self.root / name)
        with writing(scratch.path):
            self._make_folder(scratch.path.parent)
        try:
            yield scratch
        finally:
            if not scratch.kept:
                scratch.path.unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        yield self.root / name

    def publish(self, name: str, target: str) -> None:
        path = self.root / target
        with writing(path):
            self._make_folder(path.parent)
            _link(self.root / name, path)
            sync(path.parent)

    def rename(self, name: str, target: str) -> None:
        path = self.root / target
        with writing(path):
            self._make_folder(path.parent)
            try:
                (self.root / name).replace(path)
            except FileNotFoundError:
                if not path.exists():
                    raise
            sync(path.parent)

    def remove(self, name: str) -> None:
        path = self.root / name
        with writing(path):
            while path.is_dir() and not path.is_symlink():
                try:
                    shutil.rmtree(path)
                except FileNotFoundError:  # another removes it, too
                    continue
            with suppress(NotADirectoryError):
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        path = self.root / name
        handle = self._locked(path)
        try:
            yield True
        finally:
            with suppress(OSError):  # what holds something stays
                path.unlink()
                for folder in path.parents[: len(path.relative_to(self.root).parts) - 1]:
                    folder.rmdir()
            os.close(handle)

    def _locked(self, path: Path) -> int:
        while True:
            with writing(path):
                self._make_folder(path.parent)
                try:
                    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                except FileNotFoundError:
                    continue  # who held it removed the folder
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _is_same(handle, path):
                        return handle
                    os.close(handle)  # who held it removed it meanwhile
                except BlockingIOError:
                    os.close(handle)
                    raise BusyError from None

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)


class _Scratch:
    """A file under its own name, which nobody knows of yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = False

    def keep(self) -> None:
        with writing(self.path):
            sync(self.path)
            sync(self.path.parent)
        self.kept = True


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _link(path: Path, target: Path) -> bool:
    """Give a file a second name, unless it is taken; whether it was given."""
    try:
        target.hardlink_to(path)
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise
    except OSError:
        return _claim(path, target)
    return True


def _claim(path: Path, target: Path) -> bool:
    """As `_link` where a file system has no links: to create the name, empty for a moment, decides."""
    beside = target.with_name(f"_{target.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        shutil.copyfile(path, beside)
        sync(beside)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        beside.replace(target)
    except FileExistsError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True
