"""Columns that stages of numbers are tried on, and what they make as a matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")

# Numbers that repeat, of one magnitude, with holes: what both sides compute without overflow.
tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 40), st.integers(1, 3)),
    elements=st.one_of(
        st.just(math.nan), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
    ),
).map(lambda table: np.vstack([table, np.arange(table.shape[1])]))  # every column has a value


def columns(table: Any) -> dict[str, list[float]]:
    """The columns of a matrix, as `run_stage` takes them."""
    return {f"c{i}": table[:, i].tolist() for i in range(table.shape[1])}


def matrix(data: dict[str, list[Any]], names: tuple[str, ...] | None = None) -> Any:
    """Columns side by side; None is NaN."""
    return np.array([[math.nan if x is None else x for x in data[name]] for name in names or data]).T
