"""Mistakes in somebody's own stage are said as theirs: file, line, what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api import build
from engine.config.config import Config
from engine.plan.guard import StageFailedError

STAGE = """
from engine.stage import ColumnStage, stage


@stage("{name}")
class Own(ColumnStage):
    def express(self, x, learned):
        {body}
"""


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        (
            "guard_if",
            "return x if x > 3 else 0",
            "TypeError: an Expr has no truth value while it is traced: use where(condition, a, b), &, | and "
            "~ in place of if, and, or, not",
        ),
        ("guard_key", "return x - learned['mean']", "KeyError: 'mean'"),
    ],
)
def test_an_error_in_express(tmp_path: Path, name: str, body: str, message: str) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(STAGE.format(name=name, body=body))
    config = {
        "name": "own",
        "inputs": {"x": "number"},
        "plugins": [str(tmp_path)],
        "stages": {"mine": {"use": name, "columns": ["x"]}},
    }
    with pytest.raises(StageFailedError) as caught:
        _ = build(Config(config)).trace
    assert str(caught.value) == f"stages.mine: the stage '{name}' failed: {message}\n  {file}, line 8: {body}"
