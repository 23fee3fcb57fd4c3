"""What the author of a stage tests it with: `run_stage` tries it, `check_stage` holds it to its contract."""

from engine.testing.checks import CHECKS
from engine.testing.kit import StageCheck, StageCheckError, check_stage, stage_checks
from engine.testing.parametrize import parametrize_stages
from engine.testing.run import run_stage

__all__ = [
    "CHECKS",
    "StageCheck",
    "StageCheckError",
    "check_stage",
    "parametrize_stages",
    "run_stage",
    "stage_checks",
]
