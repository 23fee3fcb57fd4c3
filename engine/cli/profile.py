"""``engine explain … profile=true``: where the time of a pipeline goes."""

from __future__ import annotations

import textwrap
from typing import Any

import pyarrow as pa

from engine.cli.open import Opened
from engine.cli.output import aligned
from engine.errors import ConfigError, DataError, Mistake
from engine.pipeline import Pipeline
from engine.runtime.io import Source, open_source
from engine.timing import Profile, measure

SAMPLE = 100_000
"""Rows that are run, at most."""

_FEW = 10_000
_MEANING = (
    "The whole goes from an Arrow batch in memory to another, on one thread; files are not read or written. "
    "The program is every stage in one compiled piece; the rest of the whole is decoding values and encoding "
    "answers. A stage alone is compiled apart, reads its columns from memory and writes all it makes. The "
    "program fuses stages, folds some into the model and leaves out what no split uses, so that they don't "
    "add up to it: they say which stage is dear, and not how much faster the whole is without it."
)


def profiled(opened: Opened) -> Profile:
    """Measure a sample of the source.

    Raises
    ------
    ConfigError, DataError
        There is no source, or it doesn't fit; the pipeline has to be fitted first.
    """
    pipeline = opened.ready()
    config = opened.config["source"]
    if not (isinstance(config, str) or (isinstance(config, dict) and config.get("path"))):
        note = "such as: engine explain bundle=PATH source.path=PATH profile=true"
        raise ConfigError([Mistake("source.path", "profile=true needs rows to run", (note,))])
    source = open_source(config)
    pipeline.check_schema(source.schema, str(source.path), text=source.text)
    return measure(pipeline, _sample(pipeline, source), text=source.text)


def _sample(pipeline: Pipeline, source: Source) -> pa.RecordBatch:
    """The first rows of a source, with the columns that any input or ``keep`` names."""
    wanted = {*(item.name for item in pipeline.plan.inputs), *pipeline.reads}
    columns = [name for name in source.schema.names if name in wanted]
    batches: list[pa.RecordBatch] = []
    for batch in source.batches(columns, SAMPLE):
        batches.append(batch)
        if sum(part.num_rows for part in batches) >= SAMPLE:
            break
    if not sum(part.num_rows for part in batches):
        raise DataError(f"{source.path}: holds no rows, and profile=true needs some to run")
    table = pa.Table.from_batches(batches).slice(0, SAMPLE).combine_chunks()
    found: pa.RecordBatch = table.to_batches()[0]
    return found


def profile_json(profile: Profile) -> dict[str, Any]:
    """A profile as plain values."""
    return {
        "rows": profile.rows,
        "refused": profile.refused,
        "compiled": profile.compiled,
        "ns_per_row": {"whole": profile.whole, "program": profile.program, "rest": profile.rest},
        "stages_alone": [
            {
                "label": stage.label,
                "use": stage.use,
                "ns_per_row": stage.ns,
                "share": _share(stage.ns, profile),
            }
            for stage in profile.stages
        ],
    }


def _share(ns: float, profile: Profile) -> float:
    return ns / profile.alone if profile.alone else 0.0


def profile_text(name: str, profile: Profile) -> str:
    """A profile for people."""
    refused = f"; {profile.refused:,} that inputs refuse are left out" if profile.refused else ""
    lines = [f"profile of {name}: {profile.rows:,} rows{refused}", ""]
    if not profile.compiled:
        lines[1:1] = ["interpreted, not compiled: times say little about a compiled pipeline"]
    rows = [
        ["", "ns a row", "share"],
        ["whole", f"{profile.whole:,.1f}", "100 %"],
        ["  program, all stages fused", f"{profile.program:,.1f}", _percent(profile.program, profile.whole)],
        ["  decoding and encoding", f"{profile.rest:,.1f}", _percent(profile.rest, profile.whole)],
    ]
    lines += [aligned(rows, right=(1, 2)), ""]
    if profile.stages:
        rows = [["each stage alone", "", "ns a row", "share"]]
        rows += [
            [f"  {stage.label}", stage.use, f"{stage.ns:,.1f}", _percent(stage.ns, profile.alone)]
            for stage in profile.stages
        ]
        rows.append(["  their sum", "", f"{profile.alone:,.1f}", "100 %"])
        lines += [aligned(rows, right=(2, 3)), ""]
    few = f" Fewer than {_FEW:,} rows: much of each time is the cost of a call, whatever it computes."
    return "\n".join([*lines, *textwrap.wrap(_MEANING + few * (profile.rows < _FEW), 110)])


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
