"""A scorer held to its contract: every check by name, or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.registry import Registry
from engine.scorer import ScorerPlugin
from engine.testing.documentation import documented, example_runs
from engine.testing.kit import Check, Kit, PluginCheck, hold
from engine.testing.scorers import scoring
from engine.testing.scorers.bench import ScorerBench
from engine.testing.scorers.pipeline import pipeline
from engine.testing.stand_in import StandIn

if TYPE_CHECKING:
    import xgboost

Models = Mapping[str, "bytes | Path | xgboost.Booster"]
"""Models by what messages call them: as XGBoost saves them, files, or boosters."""

SCORERS: Kit[ScorerBench] = Kit(
    "scorer",
    MappingProxyType(
        {
            "makes": Check(scoring.makes),
            "documented": Check(documented),
            "example_runs": Check(example_runs),
            "equals_xgboost": Check(scoring.equals_xgboost),
            "one_equals_many": Check(scoring.one_equals_many),
            "chunkings": Check(scoring.chunkings),
            "layouts": Check(scoring.layouts),
            "empty": Check(scoring.empty),
            "threads": Check(scoring.threads),
            "inputs_untouched": Check(scoring.inputs_untouched),
            "used": Check(scoring.used),
            "addresses": Check(scoring.addresses),
            "other_models": Check(scoring.other_models),
            "damaged": Check(scoring.damaged),
            "pipeline": Check(pipeline),
        }
    ),
)


def scorer_checks(
    scorer: str | type[ScorerPlugin],
    models: Models | None = None,
    *,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Iterator[PluginCheck]:
    """The checks that apply to a scorer, one by one; the parameters are those of `check_scorer`.

    Examples
    --------
    >>> [check.name for check in scorer_checks("native")][:4]
    ['makes', 'documented', 'example_runs', 'equals_xgboost']
    """
    registry = registry or Registry()
    cls = registry.load(scorer, "scorer") if isinstance(scorer, str) else scorer
    saved = {label: _saved(model) for label, model in (models or {}).items()}
    return SCORERS.on(ScorerBench(cls, StandIn(registry, cls), saved), expected_failures)


def check_scorer(
    scorer: str | type[ScorerPlugin],
    models: Models | None = None,
    *,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> None:
    """Hold a scorer to its contract: XGBoost's own bits, however scores are asked for.

    Rows lie at the models' own thresholds and one ulp beside, and are missing, infinite and denormal.

    Parameters
    ----------
    scorer : str or type of ScorerPlugin
        Its name, or its class.
    models : mapping of str to bytes, Path or xgboost.Booster, optional
        Models that it scores, by what messages call them; left out: small ones of four objectives, of which
        it may refuse some with a reason.
    registry : Registry, optional
        Where the scorer is found; left out: built-in and installed ones.
    expected_failures : mapping of str to str, optional
        Checks that are known to fail, and why. One that passes is a failure.

    Raises
    ------
    PluginCheckError
        With every check that failed.

    Examples
    --------
    >>> check_scorer("native")
    """
    hold(scorer_checks(scorer, models, registry=registry, expected_failures=expected_failures))


def _saved(model: bytes | Path | xgboost.Booster) -> bytes:
    if isinstance(model, bytes):
        return model
    return model.read_bytes() if isinstance(model, Path) else bytes(model.save_raw("ubj"))
