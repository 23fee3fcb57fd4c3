"""Every stage and every check as a test of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from engine.registry import Registry
from engine.testing.kit import StageCheck, stage_checks
from engine.testing.subject import NotCheckedError


def parametrize_stages(
    names: Iterable[str] | None = None,
    registry: Registry | None = None,
    *,
    plugins: Iterable[str | Path] = (),
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
    expected_failures : mapping of str to mapping, optional
        By stage: checks that are known to fail, and why. One that passes is a failure.

    Examples
    --------
    >>> @parametrize_stages(["clip"])
    ... def test_contract(check):
    ...     check()
    """
    import pytest

    folders = list(plugins)
    registry = registry or Registry(folders)
    if names is None:
        own = [file.stem for folder in folders for file in sorted(Path(folder).glob("[!_]*.py"))]
        names = own or registry.names()
    expected = dict(expected_failures or {})
    names = list(names)
    if unknown := sorted(set(expected) - set(names)):
        raise ValueError(f"expected_failures: {unknown[0]!r} is not among the stages that are checked")
    params = [
        pytest.param(partial(_run, check), id=f"{name}-{check.name}")
        for name in names
        for check in stage_checks(name, registry=registry, expected_failures=expected.get(name))
    ]
    return pytest.mark.parametrize("check", params)


def _run(check: StageCheck) -> None:
    import pytest

    try:
        check()
    except NotCheckedError as error:
        pytest.skip(f"not checked: {error}")
    if check.reason:
        pytest.xfail(check.reason)
