"""``engine explain``: what a pipeline became."""

from __future__ import annotations

from engine.cli.arguments import Arguments
from engine.cli.open import open_pipeline
from engine.cli.output import result, result_json
from engine.errors import ConfigError, Mistake
from engine.explain import explain_plan


def run(arguments: Arguments) -> int:
    """Print the compiled pipeline; of one that isn't fitted, the plan."""
    opened = open_pipeline(arguments)
    kernel = opened.config["kernel"]
    if kernel is not None and not isinstance(kernel, bool):
        note = f"set by: {opened.config.set_by('kernel')}"
        raise ConfigError([Mistake("kernel", f"must be true or false, not {kernel!r}", (note,))])
    if opened.pipeline is not None:
        text = opened.pipeline.explain(kernel=bool(kernel))
    elif kernel:
        note = "fit the pipeline, then: engine explain bundle=PATH kernel=true"
        raise ConfigError([Mistake("kernel", "a pipeline that isn't fitted has no kernel yet", (note,))])
    else:
        text = explain_plan(opened.plan)
    if arguments.json:
        result_json({"name": opened.plan.name, "fitted": opened.pipeline is not None, "text": text})
    else:
        result(text)
    return 0
