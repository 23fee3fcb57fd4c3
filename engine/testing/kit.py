"""A stage held to its contract: every check by name, or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.errors import UserError, did_you_mean, listing
from engine.registry import Registry
from engine.stage import Stage
from engine.testing.checks import CHECKS, Check
from engine.testing.subject import (
    CheckFailedError,
    Examples,
    NotCheckedError,
    Subject,
    run_examples,
    subjects,
)


class StageCheckError(AssertionError):
    """A stage doesn't keep its contract; the text lists every check that failed, and what to change.

    Attributes
    ----------
    failed : mapping of str to str
        What was found, by the check's name.
    """

    def __init__(self, stage: str, failed: Mapping[str, str]) -> None:
        self.failed = dict(failed)
        lines = [f"{name}: {text}" for name, text in failed.items()]
        super().__init__(
            f"the stage {stage!r} fails {len(lines)} check{'s' if len(lines) > 1 else ''}\n  "
            + "\n  ".join(line.replace("\n", "\n    ") for line in lines)
        )


@dataclass
class Bench:
    """A stage under test; its checks share what was fitted and what its examples showed."""

    cls: type[Stage]
    registry: Registry
    data: Mapping[str, Sequence[Any]] | None = None
    columns: Sequence[str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def examples(self) -> Examples:
        """What became of the docstring's examples."""
        return run_examples(self.cls, self.registry)

    @cached_property
    def subjects(self) -> list[Subject]:
        """The stage with each set of options."""
        found = subjects(self.cls, self.registry, self.examples, self.data, self.columns, self.options)
        return list(found)


@dataclass(frozen=True)
class StageCheck:
    """One check of one stage; call it to run it.

    Parameters
    ----------
    stage : str
    name : str
        A key of `CHECKS`.
    reason : str
        Why it is expected to fail; empty: it isn't.
    """

    stage: str
    name: str
    reason: str
    bench: Bench = field(repr=False)

    def found(self) -> str | None:
        """What is wrong, in words for the author; None: nothing.

        Raises
        ------
        NotCheckedError
            The check has nothing to go on, because another one failed.
        """
        try:
            CHECKS[self.name].run(self.bench)
        except CheckFailedError as failed:
            text = str(failed)
        else:
            text = ""
        if not self.reason:
            return text or None
        if text:
            return None
        return f"no longer fails: remove it from expected_failures (reason: {self.reason})"

    def __call__(self) -> None:
        """Run it.

        Raises
        ------
        StageCheckError
        NotCheckedError
        """
        text = self.found()
        if text is not None:
            raise StageCheckError(self.stage, {self.name: text})


def stage_checks(
    stage: str | type[Stage],
    data: Mapping[str, Sequence[Any]] | None = None,
    *,
    columns: Sequence[str] | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[StageCheck]:
    """The checks that apply to a stage, one by one; the parameters are those of `check_stage`.

    Examples
    --------
    >>> [check.name for check in stage_checks("clip")][:3]
    ['fits', 'documented', 'example_runs']
    """
    registry = registry or Registry()
    cls = registry.load(stage) if isinstance(stage, str) else stage
    expected = dict(expected_failures or {})
    for name in expected:
        if name not in CHECKS:
            raise UserError(
                f"expected_failures: there is no check {name!r}.{did_you_mean(name, CHECKS)}"
                f"\n  checks: {listing(CHECKS, 40)}"
            )
    bench = Bench(cls, registry, data, columns, options)
    for name, check in CHECKS.items():
        if _applies(check, cls):
            yield StageCheck(cls.use, name, expected.get(name, ""), bench)
        elif name in expected:
            raise UserError(f"expected_failures: the check {name!r} doesn't apply to {cls.use!r}; remove it")


def _applies(check: Check, cls: type[Stage]) -> bool:
    return check.applies is None or check.applies(cls)


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
    StageCheckError
        With every check that failed.

    Examples
    --------
    >>> check_stage("log1p")
    """
    failed: dict[str, str] = {}
    checks = stage_checks(
        stage, data, columns=columns, registry=registry, expected_failures=expected_failures, **options
    )
    name = stage if isinstance(stage, str) else stage.use
    for check in checks:
        try:
            text = check.found()
        except NotCheckedError:
            continue
        if text is not None:
            failed[check.name] = text
    if failed:
        raise StageCheckError(name, failed)
