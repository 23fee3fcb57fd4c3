"""The runs of a sink whose output is files."""

from __future__ import annotations

from engine.errors import DataError
from engine.runtime.io.formats import output_of
from engine.runtime.io.output import Output
from engine.runtime.io.storage_options import StorageOptions
from engine.runtime.rejects import Rejects, rejects_path
from engine.runtime.shards.files import FilesState
from engine.runtime.shards.rejected import RejectedFile
from engine.runtime.store.opened import open_store
from engine.sink import Mode, Sink
from engine.source import Address


def state_of(
    path: Address,
    is_folder: bool,
    output: Output,
    mode: Mode,
    rejects: Rejects,
    sink: Sink,
    storage: StorageOptions | None = None,
) -> FilesState | None:
    """The runs; None: one file of a format whose files can't be joined.

    Raises
    ------
    DataError
        Runs are to be added to one file.
    """
    if mode == "append" and not is_folder:
        raise DataError(
            f"{path}: nothing can be appended to one file; a path without an ending is a folder of parts,"
            " to which runs can be added"
        )
    if output.join is None and not is_folder:
        return None
    store, name = open_store(path, storage)
    refused = rejects_path(rejects, sink)
    place, its_name = open_store(refused, storage)
    return FilesState(
        store,
        name,
        output.extension,
        output.part,
        None if is_folder else output.join,
        mode,
        RejectedFile(
            place, its_name, output_of(refused).part, each=mode == "append" and rejects.path is None
        ),
    )
