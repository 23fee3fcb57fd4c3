"""``engine check``: everything that ``engine batch`` does, short of reading data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.cli.arguments import Arguments
from engine.cli.open import Opened, open_pipeline
from engine.cli.output import aligned, result, result_json
from engine.cli.run_options import RunOptions, bind_run, read_from
from engine.cli.server_options import bind_server, check_server
from engine.config.convert import shown
from engine.decode import TableDecoder
from engine.errors import listing
from engine.plan.build import registry_for
from engine.runtime.batch import plan_batch
from engine.runtime.groups import check_grouping
from engine.runtime.io import Sink, Source, open_sink, open_source
from engine.runtime.io.apart import check_apart
from engine.runtime.io.pipe import PipeSource
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.piped import check_output, check_run
from engine.runtime.rejects import rejects_path


def run(arguments: Arguments) -> int:
    """Print a line for each thing that was checked; the first that is wrong ends it."""
    done = []
    for what, found in _checked(arguments):
        done.append([what, found])
        if not arguments.json:
            result(aligned([[f"{what:<9}", found]]))
    if arguments.json:
        result_json([{"checked": what, "found": found} for what, found in done])
    return 0


def _checked(arguments: Arguments) -> Iterator[tuple[str, str]]:
    opened = open_pipeline(arguments)
    plan = opened.plan
    yield "plan", f"{plan.name}: {len(plan.inputs)} inputs, {len(plan.stages)} stages"
    registry, set_by = registry_for(opened.config), opened.config.set_by
    options = bind_run(opened.config, registry)
    check_grouping(plan)
    if opened.pipeline is None:
        learners = [planned.label for planned in plan.stages if planned.stage.learns()]
        yield "fit", f"needed before it can answer: {listing(learners)} learn from data"
    else:
        whose = f"loaded from {opened.bundle}" if opened.bundle else "nothing is to be learned"
        yield "pipeline", f"version {opened.pipeline.version}, {whose}"
        kernels = len(opened.pipeline.program.layout.segments)
        yield "program", f"compiled, {kernels} kernel{'s' if kernels != 1 else ''}"
    source = open_source(read_from(opened.config), registry, set_by) if _given(opened, "source") else None
    sink = open_sink(opened.config["sink"], registry, set_by) if _given(opened, "sink") else None
    if source is not None and sink is not None:
        check_run(source, sink, options.executor, options.resume)
        check_apart(source, sink.path, rejects_path(options.rejects, sink))
    if isinstance(source, PipeSource):
        yield "source", f"{source.path}: its columns are known once it is read"
    elif source is not None:
        _check_source(opened, source)
        yield "source", _source(source)
    else:
        yield "source", "not given: source.path=…"
    if sink is not None:
        yield "sink", _sink(sink)
    else:
        yield "sink", "not given: sink.path=…"
    yield "run", _run(opened, options, source, sink)
    if opened.config["server"]:
        yield "server", _server(opened)


def _run(opened: Opened, options: RunOptions, source: Source | None, sink: Sink | None) -> str:
    sizes = options.sizes
    size = f"{sizes.batch_rows:,} rows" if sizes.batch_rows else "rows by the size of the source"
    given = {key: value for key, value in vars(options.executor).items() if value is not None}
    settings = "".join(f", {key} {value}" for key, value in given.items())
    rejects = f"rejects.max {shown(options.rejects.max)}"
    told = f"executor {options.executor.use}{settings}, batches of {size}, {rejects}"
    if source is None or sink is None or opened.pipeline is None or isinstance(source, PipeSource):
        if sink is not None:
            sink.check()
            check_output(sink, options.rejects)
        return told
    batch = plan_batch(
        opened.pipeline,
        source,
        sink,
        rejects=options.rejects,
        batch_rows=sizes.batch_rows,
        shard_rows=sizes.shard_rows,
        new_only=options.new_only,
    )
    if batch is None:
        return f"{told}; no file of the source is new: nothing to do"
    if batch.plan is None:
        return f"{told}; written in one go"
    ended = batch.driver(options.executor, options.resume).look()
    shards = f"{len(batch.plan.shards):,} shard{'s' if len(batch.plan.shards) != 1 else ''}"
    what = "committed already: nothing to do" if ended else shards
    if ended is None and batch.state is not None and batch.plan.run_id in batch.state.unfinished():
        done = len(batch.state.receipts(batch.plan.run_id))
        what = f"{shards}, of which {done:,} are done: it goes on"
    return f"{told}; run {batch.plan.run_id}, {what}"


def _given(opened: Opened, key: str) -> bool:
    section = opened.config[key]
    if not isinstance(section, Mapping):
        return section is not None
    # other keys than the path are looked at, too: what is misspelt is to be found here
    return any(value is not None for name, value in section.items() if name != "use")


def _check_source(opened: Opened, source: Source) -> None:
    if opened.pipeline is not None:
        opened.pipeline.check_schema(source.schema, str(source.path), text=source.text)
    else:
        decoder = TableDecoder(opened.plan.inputs, None, None, parse_text=source.text)
        decoder.check_schema(source.schema, str(source.path))


def _source(source: Source) -> str:
    rows = f"{source.rows:,} rows" if source.rows is not None else "rows unknown before they are read"
    files = len(source.files())
    return f"{source.path}: fits the inputs; {files} file{'s' if files != 1 else ''}, {rows}"


def _sink(sink: Sink) -> str:
    if isinstance(sink, PipeSink):
        return f"{sink.path}: {sink.extension[1:]}, row by row"
    kind = "a folder of parts" if sink.is_folder else "one file"
    return f"{sink.path}: can be written, {kind}, mode {sink.mode}"


def _server(opened: Opened) -> str:
    settings, predictions = bind_server(opened.config)
    notes = check_server(settings, predictions, opened.pipeline)
    workers = f"{settings.workers} worker{'s' if settings.workers != 1 else ''}"
    grpc = "no gRPC" if settings.grpc_port is None else f"gRPC at {settings.grpc_port}"
    return "; ".join((f"may listen at {settings.host}:{settings.port}, {grpc}, {workers}", *notes))
