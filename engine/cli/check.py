"""``engine check``: everything that ``engine batch`` does, short of reading data."""

from __future__ import annotations

import time

from engine.cli.arguments import Arguments
from engine.cli.batch import bind_run
from engine.cli.open import Opened, open_pipeline
from engine.cli.output import aligned, result, result_json
from engine.errors import listing
from engine.runtime.batch import check_batch
from engine.runtime.io import open_sink, open_source


def run(arguments: Arguments) -> int:
    """Print a line for each thing that was checked."""
    opened = open_pipeline(arguments)
    lines = [_plan(opened), _fit(opened)]
    _, rejects = bind_run(opened.config)
    if opened.pipeline is not None:
        lines.append(_program(opened))
    given = {key: bool((opened.config[key] or {}).get("path")) for key in ("source", "sink")}
    source = open_source(opened.config["source"]) if given["source"] else None
    sink = open_sink(opened.config["sink"]) if given["sink"] else None
    if opened.pipeline is not None:
        check_batch(opened.pipeline, source, sink, rejects)
    raise NotImplementedError


_ = (time, aligned, result, result_json, listing, Opened)
