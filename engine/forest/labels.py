"""The target as an objective of XGBoost learns it, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.errors import UserError, listing
from engine.forest.names import numbered
from engine.forest.survival import cox_times
from engine.learning import FitContext, Part
from engine.values import FloatArray


def learned_by(objective: str, part: Part | None, targets: Sequence[str], where: str) -> Part:
    """The rows with the target as an objective learns it, checked.

    Parameters
    ----------
    objective : str
    part : Part or None
    targets : sequence of str
        The names of the targets, or of the classes.
    where : str
        ``training``, whose target must vary, or ``valid``.

    Raises
    ------
    UserError
        There is none, or nothing can be learned from it.
    """
    y = part.y if part is not None else None
    if part is None or y is None or not len(y):
        raise UserError(f"the {where} part has no target values; set 'target', or load a model with 'model'")
    bounds = y.ndim > 1 and not targets
    if objective == "survival:aft" and not bounds:
        raise UserError(
            "objective 'survival:aft' learns between which bounds each time lies: "
            "target: {lower: COLUMN, upper: COLUMN}, the upper one missing where it isn't over"
        )
    if bounds and objective == "survival:cox":
        part, y = replace(part, y=cox_times(y)), cox_times(y)
    elif bounds and objective != "survival:aft":
        raise UserError(
            f"objective {objective!r} learns a value, and 'target' gives bounds: those are for survival:aft "
            "and survival:cox"
        )
    known = y[:, 0] if bounds and objective == "survival:aft" else y
    lacking = int(np.count_nonzero(~np.isfinite(known).reshape(len(y), -1).all(axis=1)))
    if lacking:
        raise UserError(f"the target is missing or infinite in {lacking:,} of {len(y):,} {where} rows")
    if where == "training" and not objective.startswith("rank:") and (y == y[0]).all():
        shown = listing(f"{value:g}" for value in np.atleast_1d(y[0]))
        raise UserError(
            f"the target is {shown} in all {len(y):,} {where} rows: there is nothing to learn; "
            "see that 'target' and 'split' say what they should"
        )
    return part


def classes_of(context: FitContext, params: Mapping[str, Any], y: FloatArray) -> tuple[str, ...]:
    """The classes that a ``multi:`` objective learns.

    Raises
    ------
    UserError
        The target holds no classes, or others than ``num_class`` says.
    """
    given = params.get("num_class")
    if y.ndim > 1:
        raise UserError("a multi: objective learns one target; several are learned by binary: or reg: ones")
    if context.classes:
        if given is not None and int(given) != len(context.classes):
            raise UserError(
                f"params.num_class is {given}, but the target has {len(context.classes)} classes: "
                f"{listing(context.classes)}; remove it"
            )
        return context.classes
    if (y < 0).any() or (y != np.floor(y)).any():
        raise UserError(
            "a multi: objective takes classes numbered 0, 1, 2 ...; the target holds other numbers. "
            "Make the target a category, or use a reg: objective"
        )
    highest = int(y.max())
    if given is not None and highest >= int(given):
        raise UserError(f"params.num_class is {given}, but the target goes up to class {highest}")
    return numbered(int(given) if given is not None else highest + 1)
