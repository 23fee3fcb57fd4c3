"""``engine check``: everything that ``engine batch`` does, short of reading data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.cli.arguments import Arguments
from engine.cli.batch import bind_run
from engine.cli.open import Opened, open_pipeline
from engine.cli.output import aligned, result, result_json
from engine.cli.server_options import bind_server, check_server
from engine.config.convert import shown
from engine.decode import TableDecoder
from engine.errors import listing
from engine.plan.build import registry_for
from engine.runtime.batch import check_batch
from engine.runtime.groups import check_grouping
from engine.runtime.io import Sink, Source, open_sink, open_source
from engine.runtime.io.apart import check_apart
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
    executor, rejects = bind_run(opened.config)
    check_grouping(plan)
    if opened.pipeline is None:
        learners = [planned.label for planned in plan.stages if planned.stage.learns()]
        yield "fit", f"needed before it can answer: {listing(learners)} learn from data"
    else:
        whose = f"loaded from {opened.bundle}" if opened.bundle else "nothing is to be learned"
        yield "pipeline", f"version {opened.pipeline.version}, {whose}"
        kernels = len(opened.pipeline.program.layout.segments)
        yield "program", f"compiled, {kernels} kernel{'s' if kernels != 1 else ''}"
    registry, set_by = registry_for(opened.config), opened.config.set_by
    source = open_source(opened.config["source"], registry, set_by) if _given(opened, "source") else None
    sink = open_sink(opened.config["sink"], registry, set_by) if _given(opened, "sink") else None
    if source is not None and sink is not None:
        check_apart(source, sink.path, rejects_path(rejects, sink))
        if opened.pipeline is not None:
            check_batch(opened.pipeline, source, sink, rejects)
    if source is not None:
        _check_source(opened, source)
        yield "source", _source(source)
    else:
        yield "source", "not given: source.path=…"
    if sink is not None:
        sink.check()
        yield "sink", _sink(sink)
    else:
        yield "sink", "not given: sink.path=…"
    threads = executor.threads or "one for each processor"
    size = f"{executor.batch_rows:,} rows" if executor.batch_rows else "rows by the size of the source"
    yield "run", f"threads: {threads}, batches of {size}, rejects.max {shown(rejects.max)}"
    if opened.config["server"]:
        yield "server", _server(opened)


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
    kind = "a folder of parts" if sink.is_folder else "one file"
    return f"{sink.path}: can be written, {kind}, mode {sink.mode}"


def _server(opened: Opened) -> str:
    settings, predictions = bind_server(opened.config)
    notes = check_server(settings, predictions, opened.pipeline)
    workers = f"{settings.workers} worker{'s' if settings.workers != 1 else ''}"
    grpc = "no gRPC" if settings.grpc_port is None else f"gRPC at {settings.grpc_port}"
    return "; ".join((f"may listen at {settings.host}:{settings.port}, {grpc}, {workers}", *notes))
