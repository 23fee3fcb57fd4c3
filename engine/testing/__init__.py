"""What authors test plugins with: `run_stage` tries a stage, `check_…` holds a plugin to its contract."""

from engine.testing.kit import PluginCheck, PluginCheckError
from engine.testing.parametrize import parametrize_stages
from engine.testing.stages.contract import check_stage, stage_checks
from engine.testing.stages.run import run_stage

__all__ = [
    "PluginCheck",
    "PluginCheckError",
    "check_stage",
    "parametrize_stages",
    "run_stage",
    "stage_checks",
]
