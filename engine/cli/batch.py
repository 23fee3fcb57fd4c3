"""``engine batch``: a bundle and a source to a sink."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.cli.arguments import Arguments
from engine.cli.open import open_pipeline
from engine.cli.output import result_json, tell
from engine.cli.progress import reporting
from engine.config.bind import Bound, Place, bind
from engine.config.config import Config
from engine.config.convert import shown
from engine.errors import ConfigError, Mistake
from engine.plan.build import registry_for
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.io import open_both
from engine.runtime.rejects import Rejects
from engine.stage import option

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Executor:
    """How a batch is run.

    Parameters
    ----------
    threads : int or None
        None: one for each processor.
    batch_rows : int or None
        Rows that are read and scored at a time; None: 131,072, or fewer of a small source.
    """

    threads: int | None = option(None, ge=1, le=4096)
    batch_rows: int | None = option(None, ge=1, le=1 << 24)


def run(arguments: Arguments) -> int:
    """Score every row of a source."""
    opened = open_pipeline(arguments)
    pipeline = opened.ready()
    executor, rejects = bind_run(opened.config)
    config = opened.config
    source, sink = open_both(config["source"], config["sink"], registry_for(config), config.set_by)
    with reporting("batch", unit="rows") as progress:
        summary = run_batch(
            pipeline,
            source,
            sink,
            rejects=rejects,
            batch_rows=executor.batch_rows,
            threads=executor.threads,
            progress=lambda done, total: progress(done, total or 0, ""),
        )
    if arguments.json:
        result_json(
            {
                "name": pipeline.plan.name,
                "version": pipeline.version,
                "rows_in": summary.rows_in,
                "rows_out": summary.rows_out,
                "rejected": summary.rejected,
                "seconds": summary.seconds,
                "sink": str(sink.path),
                "files": [str(path) for path in summary.files],
                "rejects": str(summary.rejects) if summary.rejects else None,
                "columns": list(summary.columns),
            }
        )
    tell(f"{pipeline.plan.name} {pipeline.version}: {described(summary, sink.path)}")
    if summary.rejects:
        tell(f"rejected rows, with reasons: {summary.rejects}")
    return 0


def bind_run(config: Config) -> tuple[Executor, Rejects]:
    """How a batch is run, and what happens to refused rows.

    Raises
    ------
    ConfigError
        With every mistake in the two.
    """
    executor, rejects = _bound(Executor, "executor", config), _bound(Rejects, "rejects", config)
    mistakes = [*executor.mistakes, *rejects.mistakes]
    if executor.value is None or rejects.value is None:
        raise ConfigError(mistakes)
    return executor.value, rejects.value


def described(summary: BatchSummary, path: Path | str) -> str:
    """What a batch did, in one line."""
    speed = summary.rows_in / summary.seconds if summary.seconds else 0.0
    return (
        f"{summary.rows_in:,} rows read, {summary.rows_out:,} written to {path}, "
        f"{summary.rejected:,} rejected; {summary.seconds:.2f} s, {speed:,.0f} rows/s"
    )


def _bound(cls: type[_T], key: str, config: Config) -> Bound[_T]:
    given = {} if config[key] is None else config[key]
    place = Place(key, key, config.set_by)
    if not isinstance(given, Mapping):
        example = {"executor": "threads: 2", "rejects": "max: 100"}[key]
        message = f"must be a mapping such as {{{example}}}, not {shown(given)}"
        return Bound(None, (Mistake(key, message, (f"set by: {config.set_by(key)}",)),))
    return bind(cls, given, place)
