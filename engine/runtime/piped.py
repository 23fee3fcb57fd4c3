"""What a batch that reads standard input, or writes standard output, has to see to."""

from __future__ import annotations

import pyarrow as pa

from engine.errors import ConfigError, Mistake
from engine.runtime.io.pipe import PipeSource
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.rejects import Rejects, check_rejects
from engine.runtime.shards.drive import Resume
from engine.runtime.shards.job import BatchPipeline
from engine.runtime.shards.work import Executor
from engine.sink import Sink
from engine.source import Source


def check_run(source: Source, sink: Sink, executor: Executor | None, resume: Resume) -> None:
    """Refuse what can't be had of a pipe.

    Raises
    ------
    ConfigError
    """
    ends = [str(end.path) for end in (source, sink) if isinstance(end, PipeSource | PipeSink)]
    if not ends:
        return
    mistakes = []
    use = getattr(executor, "use", "local")
    if use != "local":
        message = f"{ends[0]} belongs to this process, and {use!r} scores in others"
        mistakes.append(Mistake("executor.use", message, ("executor.use=local, or files",)))
    if resume == "require":
        message = f"a run with {ends[0]} can't be resumed: a pipe is gone once it was read or written"
        mistakes.append(Mistake("resume", message))
    if mistakes:
        raise ConfigError(mistakes)


def check_output(sink: Sink, rejects: Rejects) -> None:
    """See to standard output before the source is looked at, which may have to be waited for.

    Raises
    ------
    ConfigError, DataError
    """
    if isinstance(sink, PipeSink):
        sink.check()
        check_rejects(rejects, sink)


def source_schema(pipeline: BatchPipeline, source: Source) -> pa.Schema:
    """The columns of a source; where nothing came, not even a name, what is wanted, without a value."""
    if isinstance(source, PipeSource) and source.is_blank:
        inputs = (item.name for item in pipeline.plan.inputs)
        return pa.schema([(name, pa.null()) for name in dict.fromkeys((*inputs, *pipeline.reads))])
    return source.schema


def columns_to_read(pipeline: BatchPipeline, source: Source) -> tuple[str, ...]:
    """The columns that are read: all that are wanted and there, or may come to be there."""
    if isinstance(source, PipeSource) and source.is_open:
        return pipeline.reads
    there = set(source.schema.names)
    return tuple(name for name in pipeline.reads if name in there)
