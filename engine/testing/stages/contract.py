"""A stage held to its contract: every check by name, or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.registry import Registry
from engine.stage import Stage
from engine.testing.kit import PluginCheck, hold
from engine.testing.stages.bench import StageBench
from engine.testing.stages.checks import STAGES
from engine.testing.stand_in import StandIn


def stage_checks(
    stage: str | type[Stage],
    data: Mapping[str, Sequence[Any]] | None = None,
    *,
    columns: Sequence[str] | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[PluginCheck]:
    """The checks that apply to a stage, one by one; the parameters are those of `check_stage`.

    Examples
    --------
    >>> [check.name for check in stage_checks("clip")][:3]
    ['fits', 'documented', 'example_runs']
    """
    registry = registry or Registry()
    cls = registry.load(stage) if isinstance(stage, str) else stage
    bench = StageBench(cls, StandIn(registry, cls), data, columns, options)
    return STAGES.on(bench, expected_failures)


def check_stage(
    stage: str | type[Stage],
    data: Mapping[str, Sequence[Any]] | None = None,
    *,
    columns: Sequence[str] | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """Hold a stage to its contract: same bits however it is run, no value that breaks it, documented.

    Without ``data`` and options it is tested with those of every `run_stage` call in its docstring's
    examples: their columns, filled with generated values among which theirs are. Where there are none, with
    two columns of each kind that it accepts, and its defaults.

    Parameters
    ----------
    stage : str or type of Stage
        Its name, or its class.
    data : mapping of str to sequence, optional
        Ordinary rows to fit and answer, as `run_stage` takes them.
    columns : sequence of str, optional
        Selectors as in a config; left out: every column of a kind that the stage accepts.
    registry : Registry, optional
        Where the stage is found; left out: built-in and installed ones.
    expected_failures : mapping of str to str, optional
        Checks that are known to fail, and why. One that passes is a failure.
    **options
        The stage's own.

    Raises
    ------
    PluginCheckError
        With every check that failed.

    Examples
    --------
    >>> check_stage("log1p")
    """
    hold(
        stage_checks(
            stage, data, columns=columns, registry=registry, expected_failures=expected_failures, **options
        )
    )
