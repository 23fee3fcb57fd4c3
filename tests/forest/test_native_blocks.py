"""Blocks of rows as they come: every remainder, by rows and by columns, with few masks at a time."""

from __future__ import annotations

import numpy as np
import pytest

from engine.forest import blocks
from engine.forest.comparisons import Comparisons, compare_once
from engine.forest.native import NativeScorer
from tests.forest import zoo

SIZES = (15, 16, 17, 31, 127, 128, 129, 527, 528, 529)
"""Beside the rows that are walked one by one, a tile's 64, and a block's 512 with such a rest."""


@pytest.fixture(params=zoo.MODELS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_remainders_by_rows_and_by_columns(kind: str) -> None:
    x = zoo.hard_rows(kind, max(SIZES), seed=3)
    wanted = zoo.expected(kind, x)
    scorer = NativeScorer(zoo.forest(kind))
    for size in SIZES:
        for order in "CF":
            found = scorer.many(np.array(x[-size:], order=order))
            assert zoo.bits(found) == zoo.bits(wanted[-size:]), (size, order)
    wide = np.full((len(x), 2 * zoo.N_FEATURES), np.nan, np.float32)
    wide[:, ::2] = x
    assert zoo.bits(scorer.many(wide[:, ::2])) == zoo.bits(wanted)
    assert zoo.bits(scorer.many(np.asfortranarray(wide[:, ::2]))) == zoo.bits(wanted)


@pytest.mark.parametrize(
    "kind", ["binary", "softprob", "vector leaves", "partitions", "dart", "depth 7", "quantiles"]
)
@pytest.mark.parametrize("most", [1, 40, 60])
def test_masks_in_parts(kind: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Comparisons] = []

    def few(*args: object) -> list[Comparisons]:
        made[:] = compare_once(*args, most)  # type: ignore[arg-type]
        return made

    monkeypatch.setattr(blocks, "compare_once", few)
    x = zoo.hard_rows(kind, 300, seed=4)
    assert zoo.bits(NativeScorer(zoo.forest(kind)).many(x)) == zoo.bits(zoo.expected(kind, x))
    assert len(made) > 1
