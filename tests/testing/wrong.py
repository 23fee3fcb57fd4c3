"""Stages that are wrong on purpose, each in one way."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.expr.graph import Expr
from engine.schema import Column, Kind
from engine.stage import ColumnStage, FitContext, Learned, RowStage, Scorer, ScoreStage, Stage, option, stage

EXAMPLE = """{first}

    >>> from engine.testing import run_stage
    >>> run_stage("{name}", {{"x": [1.0, 2.0, 3.0]}})
    {{'x': [{first_value}, 2.0, 3.0]}}
    """

WRONG: dict[str, type[Stage]] = {}
"""By the check that finds it."""


def wrong(check: str, *, doc: str | None = None, first: float = 1.0) -> Callable[[type[Stage]], type[Stage]]:
    def decorate(cls: type[Stage]) -> type[Stage]:
        name = f"wrong_{check}"
        text = EXAMPLE.format(first="Pass numbers on.", name=name, first_value=first)
        cls.__doc__ = text if doc is None else doc
        WRONG[check] = stage(name)(cls)
        return WRONG[check]

    return decorate


class Pass(ColumnStage):
    def express(self, x: Expr, learned: Learned) -> Expr:
        return x + 0.0


# -- what a stage says of itself


@wrong("documented", doc="No full stop\n\n    >>> 1 + 1\n    2\n    ")
class Undocumented(Pass):
    pass


@wrong("example_runs", first=7.0)
class WrongExample(Pass):
    pass


@wrong("declared_columns", doc="Say number, make a boolean.\n\n    >>> 1 + 1\n    2\n    ")
class OtherKind(RowStage):
    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        return next(iter(columns.values())) > 0


@wrong("unknown_option")
class NamedLikeAKey(Pass):
    into: float = option(1.0, help="never set")


@wrong("wrong_kinds")
class AcceptsText(Pass):
    accepts = (Kind.NUMBER, Kind.TIMESTAMP)

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x + 0.0


@wrong("options_round_trip")
class ChangesItsOption(Pass):
    percent: float = option(100.0, help="how much of it")

    def __post_init__(self) -> None:
        object.__setattr__(self, "percent", self.percent / 10)

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x * self.percent / 10


# -- what it learns


class Center(ColumnStage):
    def fit(self, columns: Mapping[str, Any], context: FitContext) -> Learned:
        return {"mean": np.array([self.learn(values) for values in columns.values()])}

    def learn(self, values: Any) -> float:
        return float(values[0] * 0)

    def express(self, x: Expr, learned: Learned) -> Expr:
        return x - float(learned["mean"])


@wrong("missing_values")
class LearnsNaN(Center):
    def learn(self, values: Any) -> float:
        there = values[np.isfinite(values) | np.isnan(values)]
        return float(np.mean(there * 0))


@wrong("infinite_values")
class LearnsInfinity(Center):
    def learn(self, values: Any) -> float:
        top = float(np.max(values[~np.isnan(values)]))
        return 0.0 if np.isfinite(top) and abs(top) < 1e300 else top


@wrong("inputs_untouched", doc="Fill in place.\n\n    >>> 1 + 1\n    2\n    ")
class FillsInPlace(Center):
    def learn(self, values: Any) -> float:
        values[:] = 0.0
        return 0.0


_runs = itertools.count()


@wrong("fit_twice", doc="Learn by chance.\n\n    >>> 1 + 1\n    2\n    ")
class ByChance(Center):
    def learn(self, values: Any) -> float:
        return float(next(_runs))


@wrong("learned_is_plain")
class TooMuch(Center):
    def fit(self, columns: Mapping[str, Any], context: FitContext) -> Learned:
        return {"mean": np.zeros(len(columns) + 1)}


# -- how it answers


class Scored(ScoreStage):
    """A model that adds up its features."""

    scorer: type[Any]

    def declare(
        self, columns: Sequence[Column], target: Kind | None, classes: Sequence[str] = ()
    ) -> Sequence[str]:
        return ("",)

    def outputs(self, learned: Learned) -> Sequence[str]:
        return ("",)

    def prepare(self, columns: Sequence[Column]) -> Learned:
        return {"weights": np.ones(len(columns))}

    def make_scorer(self, learned: Learned) -> Scorer:
        return SCORERS[self.use](len(learned["weights"]))  # type: ignore[no-any-return]


SCORERS: dict[str, Any] = {}


class Adder:
    n_outputs = 1
    note = "adds"

    def __init__(self, width: int) -> None:
        self.n_features = width
        self.used = frozenset(range(width))

    def many(self, features: Any, threads: int = 1) -> Any:
        total = np.zeros(len(features), np.float32)
        for i in range(self.n_features):
            total = total + features[:, i]
        return total[:, None].astype(np.float32)

    def one(self, features: Any, scores: Any) -> None:
        scores[:] = self.many(features[None])[0]


def wrong_scorer(check: str) -> Callable[[type[Adder]], type[Adder]]:
    def decorate(scorer: type[Adder]) -> type[Adder]:
        SCORERS[f"wrong_{check}"] = scorer
        made = type("Score", (Scored,), {"__module__": __name__})
        wrong(check, doc="Add up.\n\n    >>> 1 + 1\n    2\n    ")(made)
        return scorer

    return decorate


@wrong_scorer("kernel_equals_interpreter")
class ByMemoryOrder(Adder):
    def many(self, features: Any, threads: int = 1) -> Any:
        return super().many(features) + np.float32(features.flags.c_contiguous and len(features) > 1)


@wrong_scorer("batch_equals_rows")
class OneIsDifferent(Adder):
    def one(self, features: Any, scores: Any) -> None:
        scores[:] = self.many(features[None])[0] * np.float32(1.0001)


@wrong_scorer("chunkings")
class ByBlock(Adder):
    def many(self, features: Any, threads: int = 1) -> Any:
        return super().many(features) + np.float32(len(features) == 257)


@wrong_scorer("empty")
class NeedsARow(Adder):
    def many(self, features: Any, threads: int = 1) -> Any:
        features[0]
        return super().many(features)


@wrong_scorer("one_row")
class Squeezed(Adder):
    def many(self, features: Any, threads: int = 1) -> Any:
        return np.full((1, 1), 7, np.float32) if len(features) == 1 else super().many(features)

    def one(self, features: Any, scores: Any) -> None:
        scores[:] = super().many(features[None])[0]


@wrong_scorer("threads")
class ByThread(Adder):
    def many(self, features: Any, threads: int = 1) -> Any:
        beside = threading.current_thread() is not threading.main_thread()
        return super().many(features) + np.float32(beside)


@wrong("fits", doc="Can't be fitted.\n\n    >>> 1 + 1\n    2\n    ")
class NeverFits(Center):
    def learn(self, values: Any) -> float:
        raise ValueError("no luck today")
