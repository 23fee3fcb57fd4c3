"""Where answers go: one file or a folder of parts, there under their name only when complete."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from engine.errors import DataError, listing
from engine.runtime.io.durable import begin_writing_out, sync
from engine.runtime.io.files import FORMATS, reading, writing
from engine.runtime.io.output import Join, Output, Part
from engine.sink import Mode

if TYPE_CHECKING:
    from engine.runtime.rejects import Rejects
    from engine.runtime.shards.sink import RunState

STATE = "_engine"
"""The folder in which the state of runs lies, beside one file or in a folder of parts."""
PART_ROWS = 1 << 22
"""A folder's parts hold at least so many rows, but for the last."""


def is_part(name: str, extension: str) -> bool:
    """Whether a name is that of a batch's part, in any format: they alone may be replaced."""
    endings = "|".join(map(re.escape, {*FORMATS, extension}))
    return re.fullmatch(rf"part-\d{{5,}}(-[0-9a-f]{{12}})?({endings})(\.gz|\.zst)?", name) is not None


class FileSink:
    """A file (a path with an extension) or a folder of parts (a path without).

    Parameters
    ----------
    path : Path
    extension : str
        Of the files, with the dot.
    part : callable
        ``part(file, schema)`` starts a file.
    check_columns : callable
        Raises `DataError` for columns that the format can't hold.
    mode : {"error", "append", "replace"}
        What happens to what is already there.
    part_rows : int
        Of a folder that is written in one go.
    takes_coded : bool
        Text may come dictionary-encoded.
    join : callable, optional
        ``join(parts, file, schema)``: the rows of several files, in order, in one. Without, one file can't be
        written in shards.
    options : mapping, optional
        What else changes what is written.
    """

    def __init__(
        self,
        path: Path,
        extension: str,
        part: Callable[[Path, pa.Schema], Part],
        check_columns: Callable[[pa.Schema], None],
        mode: Mode = "error",
        part_rows: int = PART_ROWS,
        takes_coded: bool = False,
        join: Join | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self.extension = extension
        self.mode = mode
        self.part = part
        self.check_columns = check_columns
        self.part_rows = part_rows
        self.takes_coded = takes_coded
        self.is_folder = not path.suffix
        self.join = join
        self._options = options

    @property
    def identity(self) -> Mapping[str, Any]:
        """Where it is, and what changes what is written."""
        return {"path": str(self.path.absolute()), "extension": self.extension, **self._options}

    def state(self, rejects: Rejects) -> RunState | None:
        """Its runs; None: one file of a format whose files can't be joined."""
        from engine.runtime.shards.opened import state_of

        output = Output(
            self.extension, self.part, self.check_columns, self.takes_coded, self.join, self._options
        )
        return state_of(self.path, self.is_folder, output, self.mode, rejects, self)

    def check(self) -> None:
        """See, before anything is read, whether the sink can be written.

        Raises
        ------
        DataError
            Something is there already, or is no output that may be replaced.
        """
        path = self.path
        if self.mode == "append" and not self.is_folder:
            raise DataError(
                f"{path}: nothing can be appended to one file; a path without an ending is a folder of parts,"
                " to which runs can be added"
            )
        if self.is_folder and path.is_dir():
            with reading(path):
                items = sorted(path.iterdir())
                items = [item for item in items if item.name != STATE]
                foreign = [
                    item.name for item in items if not (is_part(item.name, self.extension) and item.is_file())
                ]
            if foreign:
                raise DataError(
                    f"{path}: the folder holds more than a batch's parts, and is neither written to nor "
                    f"replaced: {listing(foreign, 3)}"
                )
            if items and self.mode == "error":
                raise DataError(
                    f"{path}: the folder has files in it; to replace them: sink.mode=replace; "
                    "to add to them: sink.mode=append"
                )
        elif path.is_dir():
            raise DataError(f"{path}: a folder is there where one file is to be written")
        elif path.exists():
            if self.is_folder:
                raise DataError(f"{path}: a file is there where a folder of parts is to be written")
            if self.mode == "error":
                raise DataError(f"{path}: the file exists; to replace it: sink.mode=replace")
        with writing(path):
            standing = next(above for above in path.absolute().parents if above.exists())
            if not standing.is_dir():
                raise DataError(f"{path}: can't be written: {standing} is a file, not a folder")
            if not os.access(standing, os.W_OK | os.X_OK):
                raise DataError(f"{path}: can't be written: no permission to write in {standing}")

    def open(self, schema: pa.Schema) -> SinkWriter:
        """Start writing; use it as a context manager."""
        self.check_columns(schema)
        self.check()
        return SinkWriter(self, schema)


class SinkWriter:
    """Writes under a temporary name; leaving the ``with`` block commits, an exception removes everything."""

    def __init__(self, sink: FileSink, schema: pa.Schema) -> None:
        self._sink = sink
        self._schema = schema
        # a leading underscore: readers of the folder skip it; the ending says whether a file is compressed
        ending = "" if sink.is_folder else sink.extension
        self._temporary = sink.path.with_name(f"_{sink.path.name}.{uuid.uuid4().hex[:12]}.tmp{ending}")
        self._part: Part | None = None
        self._file = self._temporary
        self._names: list[str] = []
        self._rows = 0
        self._made: list[Path] = []

    def __enter__(self) -> SinkWriter:
        try:
            with writing(self._sink.path):
                self._make_folders()
                if self._sink.is_folder:
                    self._temporary.mkdir()
            self._begin()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
                self._commit()
        finally:
            if self._part is not None:
                with suppress(OSError, pa.ArrowException):  # the file goes anyway
                    self._part.abandon()
            self._remove()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows.

        Raises
        ------
        DataError
            The file can't be written, as when the disk is full.
        """
        if self._sink.is_folder and self._rows >= self._sink.part_rows:
            self._finish()
            self._begin()
        assert self._part is not None
        self._part.write(batch)
        self._rows += batch.num_rows
        begin_writing_out(self._file)

    def files(self) -> tuple[Path, ...]:
        """The files under their final names."""
        if not self._sink.is_folder:
            return (self._sink.path,)
        return tuple(self._sink.path / name for name in self._names)

    def _begin(self) -> None:
        if self._sink.is_folder:
            name = f"part-{len(self._names):05d}{self._sink.extension}"
            self._names.append(name)
            self._file = self._temporary / name
        self._part = self._sink.part(self._file, self._schema)
        self._rows = 0

    def _finish(self) -> None:
        assert self._part is not None
        self._part.close()
        self._part = None
        with writing(self._sink.path):
            sync(self._file)

    def _commit(self) -> None:
        path, replace = self._sink.path, self._sink.mode == "replace"
        with writing(path):
            if self._sink.is_folder:
                sync(self._temporary)
                self._commit_folder(replace)
            elif replace:
                self._temporary.replace(path)
            else:
                self._commit_new_file()
            sync(path.parent)

    def _commit_new_file(self) -> None:
        """Give the file its name unless another run was faster: a rename alone would not notice."""
        path = self._sink.path
        try:
            path.hardlink_to(self._temporary)
        except FileExistsError:
            raise
        except OSError:
            # a file system without links: to create the name decides who is first
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            try:
                self._temporary.replace(path)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def _commit_folder(self, replace: bool) -> None:
        path = self._sink.path
        if replace and path.exists():
            self._sink.check()
            old = path.with_name(f"{self._temporary.name}.old")
            path.rename(old)
            try:
                self._temporary.rename(path)
            except OSError:
                old.rename(path)
                raise
            if old.is_symlink():
                old.unlink()
            else:
                shutil.rmtree(old, ignore_errors=True)
        else:
            self._temporary.rename(path)

    def _make_folders(self) -> None:
        parents = self._sink.path.absolute().parents
        lacking = [above for above in parents if not above.exists()]
        for folder in reversed(lacking):
            folder.mkdir(exist_ok=True)
            self._made.append(folder)

    def _remove(self) -> None:
        if self._temporary.is_dir():
            shutil.rmtree(self._temporary, ignore_errors=True)
        else:
            self._temporary.unlink(missing_ok=True)
        for folder in reversed(self._made):
            with suppress(OSError):  # what holds something stays
                folder.rmdir()
