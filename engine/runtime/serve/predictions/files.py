"""Files of the prediction log in their folder: none is ever seen half written.

A file is written as ``.predictions-….part``, which no reader of Parquet takes for its own, and renamed when
it is on the disk. Its writer holds a lock on it, so that what a killed worker left can be told from what is
being written, by another server, too.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from engine.failpoint import reach
from engine.runtime.io.durable import sync

_NAME = re.compile(r"predictions-(\d{8}T\d{6})-w(\d+)-(\d+)\.parquet")
_PART = re.compile(r"\.predictions-\d{8}T\d{6}-w\d+-\d+\.part")


class Files:
    """The files of one worker.

    Parameters
    ----------
    folder : Path
    worker : int
    keep : int or None
        Finished files, of all workers, that are kept.
    """

    def __init__(self, folder: Path, worker: int, keep: int | None = None) -> None:
        self.folder = folder
        self._worker = worker
        self._keep = keep
        self._number = 0

    def write(self, table: pa.Table, micros: int) -> Path:
        """Write one file, and remove those that are too many.

        Parameters
        ----------
        table : pyarrow.Table
        micros : int
            The time it is named by, µs since 1970.

        Raises
        ------
        OSError
            It can't be written; nothing of it is left.
        """
        content = _encoded(table)
        self.folder.mkdir(parents=True, exist_ok=True)
        part, final, handle = self._reserve(micros)
        try:
            _write_all(handle, memoryview(content))
            os.fsync(handle)
            reach("predictions.written")
            part.rename(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        sync(self.folder)
        self._prune()
        return final

    def remove_leftovers(self) -> int:
        """Remove what killed workers left, which can't be read; how many files they were.

        Raises
        ------
        OSError
        """
        removed = 0
        for path in _named(self.folder, _PART):
            try:
                handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            except FileNotFoundError:
                continue  # it has its name by now
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # it is being written
                continue
            else:
                if _is_still(path, handle):
                    path.unlink(missing_ok=True)
                    removed += 1
            finally:
                os.close(handle)
        return removed

    def _reserve(self, micros: int) -> tuple[Path, Path, int]:
        """A name that nobody has: its part, created and locked, the file it becomes, the part's handle."""
        moment = datetime.fromtimestamp(micros // 1_000_000, UTC).strftime("%Y%m%dT%H%M%S")
        while True:
            # never again from 0: names that were removed would come back, and be taken for the oldest
            name = f"predictions-{moment}-w{self._worker}-{self._number}"
            part, final = self.folder / f".{name}.part", self.folder / f"{name}.parquet"
            self._number += 1
            try:
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            except FileExistsError:
                continue
            try:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # between the two steps somebody may have taken it for a leftover
                mine = _is_still(part, handle)
                if mine and not final.exists():
                    return part, final, handle
                if mine:
                    part.unlink()
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def _prune(self) -> None:
        if self._keep is None:
            return
        # names of one second differ in their number, of which 10 comes after 9
        found = sorted(_named(self.folder, _NAME), key=_age)
        for path in found[: -self._keep]:
            path.unlink(missing_ok=True)


def _encoded(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    coded = [field.name for field in table.schema if not pt.is_floating(field.type)]
    pq.write_table(
        table,
        sink,
        row_group_size=max(table.num_rows, 1),
        compression="zstd",
        use_dictionary=coded,
        write_page_checksum=True,
    )
    return sink.getvalue()


def _write_all(handle: int, content: memoryview) -> None:
    while content:
        content = content[os.write(handle, content) :]


def _is_still(path: Path, handle: int) -> bool:
    """Whether an open file has this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _named(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    return (path for path in list(folder.iterdir()) if pattern.fullmatch(path.name))


def _age(path: Path) -> tuple[str, int, int]:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    moment, worker, number = match.groups()
    return moment, int(number), int(worker)
