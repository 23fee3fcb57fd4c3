"""The engine's own scorer."""

from __future__ import annotations

from engine.scorer import Scorer, ScorerPlugin, scorer


@scorer("native")
class Native(ScorerPlugin):
    """Score with kernels compiled for the model, after a comparison with the installed XGBoost.

    Examples
    --------
    >>> Native().use
    'native'
    """

    def make(self, model: bytes, where: str, *, trusted: bool = False) -> Scorer | str:
        from engine.forest.choose import choose_scorer

        return choose_scorer(model, where, "native", trusted=trusted)
