"""Scorers that are wrong on purpose, each in one way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.forest.model import read_model
from engine.forest.xgb import XGBoostScorer
from engine.scorer import Scorer, ScorerPlugin, scorer

WRONG: dict[str, type[ScorerPlugin]] = {}
"""By the check that finds it."""

DOC = "Score with XGBoost.\n\n    >>> 1 + 1\n    2\n    "


@scorer("right")
class Right(ScorerPlugin):
    __doc__ = DOC

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        return XGBoostScorer(model, where)


def wrong(check: str, doc: str = DOC) -> Callable[[type[XGBoostScorer]], type[XGBoostScorer]]:
    """The plugin that makes this scorer."""

    def decorate(scores: type[XGBoostScorer]) -> type[XGBoostScorer]:
        class Wrong(Right):
            def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
                return scores(model, where)

        Wrong.__doc__ = doc
        WRONG[check] = scorer(f"wrong_{check}")(Wrong)
        return scores

    return decorate


@wrong("makes")
class NoNote(XGBoostScorer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.note = ""


@wrong("documented", "No full stop\n\n    >>> 1 + 1\n    2\n    ")
class Undocumented(XGBoostScorer):
    pass


@wrong("example_runs", "Say three.\n\n    >>> 1 + 1\n    3\n    ")
class WrongExample(XGBoostScorer):
    pass


@wrong("equals_xgboost")
class NextBit(XGBoostScorer):
    def many(self, features: Any, threads: int = 1) -> Any:
        return np.nextafter(super().many(features), np.float32(np.inf))

    def one(self, features: Any, scores: Any) -> None:
        scores[:] = self.many(features[None])[0]


@wrong("one_equals_many")
class KeepsTheFirst(XGBoostScorer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.kept: dict[int, Any] = {}

    def one(self, features: Any, scores: Any) -> None:
        super().one(features, scores)
        _, first = self.kept.setdefault(features.ctypes.data, (features, scores.copy()))
        scores[:] = first


@wrong("chunkings")
class ByBlock(XGBoostScorer):
    def many(self, features: Any, threads: int = 1) -> Any:
        return super().many(features) + np.float32(len(features) == 65)


@wrong("layouts")
class SideBySide(XGBoostScorer):
    def many(self, features: Any, threads: int = 1) -> Any:
        beside = features.flags.c_contiguous or features.flags.f_contiguous
        return super().many(features) + np.float32(not beside)


@wrong("empty")
class NeedsARow(XGBoostScorer):
    def many(self, features: Any, threads: int = 1) -> Any:
        features[0]
        return super().many(features)


@wrong("threads")
class ByThread(XGBoostScorer):
    def many(self, features: Any, threads: int = 1) -> Any:
        beside = threading.current_thread() is not threading.main_thread()
        return super().many(features) + np.float32(beside)


@wrong("inputs_untouched")
class UsesItsInput(XGBoostScorer):
    def many(self, features: Any, threads: int = 1) -> Any:
        found = super().many(features)
        if features.flags.writeable:
            features[:, 0] = 0
        return found


@wrong("used")
class UsesMore(XGBoostScorer):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.used = self.used - {min(self.used, default=0)}


@wrong("addresses")
class HalfAnAddress(XGBoostScorer):
    row_address = 1


@wrong("other_models")
class KnowsTrees(XGBoostScorer):
    def __init__(self, model: Any, where: str) -> None:
        if read_model(model, where).booster == "gblinear":
            raise KeyError("trees")
        super().__init__(model, where)


@scorer("wrong_damaged")
class AsXGBoostSays(Right):
    __doc__ = DOC

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        if model[:1] != b"{":
            raise ValueError("no model")
        return super().make(model, where)


WRONG["damaged"] = AsXGBoostSays


@wrong("pipeline")
class FoldsWrong(XGBoostScorer):
    def fold(self, features: Any, vocabularies: Any) -> Any:
        names = [features[number] for number in sorted(features)]
        return names[::-1], self, "turned round"
