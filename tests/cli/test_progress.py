"""How far a run is, where stderr is no terminal."""

from __future__ import annotations

import re

import pytest

from engine.cli import progress
from engine.cli.progress import reporting
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("unit", "done", "total", "text", "line"),
    [
        ("rows", 131_072, 336_776, "", "it: 131,072 of 336,776 rows ("),
        ("rows", 131_072, 0, "", "it: 131,072 rows ("),
        ("", 65_536, 0, "reading rows", "it: reading rows, 65,536 ("),
        ("", 3, 100, "model: valid auc 0.9", "it: model: valid auc 0.9, 3 of 100 ("),
        ("", 0, 7, "fill", "it: fill, 0 of 7 ("),
        ("", 0, 0, "scoring one at a time", "it: scoring one at a time ("),
        ("rows", 0, 0, "", "it: at work ("),
    ],
)
def test_a_line_says_what_is_known(
    unit: str,
    done: int,
    total: int,
    text: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    with reporting("it", unit=unit) as report:
        report(done, total, text)
    assert capsys.readouterr().err.startswith(line)


def test_no_line_of_a_run_has_an_empty_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    fitted = run("fit", "pipeline=prices", "source.path=houses.parquet", "bundle=bundles/again")
    batch = run(
        "batch", "bundle=bundles/again", "source.path=houses.parquet", "sink.path=out.csv", conf=False
    )
    lines = [line for line in (fitted.err + batch.err).splitlines() if line.endswith(" s)")]
    told = r"batch: [\d,]+ rows/s, \d+ %, 0:00 left, 400 of 400 rows \(0 s\)"
    assert any(re.fullmatch(told, line) for line in lines)
    assert any(line.startswith("fit: reading rows, 400 of 400 (") for line in lines)
    assert any(line.startswith("fit: model: rounds, 5 of 5 (") for line in lines)
    assert all(re.fullmatch(r"\w+: (\S+ )*[^\s:,]+ \(\d+ s\)", line) for line in lines)
    assert not any(": ," in line or "  " in line for line in lines)
