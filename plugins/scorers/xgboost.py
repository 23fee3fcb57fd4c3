"""XGBoost's own scorer."""

from __future__ import annotations

from engine.scorer import Scorer, ScorerPlugin, scorer


@scorer("xgboost")
class ByXGBoost(ScorerPlugin):
    """Score with the installed XGBoost itself.

    Examples
    --------
    >>> ByXGBoost().use
    'xgboost'
    """

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        from engine.forest.choose import choose_scorer

        return choose_scorer(model, where, "xgboost", trusted=trusted)
