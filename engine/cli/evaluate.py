"""``engine evaluate``: a bundle and a labelled source to metrics, and to a report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.cli.arguments import Arguments
from engine.cli.labelled import open_labelled
from engine.cli.open import Opened, open_pipeline
from engine.cli.output import metric_rows, result, result_json, table, tell
from engine.cli.progress import Progress, reporting
from engine.config.config import Config
from engine.errors import ConfigError, Mistake
from engine.evaluate import Evaluation, evaluate
from engine.evaluate.segments import SMALL
from engine.plan.build import registry_for


def run(arguments: Arguments) -> int:
    """Print the metrics of labelled rows."""
    began = time.perf_counter()
    # another target than the one that was learned: scores are held against it, nothing is fitted to it
    opened = open_pipeline(arguments, free=("target", "weight", "group"))
    pipeline = opened.ready()
    by, metrics, report = _asked(opened.config)
    part = opened.plan.split.part
    with reporting("evaluate") as progress:
        found = _evaluated(opened, by, metrics, progress)
    if report is not None:
        from engine.evaluate.report import write_report

        write_report(report, found, _facts(opened, pipeline.version, found))
    if arguments.json:
        result_json({**_facts(opened, pipeline.version, found), **_told(found, by)})
    elif by:
        result(f"{table(*_overall(found))}\n\n{table(*_segments(found, by))}")
    else:
        result(table(*_overall(found)))
    whose = f"rows of the {part} part" if part else "labelled rows"
    seconds = time.perf_counter() - began
    tell(f"{opened.plan.name} {pipeline.version}: {found.rows:,} {whose}, {seconds:.1f} s")
    if report is not None:
        tell(f"report: {report}")
    _remarks(opened, found)
    return 0


def _evaluated(
    opened: Opened, by: Sequence[str], metrics: Sequence[str] | None, progress: Progress
) -> Evaluation:
    part = opened.plan.split.part
    keys = ["target", "weight", "group", *(["split.column"] if part else [])]
    labelled = open_labelled(opened.plan, opened.config, keys, {"by": by})

    def inputs(columns: Sequence[str], whole: bool) -> Iterable[pa.Table | pa.RecordBatch]:
        there = [name for name in columns if name in labelled.inputs]
        return [labelled.table(there, progress)] if whole else labelled.batches(there, progress)

    return evaluate(
        opened.ready(),
        labelled.table(labelled.named, progress),
        text=labelled.source.text,
        part=part,
        by=by,
        metrics=metrics,
        registry=registry_for(opened.config),
        inputs=inputs,
    )


# -- what was asked


def _asked(config: Config) -> tuple[tuple[str, ...], tuple[str, ...] | None, Path | None]:
    """The columns of segments, the names of metrics, and the report's file."""
    mistakes: list[Mistake] = []
    found: dict[str, tuple[str, ...]] = {}
    for key, example in (("by", "by=[carrier,origin]"), ("metrics", "metrics=[auc,log_loss]")):
        given = [] if config[key] is None else config[key]
        names = given if isinstance(given, list) else [given]
        if not all(isinstance(name, str) and name for name in names):
            note = f"such as: {example}"
            mistakes.append(Mistake(key, f"expected names, found {given!r}", (note, _set_by(config, key))))
        found[key] = tuple(map(str, names))
    report = config["report"]
    if report is not None:
        try:
            _check_report(report)
        except ValueError as error:
            mistakes.append(Mistake("report", str(error), (_set_by(config, "report"),)))
    if mistakes:
        raise ConfigError(mistakes)
    return found["by"], found["metrics"] or None, None if report is None else Path(report)


def _check_report(given: Any) -> None:
    """Refuse, before the work, what couldn't be written after it."""
    import importlib.util

    if not isinstance(given, str) or not given.endswith(".html"):
        raise ValueError(f"expected a file that ends in .html, found {given!r}")
    if not Path(given).absolute().parent.is_dir():
        raise ValueError(f"there is no folder {Path(given).parent}")
    if Path(given).is_dir():
        raise ValueError(f"{given} is a folder")
    if importlib.util.find_spec("plotly") is None:
        raise ValueError("its charts need Plotly: pip install 'inference-engine[report]'")


def _set_by(config: Config, key: str) -> str:
    return f"set by: {config.set_by(key)}"


# -- what is told


def _facts(opened: Opened, version: str, found: Evaluation) -> dict[str, Any]:
    plan = opened.plan
    decides = found.task.kind in ("binary", "margin", "decision")
    return {
        "name": plan.name,
        "version": version,
        "part": plan.split.part or "all",
        "task": found.task.kind,
        "target": plan.target.text if plan.target else None,
        "weight": plan.weight or None,
        "threshold": found.task.threshold if decides else None,
        "rows": found.rows,
        "unlabelled": found.unlabelled,
        "rejected": found.rejected,
        "filtered": found.filtered,
        "not_finite": found.not_finite,
    }


def _told(found: Evaluation, by: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"metrics": dict(found.metrics)}
    if by:
        told["by"] = list(dict.fromkeys(by))
        told["segments"] = [
            {
                "values": dict(segment.values) or None,
                "rows": segment.rows,
                "small": segment.small,
                "metrics": dict(segment.metrics),
            }
            for segment in found.segments
        ]
        told["others"] = found.others
    return told


def _overall(found: Evaluation) -> tuple[list[str], list[list[str]]]:
    return [], metric_rows(found.metrics)


def _segments(found: Evaluation, by: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    columns = list(dict.fromkeys(by))
    rows = []
    for segment in found.segments:
        values = [segment.values.get(name) for name in columns]
        shown = ["(missing)" if value is None else value for value in values]
        if not segment.values:
            shown = [f"({found.others:,} others)", *[""] * (len(columns) - 1)]
        count = f"{segment.rows:,}{' *' if segment.small else '  '}"
        numbers = ["–" if value != value else f"{value:.5g}" for value in segment.metrics.values()]
        rows.append([*shown, count, *numbers])
    return [*columns, "rows  ", *found.metrics], rows


def _remarks(opened: Opened, found: Evaluation) -> None:
    part = opened.plan.split.part
    if any(segment.small for segment in found.segments):
        tell(f"*: fewer than {SMALL} rows, so that its metrics say little")
    if not part and any(planned.stage.learns() for planned in opened.plan.stages):
        tell("rows that it was fitted on count, too, if the source holds some; not with split.part=test")
    if found.unlabelled:
        tell(f"left out, because their target is missing: {found.unlabelled:,} rows")
    if found.rejected:
        tell(f"left out, because an input refuses a value: {found.rejected:,} rows")
    if found.filtered:
        tell(f"left out, because a filter refuses them: {found.filtered:,} rows")
    if found.not_finite:
        tell(f"the score of {found.not_finite:,} rows is no finite number, so metrics are undefined")
    if found.task.kind == "ranking" and not opened.plan.group:
        tell("undefined without groups: group=NAME names the column that says which rows are sorted together")
