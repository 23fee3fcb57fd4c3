"""Checks of what any plugin says of itself: a sentence, the help of its options, an example that runs."""

from __future__ import annotations

import doctest
import inspect
import sys
from dataclasses import dataclass
from functools import cached_property

from engine.declare import Plugin
from engine.errors import listing
from engine.registry import Registry
from engine.stage import option_fields, option_info
from engine.testing.outcome import CheckFailedError


@dataclass(frozen=True)
class Examples:
    """What became of a docstring's examples.

    Parameters
    ----------
    count : int
    failures : str
        What `doctest` says of those that failed.
    """

    count: int
    failures: str


@dataclass
class Bench:
    """A plugin under test; its checks share what its examples showed.

    Parameters
    ----------
    cls : type of Plugin
    registry : Registry
        In which the class stands for its name.
    """

    cls: type[Plugin]
    registry: Registry

    @property
    def suggestion(self) -> str:
        """An example of the kind, for who has none."""
        return f">>> {self.cls.__name__}(option=…)"

    @cached_property
    def examples(self) -> Examples:
        """What became of the docstring's examples."""
        return run_examples(self.cls)


def run_examples(cls: type[Plugin]) -> Examples:
    """Run the examples of a plugin's docstring."""
    module = sys.modules.get(cls.__module__)
    names = dict(vars(module)) if module else {}
    text = inspect.getdoc(cls) or ""
    test = doctest.DocTestParser().get_doctest(text, names, cls.__name__, cls.__module__, 0)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return Examples(len(test.examples), "".join(said).strip())


def documented(bench: Bench) -> None:
    """Its docstring begins with a sentence, and every option has a line of help."""
    cls = bench.cls
    text = (inspect.getdoc(cls) or "").strip()
    if not text or text.startswith(f"{cls.__name__}("):  # what dataclasses write themselves
        raise CheckFailedError("it has no docstring; write one: its first line is what 'engine stages' shows")
    first = text.splitlines()[0]
    if not first.endswith("."):
        raise CheckFailedError(
            f"its docstring begins with {first!r}; make the first line a sentence that ends with a full "
            "stop: 'engine stages' shows it"
        )
    silent = [item.name for item in option_fields(cls) if not option_info(item).help]
    if silent:
        raise CheckFailedError(
            f'{listing(silent)}: no help; say what it is for, as in {silent[0]}: … = option(…, help="…")'
        )


def example_runs(bench: Bench) -> None:
    """Its docstring has an example, which gives what it shows."""
    found = bench.examples
    if not found.count:
        raise CheckFailedError(
            f"its docstring has no example; show one: {bench.suggestion}, and below it what it gives"
        )
    if found.failures:
        raise CheckFailedError(f"an example of its docstring doesn't give what it shows\n{found.failures}")
