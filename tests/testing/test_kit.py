"""Each check finds a stage that is wrong in its way, and says so in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UserError
from engine.expr.graph import Expr
from engine.registry import Registry
from engine.stage import ColumnStage, Learned, option, stage
from engine.testing import (
    KITS,
    PluginCheckError,
    check_stage,
    parametrize_stages,
    stage_checks,
)

from .wrong import WRONG

SAYS = {
    "fits": "ValueError: no luck today",
    "documented": "make the first line a sentence",
    "example_runs": "doesn't give what it shows",
    "declared_columns": "is declared as a number and made as a boolean; return from declare()",
    "unknown_option": "its option 'into' is called like a key of every stage",
    "wrong_kinds": "take the kind out of 'accepts'",
    "options_round_trip": "don't change them in __post_init__",
    "kernel_equals_interpreter": "compiled and",
    "batch_equals_rows": "one() gives the bits of many()",
    "chunkings": "in blocks of 257 rows; compute a row from its own values",
    "missing_values": "fitted on missing values, it learns nan as 'mean'",
    "infinite_values": "fitted on infinite numbers, it learns inf as 'mean'; raise UserError",
    "empty": "IndexError",
    "one_row": "in a table of its own; arrays of one row keep their shape",
    "threads": "keep no state on the stage or the scorer",
    "inputs_untouched": "fit() changes the values of 'number_1'; others read the same memory",
    "fit_twice": "use context.rng",
    "learned_is_plain": "a ColumnStage learns one for each column",
}
ALSO = {"one_row": {"chunkings"}}
"""A block of one row is a chunking, too."""


@pytest.mark.parametrize("check", WRONG)
def test_a_wrong_stage_fails_its_check_alone(check: str) -> None:
    with pytest.raises(PluginCheckError) as caught:
        check_stage(WRONG[check])
    failed = caught.value.failed
    assert set(failed) == {check} | ALSO.get(check, set()), str(caught.value)
    assert SAYS[check] in failed[check]
    assert f"{check}: " in str(caught.value)


def test_every_check_has_its_wrong_stage() -> None:
    in_groups = {"group_equals_groups"}
    assert set(WRONG) == set(KITS["stage"].checks) - in_groups == set(SAYS)


def test_all_failures_are_told_at_once() -> None:
    @stage("bare")
    class Bare(ColumnStage):
        by: float = option(1.0)

        def express(self, x: Expr, learned: Learned) -> Expr:
            return x * self.by

    with pytest.raises(PluginCheckError) as caught:
        check_stage(Bare)
    assert list(caught.value.failed) == ["documented", "example_runs"]
    assert str(caught.value).startswith("the stage 'bare' fails 2 checks\n  documented: it has no docstring")


def test_an_expected_failure_is_no_failure_until_it_passes() -> None:
    broken = WRONG["example_runs"]
    check_stage(broken, expected_failures={"example_runs": "to be mended"})
    with pytest.raises(PluginCheckError, match="no longer fails: remove it from expected_failures"):
        check_stage("clip", expected_failures={"empty": "was slow"})
    with pytest.raises(UserError, match=r"there is no check 'emty'\. Did you mean 'empty'\?"):
        check_stage("clip", expected_failures={"emty": "x"})
    with pytest.raises(UserError, match="doesn't apply to 'log1p'"):
        check_stage("log1p", expected_failures={"fit_twice": "x"})


def test_options_and_rows_of_the_authors_own() -> None:
    check_stage("scale", {"x": [1.0, 2.0, None, 4.0]}, strategy="robust")
    check_stage("clip", lo=0, hi=2)
    with pytest.raises(PluginCheckError, match=r"lo \(2\) is above hi \(1\)"):
        check_stage("clip", lo=2, hi=1)


def test_checks_one_by_one() -> None:
    checks = list(stage_checks("log1p"))
    assert [check.name for check in checks][-2:] == ["inputs_untouched", "learned_is_plain"]
    for check in checks[:4]:
        check()


def test_a_folder_of_stages(tmp_path: Path) -> None:
    (tmp_path / "halved.py").write_text(
        '"""Half."""\n\nfrom engine.stage import ColumnStage, stage\n\n\n@stage("halved")\n'
        "class Halved(ColumnStage):\n"
        '    """Halve a number.\n\n    >>> from engine.testing import run_stage\n'
        '    >>> run_stage("halved", {"x": [3.0]})\n    {\'x\': [1.5]}\n    """\n\n'
        "    def express(self, x, learned):\n        return x / 2\n"
    )
    mark = parametrize_stages(plugins=[tmp_path]).mark
    ids = [param.id for param in mark.args[1]]
    assert "halved-example_runs" in ids and len(ids) == len(set(ids))
    check_stage("halved", registry=Registry([tmp_path]))
    with pytest.raises(ValueError, match="'clop' is not among the stages"):
        parametrize_stages(["clip"], expected_failures={"clop": {}})
