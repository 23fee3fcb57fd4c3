"""A scorer on the bench: models, rows that are hard for each, and what XGBoost predicts for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.forest.by_plugin import hard_rows, plain_rows
from engine.forest.model import Model, read_model
from engine.forest.oracle import predict
from engine.scorer import Scorer, ScorerPlugin
from engine.testing.documentation import Bench
from engine.testing.outcome import CheckFailedError, NotCheckedError, running
from engine.testing.scorers.models import trained

Floats = NDArray[np.float32]

SCORE = "a model that it makes ready it must score, whatever the features; else give a reason"


@dataclass(frozen=True)
class Case:
    """A model, and what is expected of its scorer.

    Parameters
    ----------
    label : str
        What messages call it.
    model : Model
    rows : float32 array, shape (n, n_features)
    wanted : float32 array, shape (n, n_outputs)
        XGBoost's predictions.
    """

    label: str
    model: Model
    rows: Floats
    wanted: Floats


@dataclass(frozen=True)
class Subject:
    """A scorer of one model."""

    case: Case
    scorer: Scorer

    def many(self, rows: Floats, how: str, threads: int = 1) -> Floats:
        """Scores of a block; an exception, another shape or another type is a failure."""
        with running(f"{how}, of {self.case.label}", SCORE):
            found = self.scorer.many(rows, threads) if threads > 1 else self.scorer.many(rows)
        shape = (len(rows), self.case.wanted.shape[1])
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
            what = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else repr(found)
            raise CheckFailedError(
                f"{how}, of {self.case.label}, many() gives {what}; give float32 of {shape}"
            )
        return found

    def one(self, row: Floats, how: str) -> Floats:
        """The scores of a row; an exception is a failure."""
        scores = np.empty(self.case.wanted.shape[1], np.float32)
        with running(f"{how}, of {self.case.label}", SCORE):
            self.scorer.one(row, scores)
        return scores

    def same(self, found: Floats, wanted: Floats, said: tuple[str, str], remedy: str) -> None:
        """Fail where two arrays of scores have other bits."""
        differs = np.argwhere(found.view(np.uint32) != wanted.view(np.uint32))
        if len(differs):
            row, output = differs[0]
            a, b = float(found[row, output]), float(wanted[row, output])
            where = f"row {row}" if wanted.shape[1] == 1 else f"output {output} of row {row}"
            raise CheckFailedError(
                f"of {self.case.label}, {where} is {a!r} {said[0]} and {b!r} {said[1]}; {remedy}"
            )


@dataclass(eq=False)
class ScorerBench(Bench):
    """A scorer under test.

    Parameters
    ----------
    models : mapping of str to bytes
        The author's models by what messages call them; empty: models that are trained here.
    """

    cls: type[ScorerPlugin]
    models: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def cases(self) -> list[Case]:
        """Every model with what XGBoost predicts."""
        return [case_of(label, data) for label, data in (self.models or trained()).items()]

    def make(self, case: Case) -> Scorer | str:
        """What the plugin makes of a model."""
        with running(f"given {case.label}", "give a reason, a text, where it can't score a model"):
            return self.cls().make(case.model.ubj, case.label, trusted=True)

    @cached_property
    def made(self) -> list[tuple[Case, Scorer | str]]:
        """What it makes of every model."""
        return [(case, self.make(case)) for case in self.cases]

    @property
    def subjects(self) -> list[Subject]:
        """The scorers that it makes.

        Raises
        ------
        NotCheckedError
            It makes none.
        """
        try:
            found = [Subject(case, scorer) for case, scorer in self.made if not isinstance(scorer, str)]
        except CheckFailedError:
            found = []
        if not found or not all(_is_told(subject) for subject in found):
            raise NotCheckedError("see 'makes'")
        return found


def _is_told(subject: Subject) -> bool:
    case, scorer = subject.case, subject.scorer
    told = getattr(scorer, "n_features", None), getattr(scorer, "n_outputs", None)
    return told == (case.rows.shape[1], case.wanted.shape[1])


def case_of(label: str, data: bytes) -> Case:
    """A model, rows that are hard for it, and XGBoost's predictions."""
    model = read_model(data, label)
    rows = hard_rows(data, label)
    wanted = predict(data, rows)
    rows = plain_rows(model.n_features) if rows is None else rows
    wanted = wanted.reshape(len(rows), -1)
    for array in (rows, wanted):  # a scorer that writes there would spoil the next check
        array.flags.writeable = False
    return Case(label, model, rows, wanted)
