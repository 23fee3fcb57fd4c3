"""What can be wrong with a model."""

from __future__ import annotations


class UnsupportedError(Exception):
    """The model may be sound, but only XGBoost can score it; the text says why."""


class DamagedError(ValueError):
    """The model contradicts itself."""
