"""A pipeline that any table goes through, for sources and sinks under `engine batch`."""

from __future__ import annotations

import pyarrow as pa

import engine
from engine.config.config import Config
from engine.pipeline import Pipeline
from engine.runtime.batch import run_batch
from engine.runtime.io import Sink, Source
from engine.runtime.rejects import Rejects
from engine.schema import Kind
from engine.testing.outcome import NotCheckedError
from engine.testing.rows import kind_of

_THREADS, _BATCH = 2, 7


def passing(schema: pa.Schema) -> Pipeline:
    """A pipeline whose inputs and outputs are these columns, but for those of no kind.

    Text goes through as a category; everything is answered as it came.

    Raises
    ------
    NotCheckedError
        None of them is of any kind.
    """
    kinds = {field.name: kind_of(field.type) for field in schema}
    inputs = {
        name: str(Kind.CATEGORY if kind is Kind.TEXT else kind)
        for name, kind in kinds.items()
        if kind is not None
    }
    if not inputs:
        raise NotCheckedError("none of the columns can be a pipeline's input")
    return engine.build(Config({"name": "kit", "inputs": inputs, "outputs": ["*"], "stages": {}}))


def run(pipeline: Pipeline, source: Source, sink: Sink) -> None:
    """What `engine batch` does, in small batches and threads."""
    run_batch(pipeline, source, sink, rejects=Rejects(max=0), batch_rows=_BATCH, threads=_THREADS)
