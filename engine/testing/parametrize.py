"""Every plugin of a kind and every check as a test of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.registry import KINDS, Registry
from engine.testing.kit import PluginCheck
from engine.testing.outcome import NotCheckedError
from engine.testing.scorers.contract import scorer_checks
from engine.testing.sinks.contract import sink_checks
from engine.testing.sources.contract import source_checks
from engine.testing.stages.contract import stage_checks

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def parametrize_stages(
    names: Iterable[str] | None = None,
    registry: Registry | None = None,
    *,
    plugins: Iterable[str | Path] = (),
    given: Mapping[str, Mapping[str, Any]] = _NOTHING,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """A pytest decorator: one test for each stage and check, which is called with ``check``.

    Parameters
    ----------
    names : iterable of str, optional
        The stages; left out: those in ``plugins``, and without any the built-in and installed ones.
    registry : Registry, optional
        Where they are found.
    plugins : iterable of path
        Folders with stages of your own.
    given : mapping of str to mapping
        By stage: what `check_stage` is given besides the name.
    expected_failures : mapping of str to mapping, optional
        By stage: checks that are known to fail, and why. One that passes is a failure.

    Examples
    --------
    >>> @parametrize_stages(["clip"])
    ... def test_contract(check):
    ...     check()
    """
    return _parametrized("stage", stage_checks, names, registry, plugins, given, expected_failures)


def parametrize_sources(
    names: Iterable[str] | None = None,
    registry: Registry | None = None,
    *,
    plugins: Iterable[str | Path] = (),
    given: Mapping[str, Mapping[str, Any]] = _NOTHING,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """The same for sources: ``given`` is, by source, what `check_source` is given besides the name."""
    return _parametrized("source", source_checks, names, registry, plugins, given, expected_failures)


def parametrize_sinks(
    names: Iterable[str] | None = None,
    registry: Registry | None = None,
    *,
    plugins: Iterable[str | Path] = (),
    given: Mapping[str, Mapping[str, Any]] = _NOTHING,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """The same for sinks: ``given`` is, by sink, what `check_sink` is given besides the name."""
    return _parametrized("sink", sink_checks, names, registry, plugins, given, expected_failures)


def parametrize_scorers(
    names: Iterable[str] | None = None,
    registry: Registry | None = None,
    *,
    plugins: Iterable[str | Path] = (),
    given: Mapping[str, Mapping[str, Any]] = _NOTHING,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
) -> Any:
    """The same for scorers: ``given`` is, by scorer, what `check_scorer` is given besides the name."""
    return _parametrized("scorer", scorer_checks, names, registry, plugins, given, expected_failures)


def _parametrized(
    kind: str,
    checks_of: Callable[..., Iterator[PluginCheck]],
    names: Iterable[str] | None,
    registry: Registry | None,
    plugins: Iterable[str | Path],
    given: Mapping[str, Mapping[str, Any]],
    expected_failures: Mapping[str, Mapping[str, str]] | None,
) -> Any:
    import pytest

    folders = list(plugins)
    registry = registry or Registry(folders)
    if names is None:
        own = [Path(folder, KINDS[kind].folder) for folder in folders]
        names = [file.stem for folder in own for file in sorted(folder.glob("[!_]*.py"))]
        names = names or registry.names(kind)
    expected = dict(expected_failures or {})
    names = list(names)
    for said, by_name in (("given", given), ("expected_failures", expected)):
        if unknown := sorted(set(by_name) - set(names)):
            raise ValueError(f"{said}: {unknown[0]!r} is not among the {kind}s that are checked")
    params = [
        pytest.param(partial(_run, check), id=f"{name}-{check.name}")
        for name in names
        for check in checks_of(
            name, registry=registry, expected_failures=expected.get(name), **given.get(name, {})
        )
    ]
    return pytest.mark.parametrize("check", params)


def _run(check: PluginCheck) -> None:
    import pytest

    try:
        check()
    except NotCheckedError as error:
        pytest.skip(f"not checked: {error}")
    if check.reason:
        pytest.xfail(check.reason)
