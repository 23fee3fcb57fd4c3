"""Columns as Arrow stores them, beside the same values decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.api import build
from engine.config.config import Config
from engine.pipeline import Pipeline

TYPES = (
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float32(), pa.float64(),
)  # fmt: skip
INDICES = TYPES[:8]


@pytest.fixture(scope="module")
def pipelines() -> tuple[Pipeline, Pipeline]:
    """Compiled and interpreted."""
    config = {
        "name": "stored",
        "inputs": {"x": "number", "c": "category"},
        "stages": {
            "twice": {"use": "expr", "into": "y", "value": "x * 2 + 1"},
            "code": {"use": "ordinal", "columns": ["c"], "categories": ["a", "c", "e"]},
        },
        "outputs": ["x", "y", "c"],
    }
    made = build(Config(config))
    return made, Pipeline(made.plan, made.learned, interpreted=True)


def numbers(kind: pa.DataType, rows: int, seed: int) -> pa.Array:
    rng = np.random.default_rng(seed)
    dtype = np.dtype(kind.to_pandas_dtype())
    if dtype.kind == "f":
        values: Any = rng.standard_normal(rows).astype(dtype)
        values[rng.random(rows) < 0.1] = np.nan
        values[rng.random(rows) < 0.1] = -np.inf
    else:
        limits = np.iinfo(dtype)
        values = rng.integers(limits.min, limits.max, rows, dtype, endpoint=True)
    mask = rng.random(rows) < rng.choice([0.0, 0.02, 0.5, 1.0])
    return pa.array(values, kind, mask=mask)


def categories(index: pa.DataType, rows: int, seed: int) -> pa.Array:
    rng = np.random.default_rng(seed)
    mask = rng.random(rows) < rng.choice([0.0, 0.02, 0.5, 1.0])
    places = pa.array(rng.integers(0, 6, rows), index, mask=mask)
    return pa.DictionaryArray.from_arrays(places, pa.array(["e", "d", None, "a", "b", "c"]))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(TYPES), st.sampled_from(INDICES), st.integers(0, 2500), st.integers(0, 2**32 - 1),
    st.integers(0, 200), st.integers(0, 200),
)  # fmt: skip
@example(pa.int64(), pa.int32(), 1024, 1, 0, 0)
@example(pa.float64(), pa.int8(), 1025, 2, 7, 64)
@example(pa.uint64(), pa.uint8(), 64, 3, 63, 1)
def test_stored_columns_are_the_same_numbers(
    pipelines: tuple[Pipeline, Pipeline],
    kind: pa.DataType, index: pa.DataType, rows: int, seed: int, first: int, cut: int,
) -> None:  # fmt: skip
    """Slices start at any bit of a bitmap."""
    whole = pa.table({"x": numbers(kind, rows, seed), "c": categories(index, rows, seed + 1)})
    part = whole.slice(first, max(0, rows - first - cut))
    batch = part.combine_chunks().to_batches()[0] if part.num_rows else part
    compiled, interpreted = pipelines
    found, expected = (p.predict_many(batch) for p in (compiled, interpreted))
    plain = compiled.predict_many(part.set_column(1, "c", part["c"].cast(pa.string())))
    for name in ("x", "y", "c"):
        assert found[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes()
        assert found[name].to_numpy().tobytes() == plain[name].to_numpy().tobytes()


def test_what_lies_under_a_missing_place_is_never_read(pipelines: tuple[Pipeline, Pipeline]) -> None:
    places = pa.Array.from_buffers(
        pa.int32(),
        3,
        [pa.py_buffer(b"\x05"), pa.py_buffer(np.array([1, 2**30, 0], np.int32).tobytes())],
    )
    column = pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int32(), pa.string()), 3, places.buffers(), pa.array(["a", "c"])
    )
    found = pipelines[0].predict_many(pa.table({"x": [1, 2, 3], "c": column}))
    expected = pipelines[0].predict_many(pa.table({"x": [1, 2, 3], "c": ["c", None, "a"]}))
    assert found["c"].to_numpy().tobytes() == expected["c"].to_numpy().tobytes()
