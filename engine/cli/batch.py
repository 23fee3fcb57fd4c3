"""``engine batch``: a bundle and a source to a sink."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from engine.cli.arguments import Arguments
from engine.cli.open import open_pipeline
from engine.cli.output import aligned, result_json, tell
from engine.cli.pace import pacing
from engine.cli.run_options import bind_run, read_from
from engine.errors import UserError
from engine.plan.build import registry_for
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.io import Sink, Source, open_both
from engine.runtime.io.pipe import PIPE, PipeSource
from engine.runtime.io.pipe_sink import PipeSink
from engine.runtime.shards.drive import UnfinishedError

_SHOWN = ("0.05", "0.5", "0.95")
"""Quantiles that are printed; the summary beside the output has more."""


def run(arguments: Arguments) -> int:
    """Score every row of a source."""
    with stoppable():
        return _run(arguments)


def _run(arguments: Arguments) -> int:
    opened = open_pipeline(arguments)
    config = opened.config
    _check_output(arguments, config["sink"])
    registry = registry_for(config)
    options = bind_run(config, registry)
    pipeline = opened.ready()
    source, sink = open_both(read_from(config), config["sink"], registry, config.set_by)
    with pacing("batch") as progress, _told_of_pipes(source, sink):
        summary = run_batch(
            pipeline,
            source,
            sink,
            rejects=options.rejects,
            executor=options.executor,
            threads=getattr(options.executor, "threads", None),
            batch_rows=options.sizes.batch_rows,
            shard_rows=options.sizes.shard_rows,
            resume=options.resume,
            new_only=options.new_only,
            progress=progress,
            stated=options.stated,
        )
    if arguments.json:
        result_json({"name": pipeline.plan.name, "version": pipeline.version, **as_plain(summary)})
    if not summary.now:
        tell(f"{summary.sink}: nothing to do; {_why_nothing(summary)}")
        return 0
    tell(f"{pipeline.plan.name} {pipeline.version}: {described(summary)}")
    for line in outputs(summary):
        tell(line)
    if summary.rejects:
        tell(f"rejected rows, with reasons: {summary.rejects}")
    return 0


def _check_output(arguments: Arguments, sink: Any) -> None:
    if arguments.json and isinstance(sink, dict) and sink.get("path") == PIPE:
        raise UserError(
            "--json: standard output takes the rows (sink.path=-), and nothing else can go there; leave out "
            "--json: what was done is told on stderr"
        )


@contextmanager
def _told_of_pipes(source: Source, sink: Sink) -> Iterator[None]:
    """Say what SIGTERM leaves behind where the same command can't go on."""
    try:
        yield
    except _Stopped:
        if isinstance(sink, PipeSink):
            raise UnfinishedError("stopped by SIGTERM; rows that were written stay written") from None
        if isinstance(source, PipeSource):
            raise UnfinishedError(
                "stopped by SIGTERM; nothing was written: a pipe is read only once"
            ) from None
        raise


class _Stopped(BaseException):
    """SIGTERM."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGTERM into an end that leaves what is done to be continued.

    Raises
    ------
    UnfinishedError
    """

    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Stopped

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: whoever runs it takes the signals
        yield
        return
    try:
        yield
    except UnfinishedError:
        raise
    except BaseException:
        # raised in the middle of a library, it may come out as another error
        if not stopped:
            raise
        raise UnfinishedError("stopped by SIGTERM; the same command goes on where this one ended") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def as_plain(summary: BatchSummary) -> dict[str, Any]:
    """A summary as JSON has it."""
    return {
        "run_id": summary.run_id,
        "rows_in": summary.rows_in,
        "rows_out": summary.rows_out,
        "rejected": summary.rejected,
        "seconds": summary.seconds,
        "shards": summary.shards,
        "resumed_shards": summary.resumed,
        "nothing_to_do": not summary.now,
        "sink": summary.sink,
        "files": list(summary.files),
        "rejects": summary.rejects,
        "columns": list(summary.columns),
        "outputs": dict(summary.outputs),
    }


def described(summary: BatchSummary) -> str:
    """What a batch did, in one line."""
    speed = summary.scored / summary.seconds if summary.seconds else 0.0
    resumed = f", {summary.resumed} of {summary.shards} shards were done before" if summary.resumed else ""
    run_id = f"; run {summary.run_id}" if summary.run_id else ""
    return (
        f"{summary.rows_in:,} rows read, {summary.rows_out:,} written to {summary.sink}, "
        f"{summary.rejected:,} rejected; {summary.seconds:.2f} s, {speed:,.0f} rows/s{resumed}{run_id}"
    )


def outputs(summary: BatchSummary) -> list[str]:
    """How the output columns are spread, a line each."""
    rows = [[name, _spread(told)] for name, told in summary.outputs.items()]
    return [f"  {line}" for line in aligned(rows).splitlines()] if rows else []


def _spread(told: dict[str, Any]) -> str:
    odd = (what for what in ("missing", "infinite") if told.get(what))
    others = "".join(f"; {told[what]:,} {what}" for what in odd)
    if "quantiles" in told:
        middle = ", ".join(f"{told['quantiles'][share]:.4g}" for share in _SHOWN)
        return (
            f"{told['min']:.4g} to {told['max']:.4g}, mean {told['mean']:.4g},"
            f" at 5, 50 and 95 %: {middle}{others}"
        )
    values = list(told.get("values", {}).items())
    shown = ", ".join(f"{name} {count:,}" for name, count in values[:6])
    more = f" and {len(values) - 6} more" if len(values) > 6 else ""
    return f"{shown}{more}{others}".lstrip("; ") or f"{told['rows']:,} rows"


def _why_nothing(summary: BatchSummary) -> str:
    if summary.run_id is None:
        return "every file of the source was read by an earlier run"
    rows = f"{summary.rows_in:,} rows"
    return f"run {summary.run_id} of the same pipeline and the same files is committed ({rows})"
