"""``engine trace``: one row's value after every stage."""

from __future__ import annotations

from dataclasses import replace

from engine.answer.traced import RowTrace
from engine.cli.arguments import Arguments, root_key
from engine.cli.open import open_pipeline
from engine.cli.output import result, result_json, tell
from engine.cli.traced_row import traced_row
from engine.cli.traced_text import plain, trace_text
from engine.pipeline import Pipeline


def run(arguments: Arguments) -> int:
    """Print what the stages make of a row."""
    # a row is JSON, which the grammar of overrides can't read
    typed = [override for override in arguments.overrides if root_key(override) == "row"]
    others = tuple(override for override in arguments.overrides if root_key(override) != "row")
    opened = open_pipeline(replace(arguments, overrides=others))
    pipeline = opened.ready()
    row = traced_row(opened, pipeline, typed[-1].partition("=")[2] if typed else None)
    found = pipeline.trace_one(row)
    if arguments.json:
        result_json(_json(pipeline, found))
    else:
        result(trace_text(pipeline, found))
    if found.refusal is not None:
        where = f"by {found.refusal.stage!r}" if found.refusal.stage else "by an input"
        tell(f"{opened.plan.name} {pipeline.version}: the row is refused {where}")
    return 0


def _json(pipeline: Pipeline, found: RowTrace) -> dict[str, object]:
    stages = [
        {
            "label": stage.label,
            "use": stage.use,
            "columns": [
                {"name": c.name, "dtype": c.dtype, "made": c.made, "value": plain(c.value)}
                | ({} if c.made else {"before": plain(c.before)})
                for c in stage.columns
            ],
            "dropped": list(stage.dropped),
            "note": stage.note,
        }
        for stage in found.stages
    ]
    refusal = found.refusal
    return {
        "name": pipeline.plan.name,
        "version": pipeline.version,
        "inputs": {column.name: plain(column.value) for column in found.inputs},
        "stages": stages,
        "answer": None
        if found.answer is None
        else {name: plain(value) for name, value in found.answer.items()},
        "refused": refusal
        and {
            "stage": refusal.stage or None,
            "column": refusal.column or None,
            "code": refusal.code,
            "message": refusal.message,
        },
    }
