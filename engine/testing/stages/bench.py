"""A stage on the bench: with what its author gives, with its examples' options, or with what is generated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.schema import Kind
from engine.stage import Stage
from engine.testing.documentation import Bench, Examples, run_examples
from engine.testing.stages.data import Sample
from engine.testing.stages.run import Call, watched
from engine.testing.stages.subject import Case, Subject


@dataclass
class StageBench(Bench):
    """A stage under test; its checks share what was fitted.

    Parameters
    ----------
    data : mapping of str to sequence, optional
        The author's own rows.
    columns : sequence of str, optional
    options : mapping
    """

    cls: type[Stage]
    data: Mapping[str, Sequence[Any]] | None = None
    columns: Sequence[str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def suggestion(self) -> str:
        """An example of a stage."""
        return ">>> run_stage(NAME, {'x': [1.0, None]}, option=…)"

    @cached_property
    def examples(self) -> Examples:
        """What became of the docstring's examples."""
        return self._ran[0]

    @cached_property
    def _ran(self) -> tuple[Examples, tuple[Call, ...]]:
        """And the calls of `run_stage` in them, with this stage."""
        with watched(self.registry) as calls:
            found = run_examples(self.cls)
        return found, tuple(call for call in calls if call.use == self.cls.use)

    @cached_property
    def subjects(self) -> list[Subject]:
        """The stage with each set of options."""
        return [Subject(self.cls, self.registry, case) for case in self._cases()]

    def _cases(self) -> Iterator[Case]:
        selectors = None if self.columns is None else tuple(self.columns)
        if self.data is not None:
            samples = tuple(Sample.of(name, values, given=True) for name, values in self.data.items())
            yield Case(samples, selectors, self.options)
            return
        calls = self._ran[1]
        if calls and not self.options and self.columns is None:
            yield from map(Case.of, calls)
            return
        kinds = [kind for kind in self.cls.accepts if kind is not Kind.TEXT]
        made = [Sample(f"{kind}_{i}", kind) for kind in kinds for i in (1, 2)]
        yield Case(tuple(made), selectors, self.options)
