"""Where answers go in an object store: one file or a folder of parts, always in shards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from engine.errors import DataError, listing
from engine.runtime.io.address import name_of
from engine.runtime.io.output import Output
from engine.runtime.io.sink import STATE, is_part
from engine.runtime.io.storage_options import StorageOptions
from engine.sink import Mode, Writer

if TYPE_CHECKING:
    from engine.runtime.rejects import Rejects
    from engine.runtime.shards.sink import RunState


class ObjectSink:
    """A file (a URL with an extension) or a folder of parts (a URL without) in an object store.

    Parameters
    ----------
    path : str
        The URL.
    output : Output
    mode : {"error", "append", "replace"}
    storage : StorageOptions
    """

    def __init__(self, path: str, output: Output, mode: Mode, storage: StorageOptions) -> None:
        self.path = path.rstrip("/")
        self.output = output
        self.extension = output.extension
        self.mode = mode
        self.takes_coded = output.takes_coded
        self.check_columns = output.check_columns
        self.storage = storage
        self.is_folder = "." not in name_of(self.path)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Where it is, and what changes what is written."""
        return {"path": self.path, "extension": self.extension, **self.output.options}

    def state(self, rejects: Rejects) -> RunState | None:
        """Its runs."""
        from engine.runtime.shards.opened import state_of

        return state_of(self.path, self.is_folder, self.output, self.mode, rejects, self, self.storage)

    def check(self) -> None:
        """See, before anything is read, whether the sink can be written.

        Raises
        ------
        DataError
            Something is there already, or is no output that may be replaced.
        """
        from engine.runtime.store.opened import open_store

        store, name = open_store(self.path, self.storage)
        if not self.is_folder:
            if self.mode == "append":
                raise DataError(
                    f"{self.path}: nothing can be appended to one file; a URL without an ending is a folder"
                    " of parts, to which runs can be added"
                )
            if self.mode == "error" and store.size(name) is not None:
                raise DataError(f"{self.path}: the file exists; to replace it: sink.mode=replace")
            return
        items = [item for item in store.names(name) if item != STATE]
        foreign = [item for item in items if not is_part(item, self.extension)]
        if foreign:
            raise DataError(
                f"{self.path}: the folder holds more than a batch's parts, and is neither written to nor "
                f"replaced: {listing(foreign, 3)}"
            )
        if items and self.mode == "error":
            raise DataError(
                f"{self.path}: the folder has files in it; to replace them: sink.mode=replace; "
                "to add to them: sink.mode=append"
            )

    def open(self, schema: pa.Schema) -> Writer:
        """A store is written in shards alone.

        Raises
        ------
        DataError
        """
        raise DataError(f"{self.path}: a file of this format can't be written in an object store")
