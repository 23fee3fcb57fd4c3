"""Each check of sinks finds one that is wrong in its way, and says so in words that help."""

from __future__ import annotations

import pytest

from engine.testing import KITS, PluginCheckError, check_sink, parametrize_sinks

from .wrong_sinks import WRONG, Right, read

SAYS = {
    "opens": "has None as 'is_folder'; it must be bool",
    "documented": "make the first line a sentence",
    "example_runs": "doesn't give what it shows",
    "unknown_option": "its option 'format' is called like a key of every sink",
    "options_round_trip": "percent doesn't stay the same; keep options as they are given",
    "reads_back": "written and read back, there are 299 rows and not 300; write every value of every row",
    "unusual_values": "is None and not inf; what it can't hold, refuse by check_columns()",
    "columns": "given a column of list<item: int64>, it raises TypeError",
    "empty": "given no batches, nothing is there afterwards; write the columns all the same",
    "batches": "append each batch behind the last",
    "coded": "is '0' and not 'red'; write text as text",
    "threads": "can only be used in that same thread",
    "all_at_once": "out.arrow.new is to be seen already; write under a name that begins with",
    "exception": "is not as before; remove what was written in __exit__",
    "refuses_existing": "out.arrow is there, and check() says nothing; raise DataError unless mode is",
    "replaces": "a folder of other things is there, and check() says nothing",
    "unwritable": "lies below a file, and check() says nothing; raise DataError",
    "files": "give a tuple of all, under their final names",
    "batch": "count must be whole",
}
ALSO = {"batches": {"threads", "batch", "coded"}}
"""What is wrong in batches is so wherever there are some."""
MAYBE = {"threads": {"batch"}}
"""A batch has several threads if there is enough to do for them."""


@pytest.mark.parametrize("check", WRONG)
def test_a_wrong_sink_fails_its_check_alone(check: str) -> None:
    with pytest.raises(PluginCheckError) as caught:
        check_sink(WRONG[check], read=read)
    failed = caught.value.failed
    certain = set(failed) - MAYBE.get(check, set())
    assert certain == {check} | ALSO.get(check, set()), str(caught.value)
    assert SAYS[check] in failed[check]


def test_every_check_has_its_wrong_sink() -> None:
    assert set(WRONG) == set(KITS["sink"].checks) == set(SAYS)


def test_a_right_one_passes() -> None:
    check_sink(Right, read=read)
    check_sink(Right, {"x": [1, 2, None], "list": [[1], [], None]}, read=read)


def test_nobody_to_read_it_is_told() -> None:
    with pytest.raises(PluginCheckError, match="give read=…, a function of the path") as caught:
        check_sink(Right)
    assert list(caught.value.failed) == ["reads_back"]


def test_read_by_a_source_of_another_name() -> None:
    check_sink("csv", read="csv", delimiter="tab", expected_failures={})
    ids = [param.id for param in parametrize_sinks(["csv"], given={"csv": {"delimiter": ";"}}).mark.args[1]]
    assert ids == [f"csv-{name}" for name in KITS["sink"].checks]
