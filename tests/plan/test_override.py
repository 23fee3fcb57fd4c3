"""What may be overridden on a fitted pipeline."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from engine.config.compose import compose
from engine.errors import ConfigError
from engine.plan.build import build_plan
from engine.plan.override import runtime_changes
from engine.plan.plan import Plan
from engine.registry import Registry

LEARNS = """
from engine.stage import ColumnStage, option, stage

@stage("override_test_centre")
class Centre(ColumnStage):
    scale: float = option(1.0, runtime=True)
    strategy: str = "mean"

    def fit(self, columns, context):
        return {}

    def express(self, x, learned):
        return x * self.scale
"""

STORED: dict[str, Any] = {
    "name": "p",
    "inputs": {"x": "number", "y": "number"},
    "stages": {
        "early": {"use": "clip", "columns": ["x"], "lo": 0},
        "centre": {"use": "override_test_centre", "columns": ["x"]},
        "late": {"use": "clip", "columns": ["x", "y"], "hi": 600},
        "last": {"use": "clip", "columns": ["y"]},
    },
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder: Path = tmp_path_factory.mktemp("override")
    (folder / "override_test_centre.py").write_text(LEARNS)
    return Registry([folder])


@pytest.fixture
def old(registry: Registry) -> Plan:
    return build_plan(compose(["bundle=b"], base=STORED), registry)


def changed(old: Plan, registry: Registry, *overrides: str, learned: Collection[str] = ("centre",)) -> str:
    """What is told about overrides of the fitted plan."""
    new = build_plan(compose(["bundle=b", *overrides], base=dict(old.config)), registry)
    mistakes = runtime_changes(old, new, learned)
    return str(ConfigError(mistakes)) if mistakes else ""


@pytest.mark.parametrize(
    "override",
    [
        "stages.late.hi=300",
        "stages.late.lo=-inf",
        "~stages.late",
        "stages.late.enabled=false",
        "keep=[id]",
        "inputs.x={kind: number, missing: fail}",
        "outputs=[y]",
        "golden=8",
        "split.part=test",
        "source.path=x.csv",
    ],
)
def test_allowed(old: Plan, registry: Registry, override: str) -> None:
    assert changed(old, registry, override) == ""


def test_without_anything_learned_the_runtime_options_are_free(old: Plan, registry: Registry) -> None:
    assert changed(old, registry, "stages.early.lo=5", "stages.centre.scale=2", learned=()) == ""


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "stages.early.lo=5",
            "stages.early.lo: needs a refit: 'centre' learned from what 'early' gave\n"
            "  to refit: engine fit pipeline=p source.path=PATH stages.early.lo=5.0",
        ),
        (
            "stages.centre.scale=2",
            "stages.centre.scale: needs a refit: 'centre' learned from the training rows\n"
            "  to refit: engine fit pipeline=p source.path=PATH stages.centre.scale=2.0",
        ),
        (
            "stages.centre.strategy=median",
            "stages.centre.strategy: needs a refit: 'strategy' of 'override_test_centre' is no "
            "runtime option\n"
            "  to refit: engine fit pipeline=p source.path=PATH stages.centre.strategy=median",
        ),
        (
            "~stages.early",
            "stages.early: needs a refit: 'centre' learned from what 'early' gave\n"
            "  to refit: engine fit pipeline=p source.path=PATH ~stages.early",
        ),
        (
            "stages.late.columns=[x]",
            "stages.late.columns: needs a refit: 'columns' of a stage is fixed once it is fitted\n"
            "  to refit: engine fit pipeline=p source.path=PATH 'stages.late.columns=[x]'",
        ),
        (
            "stages.last.before=late",
            "stages.last.before: needs a refit: the order of stages is fixed once it is fitted\n"
            "  to refit: engine fit pipeline=p source.path=PATH stages.last.before=late",
        ),
        (
            "+stages.new={use: clip, columns: [x], hi: 3}",
            "stages.new: needs a refit: a fitted pipeline takes no new stage, and 'new' is one\n"
            "  to refit: engine fit pipeline=p source.path=PATH "
            "'+stages.new={use: clip, columns: [x], lo: \"-inf\", hi: 3.0, quantiles: null}'",
        ),
        (
            "inputs.z=number",
            "inputs.z: needs a refit: the pipeline was fitted with another value\n"
            "  to refit: engine fit pipeline=p source.path=PATH inputs.z=number",
        ),
        (
            "target={column: y}",
            "target: needs a refit: the pipeline was fitted with another value\n"
            "  to refit: engine fit pipeline=p source.path=PATH 'target={column: y}'",
        ),
        (
            "seed=3",
            "seed: needs a refit: the pipeline was fitted with another value\n"
            "  to refit: engine fit pipeline=p source.path=PATH seed=3",
        ),
    ],
)
def test_needs_a_refit(old: Plan, registry: Registry, override: str, message: str) -> None:
    assert changed(old, registry, override) == message


def test_the_command_refits_with_every_change(old: Plan, registry: Registry) -> None:
    told = changed(old, registry, "stages.early.lo=5", "seed=3", "stages.late.hi=1")
    command = (
        "  to refit: engine fit pipeline=p source.path=PATH stages.early.lo=5.0 stages.late.hi=1.0 seed=3"
    )
    assert told.count(command) == 2
    assert told.startswith("2 mistakes in the config:")
