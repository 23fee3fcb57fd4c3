"""The flights behind FastAPI as people write it: pydantic, a frame of one row, scikit-learn, XGBoost.

Runs in an environment of its own, without the engine, in a folder with ``train.parquet`` and ``model.json``.
"""

# mypy: disable-error-code="import-not-found, misc, untyped-decorator, unused-ignore"

from __future__ import annotations

from datetime import datetime

import pandas as pd
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.pipeline import Pipeline

from benchmarks.preparation import preparation


class Flight(BaseModel):
    """A row by column names."""

    dep_time: float | None = None
    sched_dep_time: float | None = None
    dep_delay: float | None = None
    sched_arr_time: float | None = None
    distance: float | None = None
    hour: float | None = None
    minute: float | None = None
    temp: float | None = None
    dewp: float | None = None
    humid: float | None = None
    wind_dir: float | None = None
    wind_speed: float | None = None
    wind_gust: float | None = None
    precip: float | None = None
    pressure: float | None = None
    visib: float | None = None
    carrier: str
    origin: str
    dest: str
    time_hour: datetime
    flight: int | None = None
    tailnum: str | None = None


_NUMBERS = [name for name, field in Flight.model_fields.items() if field.annotation == float | None]


class Prediction(BaseModel):
    """The engine's answer, field by field."""

    flight: int | None
    tailnum: str | None
    score: float
    late: bool


def create() -> FastAPI:
    """The application, its preparation fitted on the training rows."""
    prepare = preparation(_NUMBERS, pd.read_parquet("train.parquet"))
    model = xgboost.XGBClassifier()
    model.load_model("model.json")
    model.set_params(n_jobs=1)
    pipeline = Pipeline([("prepare", prepare), ("model", model)])
    app = FastAPI()

    # "async" is kind to it: in FastAPI's threads the same work takes a tenth longer
    @app.post("/predict")
    async def predict(flight: Flight) -> Prediction:
        # a missing number makes the column one of objects
        frame = pd.DataFrame([flight.model_dump()]).astype(dict.fromkeys(_NUMBERS, float))
        score = float(pipeline.predict_proba(frame)[0, 1])
        return Prediction(flight=flight.flight, tailnum=flight.tailnum, score=score, late=score >= 0.5)

    return app
