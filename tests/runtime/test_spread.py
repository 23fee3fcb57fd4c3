"""How the values of an output are told: the same however they are cut, and read back from receipts."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.shards.plan import Receipt
from engine.runtime.shards.spread import Gathered, SpreadCounter

numbers = st.lists(st.floats(width=64) | st.none(), max_size=12)


def described(shards: list[list[Any]]) -> dict[str, Any]:
    """What is told of a column whose receipts lay beside the output, as they do for who resumes a run."""
    gathered, taken = Gathered(), []
    for shard in shards:
        counter = SpreadCounter()
        counter.add(pa.array(shard, pa.float64()))
        written = msgspec.json.encode(Receipt(0, 0, 0, 0, spreads={"x": counter.spread()}))
        taken.append(gathered.taken(msgspec.json.decode(written, type=Receipt).spreads))
    return gathered.merged(taken)["x"].described()


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=4))
def test_numbers_are_told_the_same_however_they_are_cut(shards: list[list[float | None]]) -> None:
    together = [value for shard in shards for value in shard]
    whole, found = described([together]), described(shards)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found  # JSON holds all of it
    rounding = 1e-9 * max(map(abs, (found.get("min", 0.0), found.get("max", 0.0))))
    assert found.pop("mean", 0.0) == pytest.approx(whole.pop("mean", 0.0), abs=rounding)
    assert found == whole


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=4))
def test_ends_and_counts_are_those_of_numpy(shards: list[list[float | None]]) -> None:
    values = np.array([math.nan if v is None else v for shard in shards for v in shard], np.float64)
    finite = values[np.isfinite(values)]
    found = described(shards)
    assert found["missing"] == np.isnan(values).sum()
    assert found.get("infinite", 0) == np.isinf(values).sum()
    assert ("min" in found) == bool(len(finite))
    if len(finite):
        assert (found["min"], found["max"]) == (finite.min(), finite.max())
        assert all(finite.min() <= value <= finite.max() for value in found["quantiles"].values())


def test_what_a_driver_keeps_of_a_shard_does_not_grow_with_its_values() -> None:
    counter = SpreadCounter()
    counter.add(pa.array(np.random.default_rng(0).normal(size=50_000)))
    spread = counter.spread()
    (kept,) = Gathered().taken({"x": spread}).values()
    assert len(spread.cells) > 1000
    assert len(msgspec.json.encode(kept)) < 200
