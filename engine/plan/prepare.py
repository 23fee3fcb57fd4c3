"""What stages have where nothing is learned: a plan that needs no data."""

from __future__ import annotations

from engine.errors import ConfigError, Mistake
from engine.plan.guard import in_stage
from engine.plan.plan import Plan
from engine.plan.trace import State, initial, selected, trace_stage
from engine.stage import NOTHING, Learned


def prepared(plan: Plan) -> dict[str, Learned]:
    """What the stages of a plan that needs no fit have: models read from files.

    Raises
    ------
    ConfigError
        A stage learns.
    """
    learners = [planned for planned in plan.stages if planned.stage.learns()]
    if learners:
        lines = [
            f"stages.{planned.label}: {planned.stage.use!r} learns from data with these options"
            for planned in learners
        ]
        raise ConfigError(
            [
                Mistake(
                    "",
                    "\n".join(
                        (
                            f"pipeline {plan.name!r} has to be fitted first, and there is no data here",
                            *(f"  {line}" for line in lines),
                        )
                    ),
                    (f"run: engine fit pipeline={plan.name} source.path=PATH   or state what they learn",),
                )
            ]
        )
    state: State = initial(plan)
    learned: dict[str, Learned] = {}
    for planned in plan.stages:
        with in_stage(planned):
            found = planned.stage.prepare(selected(planned, state))
        if found:
            learned[planned.label] = found
        state, _, _ = trace_stage(planned, learned.get(planned.label, NOTHING), state)
    return learned
