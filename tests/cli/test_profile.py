"""`engine explain … profile=true`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.timing import measure
from tests.cli.conftest import Run
from tests.random_pipelines import pipelines, training_table
from tests.test_parity import fitted


def test_a_profile_of_a_bundle(run: Run) -> None:
    given = ("explain", "bundle=bundles/prices", "source.path=houses.parquet", "profile=true")
    ran = run(*given, "--json", conf=False)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert (found["name"], found["rows"], found["refused"], found["compiled"]) == ("prices", 400, 0, True)
    times = found["ns_per_row"]
    assert times["whole"] == pytest.approx(times["program"] + times["rest"]) or times["rest"] == 0
    stages = found["stages_alone"]
    assert [stage["label"] for stage in stages] == ["fill", "city", "squeeze", "model", "decide"]
    assert all(stage["ns_per_row"] > 0 for stage in stages)
    assert sum(stage["share"] for stage in stages) == pytest.approx(1)
    text = run(*given, conf=False).out
    assert "each stage alone" in text and "they don't add up to it" in " ".join(text.split())


def test_a_profile_of_a_pipeline_that_learns_nothing(run: Run) -> None:
    ran = run("explain", "pipeline=stated", "source.path=houses.parquet", "profile=true")
    assert ran.code == 0, ran.err
    assert "squeeze" in ran.out and "double" in ran.out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["profile=true"], "source.path: profile=true needs rows to run"),
        (["profile=maybe"], "profile: must be true or false, not 'maybe'"),
        (["source.path=houses.parquet"], "add profile=true, or remove source"),
        (["source.path=nowhere.parquet", "profile=true"], "nowhere.parquet"),
    ],
)
def test_mistakes(argv: list[str], message: str, run: Run) -> None:
    ran = run("explain", "bundle=bundles/prices", *argv, conf=False)
    assert ran.code == 2
    assert message in ran.err


def test_a_pipeline_that_is_not_fitted_has_no_profile(run: Run) -> None:
    ran = run("explain", "pipeline=prices", "source.path=houses.parquet", "profile=true")
    assert ran.code == 2
    assert "has to be fitted first" in ran.err


@pytest.mark.parametrize("seed", range(4))
def test_every_stage_is_measured(seed: int) -> None:
    pipeline = fitted(pipelines(np.random.default_rng(seed)), seed)
    batch = training_table(5).drop_columns(["y"]).combine_chunks().to_batches()[0]
    found = measure(pipeline, batch)
    assert [stage.label for stage in found.stages] == [planned.label for planned in pipeline.plan.stages]
    assert found.whole > 0 and found.program > 0
