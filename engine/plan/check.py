"""What is wrong with the way columns go through the stages of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.errors import Mistake, UserError, did_you_mean
from engine.plan.flow import (
    StageError,
    Step,
    advance,
    grouping,
    input_columns,
    output_columns,
    target_kind,
    target_names,
)
from engine.plan.plan import Plan, PlannedStage
from engine.plan.select import select
from engine.schema import Kind


def check(
    plan: Plan,
    set_by: Callable[[str], str],
    target: Kind | None = None,
    classes: Sequence[str] = (),
) -> list[Mistake]:
    """Every mistake in the way columns go through the stages.

    After a stage with a mistake the columns are no longer known, so the rest is not judged.

    Parameters
    ----------
    plan : Plan
    set_by : callable
        Who set a key of the config.
    target : Kind or None
        The target's kind, and its classes, once the data told.
    classes : sequence of str
    """
    target = target or target_kind(plan)
    classes = classes or target_names(plan)
    columns = input_columns(plan)
    steps: list[Step] = []
    mistakes = [
        _mistake(
            planned, "by", f"there is no input {by!r}.{did_you_mean(by, [c.name for c in columns])}", set_by
        )
        for planned, by in grouping(plan)
        if by is not None and by not in {c.name for c in columns}
    ]
    if mistakes:
        return mistakes
    for planned in plan.stages:
        try:
            step = advance(planned, columns, target, classes)
        except StageError as error:
            return [_mistake(planned, key, text, set_by) for key, text in error.found]
        except UserError as error:
            return [_mistake(planned, "", str(error), set_by)]
        steps.append(step)
        columns = step.columns
    if plan.outputs is not None:
        _, problems = select(plan.outputs, columns, tuple(Kind)) if plan.outputs else ([], [])
        mistakes += [Mistake("outputs", problem, (f"set by: {set_by('outputs')}",)) for problem in problems]
    if not mistakes:
        twice = sorted(set(plan.keep) & {c.name for c in output_columns(plan, steps)})
        if twice:
            makers = [step.label for step in steps if twice[0] in {c.name for c in step.made}]
            made = f", which {makers[-1]!r} makes" if makers else ""
            message = f"{twice[0]!r} is an output column already{made}: remove it from keep"
            mistakes.append(Mistake("keep", message, (f"set by: {set_by('keep')}",)))
    return mistakes


def _mistake(planned: PlannedStage, key: str, text: str, set_by: Callable[[str], str]) -> Mistake:
    where = f"stages.{planned.label}" + (f".{key}" if key else "")
    note = f"set by: {set_by(where)}"
    if planned.defined:
        note += f"        {planned.defined}"
    return Mistake(where, text, (note,))
