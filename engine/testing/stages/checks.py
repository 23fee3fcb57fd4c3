"""The checks of stages by name, and which stages each is for."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from engine.stage import GroupStage, Stage
from engine.testing.documentation import documented, example_runs
from engine.testing.kit import Check, Kit
from engine.testing.outcome import NotCheckedError
from engine.testing.stages import answering, declaring, learning
from engine.testing.stages.bench import StageBench
from engine.testing.stages.subject import Subject


def _each(
    check: Callable[[Subject], None], applies: Callable[[type[Stage]], bool] | None = None
) -> Check[StageBench]:
    """A check of the stage with each set of options."""

    def run(bench: StageBench) -> None:
        for subject in bench.subjects:
            if subject.refusal is not None and check is not declaring.fits:
                raise NotCheckedError("see 'fits'")
            check(subject)

    return Check(run, applies)


def _in_groups(cls: type[Stage]) -> bool:
    return issubclass(cls, GroupStage)


def _row_by_row(cls: type[Stage]) -> bool:
    return not _in_groups(cls)


def _learns(cls: type[Stage]) -> bool:
    return cls.fit is not Stage.fit


def _selects(cls: type[Stage]) -> bool:
    return cls.selects


STAGES: Kit[StageBench] = Kit(
    "stage",
    MappingProxyType(
        {
            "fits": _each(declaring.fits),
            "documented": Check(documented),
            "example_runs": Check(example_runs),
            "declared_columns": _each(declaring.declared_columns),
            "unknown_option": _each(declaring.unknown_option),
            "wrong_kinds": _each(declaring.wrong_kinds, _selects),
            "options_round_trip": _each(declaring.options_round_trip),
            "kernel_equals_interpreter": _each(answering.kernel_equals_interpreter),
            "batch_equals_rows": _each(answering.batch_equals_rows, _row_by_row),
            "group_equals_groups": _each(answering.group_equals_groups, _in_groups),
            "chunkings": _each(answering.chunkings),
            "missing_values": _each(answering.missing_values),
            "infinite_values": _each(answering.infinite_values),
            "empty": _each(answering.empty),
            "one_row": _each(answering.one_row),
            "threads": _each(answering.threads),
            "inputs_untouched": _each(learning.inputs_untouched),
            "fit_twice": _each(learning.fit_twice, _learns),
            "learned_is_plain": _each(learning.learned_is_plain),
        }
    ),
)
