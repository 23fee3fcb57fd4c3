"""Named checks of plugins, of whatever kind: run one by one, or all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from engine.declare import Plugin
from engine.errors import UserError, did_you_mean, listing
from engine.testing.documentation import Bench
from engine.testing.outcome import CheckFailedError, NotCheckedError

_B = TypeVar("_B", bound=Bench)


class PluginCheckError(AssertionError):
    """A plugin doesn't keep its contract; the text lists every check that failed, and what to change.

    Attributes
    ----------
    failed : mapping of str to str
        What was found, by the check's name.
    """

    def __init__(self, kind: str, plugin: str, failed: Mapping[str, str]) -> None:
        self.failed = dict(failed)
        lines = [f"{name}: {text}" for name, text in failed.items()]
        super().__init__(
            f"the {kind} {plugin!r} fails {len(lines)} check{'s' if len(lines) > 1 else ''}\n  "
            + "\n  ".join(line.replace("\n", "\n    ") for line in lines)
        )


@dataclass(frozen=True)
class PluginCheck:
    """One check of one plugin; call it to run it.

    Parameters
    ----------
    kind, plugin : str
    name : str
        A key of its kit's ``checks``.
    reason : str
        Why it is expected to fail; empty: it isn't.
    """

    kind: str
    plugin: str
    name: str
    reason: str
    run: Callable[[], None] = field(repr=False)

    def found(self) -> str | None:
        """What is wrong, in words for the author; None: nothing.

        Raises
        ------
        NotCheckedError
            The check has nothing to go on.
        """
        try:
            self.run()
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
        PluginCheckError
        NotCheckedError
        """
        text = self.found()
        if text is not None:
            raise PluginCheckError(self.kind, self.plugin, {self.name: text})


@dataclass(frozen=True, slots=True)
class Check(Generic[_B]):
    """One check of a kind of plugin.

    Parameters
    ----------
    run : callable
        Looks at what is on the bench; raises `CheckFailedError` or `NotCheckedError`.
    applies : callable or None
        Which classes it is for; None: all.
    """

    run: Callable[[_B], None]
    applies: Callable[[type[Any]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Kit(Generic[_B]):
    """The checks of one kind of plugin.

    Parameters
    ----------
    kind : str
        A key of `engine.registry.KINDS`.
    checks : mapping of str to Check
        By name, in the order in which they run.
    """

    kind: str
    checks: Mapping[str, Check[_B]]

    def on(self, bench: _B, expected_failures: Mapping[str, str] | None) -> Iterator[PluginCheck]:
        """The checks that apply to a plugin, one by one.

        Raises
        ------
        UserError
            A check is expected to fail that doesn't exist, or doesn't apply.
        """
        expected = dict(expected_failures or {})
        for name in expected:
            if name not in self.checks:
                raise UserError(
                    f"expected_failures: there is no check {name!r}.{did_you_mean(name, self.checks)}"
                    f"\n  checks: {listing(self.checks, 40)}"
                )
        cls: type[Plugin] = bench.cls
        for name, check in self.checks.items():
            if check.applies is None or check.applies(cls):
                yield PluginCheck(self.kind, cls.use, name, expected.get(name, ""), partial(check.run, bench))
            elif name in expected:
                raise UserError(
                    f"expected_failures: the check {name!r} doesn't apply to {cls.use!r}; remove it"
                )


def hold(checks: Iterator[PluginCheck]) -> None:
    """Run all checks of a plugin.

    Raises
    ------
    PluginCheckError
        With every check that failed.
    """
    failed: dict[str, str] = {}
    kind = plugin = ""
    for check in checks:
        kind, plugin = check.kind, check.plugin
        try:
            text = check.found()
        except NotCheckedError:
            continue
        if text is not None:
            failed[check.name] = text
    if failed:
        raise PluginCheckError(kind, plugin, failed)
