"""Checks of what a stage learns, and of what it does to the arrays it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.pipeline import Pipeline
from engine.stage import ColumnStage, Stage
from engine.testing.outcome import CheckFailedError, NotCheckedError
from engine.testing.stages.compare import answers, difference
from engine.testing.stages.subject import LABEL, Subject
from engine.values import Categories

_GIVEN_ARRAYS = ("fit", "compute")
"""Methods that are given arrays."""


def fit_twice(subject: Subject) -> None:
    """Fitted twice on the same rows, it answers with the same bits and has the same version."""
    need_plain(subject)
    again, first = subject.fit(), subject.pipeline
    remedy = "use context.rng (or context.seed) where chance is needed, and sort what has no order"
    rows = subject.hard
    found = difference(rows, list(first.outputs), answers(first, rows), answers(again, rows))
    if found is not None:
        place, a, b = found
        raise CheckFailedError(f"fitted twice on the same rows, {place} is {a!r}, then {b!r}; {remedy}")
    if first.digest != again.digest:
        names = _changed(first, again)
        raise CheckFailedError(f"fitted twice on the same rows, what it learned differs: {names}; {remedy}")


def learned_is_plain(subject: Subject) -> None:
    """What it learned is numeric arrays, texts and lists of texts: in a `ColumnStage` one for each column."""
    learned = subject.pipeline.learned.get(LABEL, {})
    for name, value in learned.items():
        if not _is_plain(value):
            raise CheckFailedError(
                f"it learns {_described(value)} as {name!r}; return a numeric array, a tuple of str or a "
                "tuple of tuples of str: nothing else is stored in a bundle"
            )
        columns = len(subject.pipeline.trace.steps[-1].selected)
        if issubclass(subject.cls, ColumnStage) and len(value) != columns:
            raise CheckFailedError(
                f"it learns {len(value)} items as {name!r} for {columns} columns; a ColumnStage learns one "
                "for each column, in their order"
            )


def need_plain(subject: Subject) -> None:
    """Leave a check that stores what was learned, where that can't be stored."""
    if not all(_is_plain(value) for value in subject.pipeline.learned.get(LABEL, {}).values()):
        raise NotCheckedError("see 'learned_is_plain'")


def inputs_untouched(subject: Subject) -> None:
    """The arrays that it is given to learn from, to compute with or to score are as before."""
    changed: list[str] = []
    watched = subject.fit(cls=_watched(subject.cls, changed))
    answers(watched, subject.hard)
    for scorer in subject.pipeline.scorers.values():
        features = np.random.default_rng(3).normal(size=(300, scorer.n_features)).astype(np.float32)
        features[::7] = np.nan
        before = features.copy()
        scorer.many(features)
        if features.tobytes() != before.tobytes():
            changed.append("the scorer's many() changes its features")
    if changed:
        raise CheckFailedError(
            f"{changed[0]}; others read the same memory: work on a copy, as in np.where(…) or values.copy()"
        )


def _watched(cls: type[Stage], changed: list[str]) -> type[Stage]:
    """The same stage, which notes where it changes an array that it was given."""
    body: dict[str, Any] = {"__module__": cls.__module__, "__doc__": cls.__doc__}
    for name in _GIVEN_ARRAYS:
        own = getattr(cls, name, None)
        if own is not None and own is not getattr(Stage, name, None):
            body[name] = _watching(name, own, changed)
    return type(cls.__name__, (cls,), body)


def _watching(name: str, own: Callable[..., Any], changed: list[str]) -> Callable[..., Any]:
    def method(self: Stage, columns: Mapping[str, Any], *rest: Any, **more: Any) -> Any:
        before = {column: _bytes(values) for column, values in columns.items()}
        found = own(self, columns, *rest, **more)
        changed.extend(
            f"{name}() changes the values of {column!r}"
            for column, values in columns.items()
            if _bytes(values) != before.get(column)
        )
        return found

    return method


def _bytes(values: Any) -> bytes:
    array = values.codes if isinstance(values, Categories) else np.asarray(values)
    return array.tobytes()


def _is_plain(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    if not isinstance(value, tuple):
        return False
    return all(isinstance(item, str) for item in value) or all(
        isinstance(item, tuple) and all(isinstance(text, str) for text in item) for item in value
    )


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, tuple | list) and value:
        return f"a {type(value).__name__} of {type(value[0]).__name__}"
    return f"a {type(value).__name__}"


def _changed(first: Pipeline, again: Pipeline) -> str:
    old, new = first.learned.get(LABEL, {}), again.learned.get(LABEL, {})
    return (
        ", ".join(name for name in old if not (name in new and np.array_equal(old[name], new[name])))
        or "its names"
    )
