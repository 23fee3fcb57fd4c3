"""What another process needs to score the shards of a run: bytes and plain values, none of our objects."""

from __future__ import annotations

import hashlib
import socket
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from engine.bundle.manifest import engine_version, package_versions
from engine.errors import UserError
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.runtime.io.options import bind_sink, bind_source
from engine.runtime.io.piece import Piece
from engine.runtime.rejects import Rejects
from engine.runtime.shards.job import Job
from engine.runtime.shards.sink import RunState, ShardedSink
from engine.runtime.shards.work import Stated
from engine.source import PiecedSource, Source, SourcePart, SourcePlugin


class Recipe(msgspec.Struct, frozen=True):
    """A run, but for its shards.

    Parameters
    ----------
    run_id : str
    bundle : dict of str to bytes
        The files of the pipeline's version.
    source, sink : dict
        As a config states them; paths are absolute.
    source_name : str
        What messages call the source.
    source_schema : bytes
        Its columns, as Arrow IPC has them.
    source_text : bool
    source_rows : int or None
    source_identity : dict
        What makes its rows what they are besides the pieces.
    rejects : Rejects
    schema : bytes
        The columns of the output.
    columns, coded : tuple of str
    takes_coded : bool
    batch_rows : int
    plugins : tuple of str
        The user's folders of plugins, absolute.
    plugin_digest : str
        Of the files in them.
    packages : dict of str to str
        The versions of what can change an answer.
    """

    run_id: str
    bundle: dict[str, bytes]
    source: dict[str, Any]
    sink: dict[str, Any]
    source_name: str
    source_schema: bytes
    source_text: bool
    source_rows: int | None
    source_identity: dict[str, Any]
    rejects: Rejects
    schema: bytes
    columns: tuple[str, ...]
    coded: tuple[str, ...]
    takes_coded: bool
    batch_rows: int
    plugins: tuple[str, ...]
    plugin_digest: str
    packages: dict[str, str]


def recipe_of(job: Job, stated: Stated | None) -> Recipe:
    """What other processes need for a job.

    Parameters
    ----------
    job : Job
    stated : Stated or None

    Raises
    ------
    UserError
        Source and sink weren't stated by a config, or the pipeline can't be written as a bundle.
    """
    if stated is None or not isinstance(job.pipeline, Pipeline):
        raise UserError(
            "other processes can score this batch only if source and sink come from a config: they open them"
            " themselves; run it with engine batch, or give run_batch stated=Stated(source, sink, plugins)"
        )
    registry = Registry(stated.plugins)
    source = {key: value for key, value in stated.source.items() if key != "new_only"}
    # what auto stands for is found by a look at the files, once
    source["use"] = bind_source(source, registry).use
    return Recipe(
        run_id=job.run_id,
        bundle=_bundle_files(job.pipeline),
        source=_with_absolute_path(source),
        sink=_with_absolute_path(stated.sink),
        source_name=str(job.source.path),
        source_schema=job.source.schema.serialize().to_pybytes(),
        source_text=job.source.text,
        source_rows=job.source.rows,
        source_identity=dict(job.source.identity) if isinstance(job.source, PiecedSource) else {},
        # of a sink that has no path, it names a table
        rejects=Rejects(_absolute(job.rejects.path), job.rejects.max)
        if "path" in stated.sink
        else job.rejects,
        schema=job.schema.serialize().to_pybytes(),
        columns=job.columns,
        coded=job.coded,
        takes_coded=job.takes_coded,
        batch_rows=job.batch_rows,
        plugins=registry.folders,
        plugin_digest=_digest(registry.folders),
        packages=_packages(),
    )


