"""What authors test plugins with: `run_stage` tries a stage, `check_…` holds a plugin to its contract."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.testing.kit import Kit, PluginCheck, PluginCheckError
from engine.testing.parametrize import (
    parametrize_scorers,
    parametrize_sinks,
    parametrize_sources,
    parametrize_stages,
)
from engine.testing.scorers.contract import SCORERS, check_scorer, scorer_checks
from engine.testing.sinks.contract import SINKS, check_sink, sink_checks
from engine.testing.sources.contract import SOURCES, check_source, source_checks
from engine.testing.stages.checks import STAGES
from engine.testing.stages.contract import check_stage, stage_checks
from engine.testing.stages.run import run_stage

__all__ = [
    "KITS",
    "PluginCheck",
    "PluginCheckError",
    "check_scorer",
    "check_sink",
    "check_source",
    "check_stage",
    "parametrize_scorers",
    "parametrize_sinks",
    "parametrize_sources",
    "parametrize_stages",
    "run_stage",
    "scorer_checks",
    "sink_checks",
    "source_checks",
    "stage_checks",
]

KITS: Mapping[str, Kit[Any]] = MappingProxyType({kit.kind: kit for kit in (STAGES, SOURCES, SINKS, SCORERS)})
"""The checks of every kind of plugin."""
