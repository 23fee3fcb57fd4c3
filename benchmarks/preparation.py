"""The flights' preparation in scikit-learn; needs nothing of the engine, so that any environment has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

_FILLED = ["dep_delay", "dep_time"]


def preparation(numbers: Sequence[str], train: pd.DataFrame) -> ColumnTransformer:
    """Fitted on training rows; ``numbers`` are the inputs that are numbers."""
    plain = [name for name in numbers if name not in (*_FILLED, "distance")]
    onehot = OneHotEncoder(min_frequency=100, handle_unknown="ignore", sparse_output=False)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    filled = make_pipeline(SimpleImputer(strategy="median"), FunctionTransformer(_delay_and_speed))
    steps = [
        ("filled", filled, [*_FILLED, "distance"]),
        ("far", FunctionTransformer(np.log1p), ["distance"]),
        ("plain", "passthrough", plain),
        ("gaps", MissingIndicator(features="all"), ["wind_gust", "pressure"]),
        ("clock", FunctionTransformer(_clock), ["time_hour"]),
        ("onehot", onehot, ["carrier", "origin"]),
        ("dest", ordinal, ["dest"]),
    ]
    return ColumnTransformer(steps).fit(train)


def _delay_and_speed(x: Any) -> Any:
    delay, at, distance = np.asarray(x, float).T
    delay = delay.clip(-60, 600)
    return np.column_stack([delay, at, delay / (distance + 1)])


def _clock(x: pd.DataFrame) -> Any:
    at = x["time_hour"].dt
    return np.column_stack([at.month, at.day_of_week, at.hour])
