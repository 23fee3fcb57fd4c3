"""The checks by name, and which stages each is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.stage import GroupStage, Stage
from engine.testing import answering, declaring, learning
from engine.testing.subject import NotCheckedError, Subject

if TYPE_CHECKING:
    from engine.testing.kit import Bench


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a stage.

    Parameters
    ----------
    of_subject : callable or None
        Looks at the stage with one set of options; raises `CheckFailedError`.
    of_bench : callable or None
        Looks at the stage as a whole.
    applies : callable or None
        Which stages it is for; None: all.
    """

    of_subject: Callable[[Subject], None] | None = None
    of_bench: Callable[[Bench], None] | None = None
    applies: Callable[[type[Stage]], bool] | None = None

    def run(self, bench: Bench) -> None:
        """Run it.

        Raises
        ------
        CheckFailedError, NotCheckedError
        """
        if self.of_bench is not None:
            self.of_bench(bench)
        if self.of_subject is not None:
            for subject in bench.subjects:
                if subject.refusal is not None and self.of_subject is not declaring.fits:
                    raise NotCheckedError("see 'fits'")
                self.of_subject(subject)


def _in_groups(cls: type[Stage]) -> bool:
    return issubclass(cls, GroupStage)


def _row_by_row(cls: type[Stage]) -> bool:
    return not _in_groups(cls)


def _learns(cls: type[Stage]) -> bool:
    return cls.fit is not Stage.fit


def _selects(cls: type[Stage]) -> bool:
    return cls.selects


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "fits": Check(declaring.fits),
        "documented": Check(of_bench=declaring.documented),
        "example_runs": Check(of_bench=declaring.example_runs),
        "declared_columns": Check(declaring.declared_columns),
        "unknown_option": Check(declaring.unknown_option),
        "wrong_kinds": Check(declaring.wrong_kinds, applies=_selects),
        "options_round_trip": Check(declaring.options_round_trip),
        "kernel_equals_interpreter": Check(answering.kernel_equals_interpreter),
        "batch_equals_rows": Check(answering.batch_equals_rows, applies=_row_by_row),
        "group_equals_groups": Check(answering.group_equals_groups, applies=_in_groups),
        "chunkings": Check(answering.chunkings),
        "missing_values": Check(answering.missing_values),
        "infinite_values": Check(answering.infinite_values),
        "empty": Check(answering.empty),
        "one_row": Check(answering.one_row),
        "threads": Check(answering.threads),
        "inputs_untouched": Check(learning.inputs_untouched),
        "fit_twice": Check(learning.fit_twice, applies=_learns),
        "learned_is_plain": Check(learning.learned_is_plain),
    }
)
"""Every check by name, in the order in which they run."""
