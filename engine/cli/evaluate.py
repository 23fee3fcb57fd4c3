"""``engine evaluate``: a bundle and a labelled source to metrics."""

from __future__ import annotations

import time

from engine.cli.arguments import Arguments
from engine.cli.labelled import read_labelled
from engine.cli.open import open_pipeline
from engine.cli.output import aligned, metric_rows, result, result_json, tell
from engine.cli.progress import reporting
from engine.evaluate import evaluate


def run(arguments: Arguments) -> int:
    """Print the metrics of labelled rows."""
    began = time.perf_counter()
    # another target than the one that was learned: scores are held against it, nothing is fitted to it
    opened = open_pipeline(arguments, free=("target",))
    pipeline = opened.ready()
    part = opened.plan.split.part
    with reporting("evaluate") as progress:
        needed = ("target", "split.column") if part else ("target",)
        table, text = read_labelled(opened.plan, opened.config, progress, needed)
        found = evaluate(pipeline, table, text=text, part=part)
    if arguments.json:
        result_json(
            {
                "name": opened.plan.name,
                "version": pipeline.version,
                "part": part or "all",
                "rows": found.rows,
                "unlabelled": found.unlabelled,
                "rejected": found.rejected,
                "filtered": found.filtered,
                "metrics": dict(found.metrics),
            }
        )
    else:
        result(aligned(metric_rows(found.metrics)))
    whose = f"rows of the {part} part" if part else "labelled rows"
    seconds = time.perf_counter() - began
    tell(f"{opened.plan.name} {pipeline.version}: {found.rows:,} {whose}, {seconds:.1f} s")
    if not part and any(planned.stage.learns() for planned in opened.plan.stages):
        tell("rows that it was fitted on count, too, if the source holds some; not with split.part=test")
    if found.unlabelled:
        tell(f"left out, because their target is missing: {found.unlabelled:,} rows")
    if found.rejected:
        tell(f"left out, because an input refuses a value: {found.rejected:,} rows")
    if found.filtered:
        tell(f"left out, because a filter refuses them: {found.filtered:,} rows")
    return 0