def open_recipe(recipe: Recipe) -> tuple[Job, RunState]:
    """The job and the runs of its sink, in this process.

    Raises
    ------
    UserError
        This machine isn't as the one that began the run: it has other packages or plugins, or doesn't see
        the run at the sink.
    """
    here, host = _packages(), socket.gethostname()
    differing = [
        f"{name} is {here[name]} here, {version} there"
        for name, version in recipe.packages.items()
        if here[name] != version
    ]
    if differing:
        raise UserError(f"{host} has other packages than where the run was begun: {'; '.join(differing)}")
    registry = Registry(recipe.plugins)
    if _digest(registry.folders) != recipe.plugin_digest:
        raise UserError(
            f"{host} has other files in {', '.join(recipe.plugins)} than where the run was begun: folders of"
            " plugins are to be the same on every machine"
        )
    sink = bind_sink(recipe.sink, registry).open()
    state = sink.state(recipe.rejects) if isinstance(sink, ShardedSink) else None
    if state is None or recipe.run_id not in state.unfinished():
        raise UserError(
            f"{sink.path}: {host} doesn't see there what the driver of run {recipe.run_id} wrote; the sink is"
            " to be a place that all machines share"
        )
    job = Job(
        run_id=recipe.run_id,
        pipeline=_loaded(recipe),
        source=_opened_in_pieces(recipe, registry),
        rejects=recipe.rejects,
        schema=_schema(recipe.schema),
        columns=recipe.columns,
        coded=recipe.coded,
        takes_coded=recipe.takes_coded,
        batch_rows=recipe.batch_rows,
    )
    return job, state


class OpenedInPieces:
    """A source that another process has looked at: pieces of it are read without looking for files again.

    Parameters
    ----------
    recipe : Recipe
    plugin : SourcePlugin
    """

    def __init__(self, recipe: Recipe, plugin: SourcePlugin) -> None:
        self.path = recipe.source_name
        self.schema = _schema(recipe.source_schema)
        self.text = recipe.source_text
        self.rows = recipe.source_rows
        self.identity = recipe.source_identity
        self._plugin = plugin

    def part(self, pieces: Sequence[Piece]) -> SourcePart:
        """The rows of some pieces."""
        return self._plugin.part(pieces)

    @cached_property
    def _whole(self) -> Source:
        return self._plugin.open()

    def pieces(self) -> tuple[Piece, ...]:
        """None: they are told by the plan."""
        return ()

    def files(self) -> tuple[Any, ...]:
        """The files, in the order in which they are read."""
        return self._whole.files()

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """All rows in order, of a source that can't be read in pieces."""
        return self._whole.batches(columns, batch_rows, coded)

    def place(self, row: int) -> str:
        """Where a row that was read lies, for a message."""
        return self._whole.place(row)


def _opened_in_pieces(recipe: Recipe, registry: Registry) -> PiecedSource:
    return OpenedInPieces(recipe, bind_source(recipe.source, registry))


def _bundle_files(pipeline: Pipeline) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="engine-bundle-") as folder:
        version = pipeline.save(folder, make_current=False)
        return {file.name: file.read_bytes() for file in version.iterdir()}


def _loaded(recipe: Recipe) -> Pipeline:
    from engine.api import load

    with tempfile.TemporaryDirectory(prefix="engine-bundle-") as folder:
        for name, data in recipe.bundle.items():
            (Path(folder) / name).write_bytes(data)
        # golden rows were compared where the run was begun; its packages are these
        return load(folder, plugins=recipe.plugins, check=False)


def _packages() -> dict[str, str]:
    return {"inference-engine": engine_version(), **package_versions()}


def _digest(folders: Sequence[str]) -> str:
    """The sha256 of the Python files in folders of plugins and the folders in them."""
    digest = hashlib.sha256()
    for folder in map(Path, folders):
        for file in sorted((*folder.glob("*.py"), *folder.glob("*/*.py"))):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()


def _with_absolute_path(stated: Mapping[str, Any]) -> dict[str, Any]:
    """A section of a config, whatever working folder it is read in."""
    found = dict(stated)
    if isinstance(found.get("path"), str):
        found["path"] = _absolute(found["path"])
    return found


def _absolute(path: str | None) -> str | None:
    return path if path is None or "://" in path else str(Path(path).absolute())


def _schema(data: bytes) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(data))
