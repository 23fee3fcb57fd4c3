"""Each check of sources finds one that is wrong in its way, and says so in words that help."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import UserError
from engine.registry import Registry
from engine.source import Source, source
from engine.testing import KITS, PluginCheckError, check_source, parametrize_sources, source_checks

from .wrong_sources import WRONG, Opened, Right, RightInPieces, write

SAYS = {
    "opens": "has nothing as 'schema'; it must be Schema",
    "documented": "make the first line a sentence",
    "example_runs": "doesn't give what it shows",
    "unknown_option": "its option 'use' is called like a key of every source",
    "options_round_trip": "percent doesn't stay the same; keep options as they are given",
    "rows": "give the rows that are there, in order",
    "schema": "is string in its schema and double in a batch; make both the same",
    "row_count": "it says that there are 301 rows, and there are 300; give None where",
    "batch_rows": "asked for batches of at most 1 rows, it gives one of 300; cut it",
    "columns": "the columns are 'number', 'count', 'word', 'time' and not 'time', 'word', 'count', 'number'",
    "coded": "is '' and not None; 'coded' may change the encoding, and nothing else",
    "twice": "read again, there are 0 rows and not 300; let batches() begin anew each time",
    "empty": "opened where there are no rows, it raises IndexError",
    "threads": "can only be used in that same thread",
    "place": "say which row it is: file and position",
    "files": "a batch could then write its answers over it",
    "nothing_there": "is opened and read all the same; let open() raise DataError",
    "damaged": "it raises ValueError",
    "pieces": "read piece by piece, there are 200 rows and not 300",
    "part": "read as the first 50 rows of a piece and the others, there are 200 rows and not 100",
    "changed": "it reads it all the same; hold it to the size and stamp of the piece",
    "batch": "AttributeError",
}
ALSO = {check: {"batch"} for check in ("schema", "row_count", "coded", "threads", "pieces")}
"""A batch can't be right where these are not."""


@pytest.mark.parametrize("check", WRONG)
def test_a_wrong_source_fails_its_check_alone(check: str) -> None:
    with pytest.raises(PluginCheckError) as caught:
        check_source(WRONG[check], write=write)
    failed = caught.value.failed
    assert set(failed) == {check} | ALSO.get(check, set()), str(caught.value)
    assert SAYS[check] in failed[check]


def test_every_check_has_its_wrong_source() -> None:
    assert set(WRONG) == set(KITS["source"].checks) == set(SAYS)


def test_a_right_one_passes() -> None:
    check_source(Right, write=write)
    check_source(RightInPieces, write=write)


def test_rows_that_are_there_already(tmp_path: Path) -> None:
    rows = pa.table({"x": [1.0, None], "list": [[1], None]})
    write(tmp_path / "rows.arrow", rows)
    check_source(Right, rows, path=str(tmp_path / "rows.arrow"))
    with pytest.raises(PluginCheckError, match=r"row 1 of the column 'x' is nan and not 2\.0"):
        check_source(Right, {"x": [1, 2], "list": [[1], None]}, path=str(tmp_path / "rows.arrow"))


def test_nothing_to_read_is_told() -> None:
    with pytest.raises(PluginCheckError, match="there is nothing to read; give write=…") as caught:
        check_source(Right)
    assert list(caught.value.failed) == ["opens"]


def test_expected_failures() -> None:
    check_source(WRONG["empty"], write=write, expected_failures={"empty": "to be mended"})
    with pytest.raises(UserError, match=r"there is no check 'emty'\. Did you mean 'empty'\?"):
        check_source("csv", expected_failures={"emty": "x"})


def test_a_folder_of_sources(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    text = Path(__file__).with_name("wrong_sources.py").read_text().replace('"right"', '"kit_arrow"')
    (tmp_path / "sources" / "kit_arrow.py").write_text(text)
    mark = parametrize_sources(plugins=[tmp_path], given={"kit_arrow": {"write": write}}).mark
    ids = [param.id for param in mark.args[1]]
    assert ids[0] == "kit_arrow-opens" and len(ids) == len(set(ids)) == len(KITS["source"].checks)
    checks = source_checks("kit_arrow", write=write, registry=Registry([tmp_path]))
    for check in list(checks)[:6]:
        check()
    with pytest.raises(ValueError, match="given: 'cvs' is not among the sources that are checked"):
        parametrize_sources(["csv"], given={"cvs": {}})


def test_what_can_not_be_read_is_told_once() -> None:
    @source("broken")
    class Broken(Right):
        __doc__ = Right.__doc__
        extensions = (".arrow",)

        def open(self) -> Source:
            opened = Opened(Path(self.path))
            opened.batches = lambda *_: iter([1 / 0])  # type: ignore[assignment]
            return opened

    with pytest.raises(PluginCheckError) as caught:
        check_source(Broken, write=write)
    assert "it raises ZeroDivisionError" in caught.value.failed["rows"]
    assert not {"columns", "coded", "twice", "threads", "batch"} & set(caught.value.failed)


def test_an_ending_without_a_dot() -> None:
    @source("dotless")
    class Dotless(Right):
        __doc__ = Right.__doc__
        extensions = ("arrow",)

    with pytest.raises(PluginCheckError, match="'arrow' in extensions is no ending of a file") as caught:
        check_source(Dotless, write=write)
    assert list(caught.value.failed) == ["opens"]
