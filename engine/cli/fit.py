"""``engine fit``: a labelled source to a bundle."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.bundle import versions
from engine.cli.arguments import Arguments
from engine.cli.labelled import read_labelled
from engine.cli.open import open_config
from engine.cli.output import aligned, metric_rows, result_json, tell
from engine.cli.progress import reporting
from engine.errors import UserError
from engine.pipeline import Pipeline
from engine.plan.build import build_plan


def run(arguments: Arguments) -> int:
    """Fit a pipeline, save it, and say how good it is."""
    began = time.perf_counter()
    config, _ = open_config(arguments, saves=True)
    plan = build_plan(config)
    folder = _folder(config["bundle"], plan.name)
    with reporting("fit") as progress:
        table, text = read_labelled(
            plan, config, progress, ("target", "split.column", "weight", "group", "keep")
        )
        from engine.api import fit

        pipeline = fit(config, table, text=text, progress=progress)
    there = pipeline.version in versions(folder)
    version = pipeline.save(folder)
    seconds = time.perf_counter() - began
    fitted = pipeline.fitted
    assert fitted is not None
    if arguments.json:
        result_json(
            {
                "name": plan.name,
                "version": pipeline.version,
                "bundle": str(folder),
                "folder": str(version),
                "rows": dict(fitted.rows),
                "part": held_out(pipeline),
                "metrics": dict(fitted.metrics),
                "seconds": seconds,
            }
        )
    tell(summary(pipeline))
    if there:
        tell(
            f"unchanged: version {pipeline.version} was in {folder} already, and is in use; "
            "the metrics in it are those of the fit that saved it"
        )
    else:
        tell(f"saved version {pipeline.version} in {folder}, {seconds:.1f} s in all")
    # a bundle never says where plugins come from
    own = f" 'plugins=[{','.join(config['plugins'])}]'" if config["plugins"] else ""
    tell(f"next: engine explain bundle={folder}{own}")
    tell(
        f"      engine batch bundle={folder} source.path={config['source']['path']}"
        f" sink.path=scores.parquet{own}"
    )
    return 0


def held_out(pipeline: Pipeline) -> str:
    """The part of the labelled rows that the metrics of a fit are of."""
    rows = pipeline.fitted.rows if pipeline.fitted else {}
    return next((part for part in ("test", "valid", "train") if rows.get(part)), "train")


def summary(pipeline: Pipeline) -> str:
    """Rows and metrics of a fit, for people."""
    fitted = pipeline.fitted
    assert fitted is not None
    parts = ", ".join(f"{part} {fitted.rows[part]:,}" for part in ("train", "valid", "test"))
    lines = [f"fitted {pipeline.plan.name}: rows: {parts}"]
    if fitted.rows["unlabelled"]:
        lines.append(f"left out, because their target is missing: {fitted.rows['unlabelled']:,} rows")
    if fitted.rows.get("filtered"):
        lines.append(f"left out, because a filter refuses them: {fitted.rows['filtered']:,} rows")
    lines += [f"hint: {hint}" for hint in fitted.hints]
    if fitted.metrics:
        lines.append(f"metrics of the {held_out(pipeline)} part")
        lines.append(aligned(metric_rows(fitted.metrics), indent=2))
    return "\n".join(lines)


def _folder(bundle: str | None, name: str) -> Path:
    """Where to save; what can be refused is refused before the work, not after it."""
    folder = Path(bundle) if bundle is not None else Path("bundles") / name
    if (folder / "manifest.json").is_file() and folder.parent.name == "versions":
        folder = folder.parent.parent  # a version was given; another becomes its neighbour
    standing = next(above for above in (folder, *folder.absolute().parents) if above.exists())
    if not standing.is_dir():
        raise UserError(f"bundle: {standing} is a file, so nothing can be saved in {folder}")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise UserError(
            f"bundle: the folder {standing} can't be written to, so nothing can be saved in {folder}"
        )
    return folder
