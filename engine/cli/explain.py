"""``engine explain``: what a pipeline became."""

from __future__ import annotations

from collections.abc import Mapping

from engine.cli.arguments import Arguments
from engine.cli.open import Opened, open_pipeline
from engine.cli.output import result, result_json
from engine.errors import ConfigError, Mistake
from engine.explain import explain_plan


def run(arguments: Arguments) -> int:
    """Print the compiled pipeline; of one that isn't fitted, the plan."""
    opened = open_pipeline(arguments)
    kernel, profile = _switch(opened, "kernel"), _switch(opened, "profile")
    if profile:
        return _profile(opened, arguments)
    source = opened.config["source"]
    if isinstance(source, Mapping) and source.get("path") is not None:
        note = "explain reads rows only to measure them: add profile=true, or remove source"
        raise ConfigError([Mistake("source", "is given, and nothing would be read", (note,))])
    if opened.pipeline is not None:
        text = opened.pipeline.explain(kernel=kernel)
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


def _profile(opened: Opened, arguments: Arguments) -> int:
    from engine.cli.profile import profile_json, profile_text, profiled

    found = profiled(opened)
    if arguments.json:
        result_json({"name": opened.plan.name, **profile_json(found)})
    else:
        result(profile_text(opened.plan.name, found))
    return 0


def _switch(opened: Opened, key: str) -> bool:
    value = opened.config[key]
    if value is not None and not isinstance(value, bool):
        note = f"set by: {opened.config.set_by(key)}"
        raise ConfigError([Mistake(key, f"must be true or false, not {value!r}", (note,))])
    return bool(value)
