"""What is asked, and what must be answered: the flights' pipeline, its rows, its trees for the peers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import engine
from benchmarks.flights import (
    features_of,
    fit_flights,
    model_of,
    numbers_of,
    order_of,
    reordered,
    training_rows,
)
from benchmarks.preparation import preparation
from engine.demo import read_flights

ONES, MANY = 64, 1000
"""How many rows are asked one at a time, in turn; and how many in one request."""


@dataclass(frozen=True)
class Rows:
    """Some flights.

    Parameters
    ----------
    table : pyarrow.Table
    json : list of dict
        As a client sends them: by column names, missing ones null.
    answers : list of dict
        What the pipeline answers in Python.
    features : ndarray of float32, shape (n_rows, n_features)
        Prepared.
    """

    table: pa.Table
    json: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    features: NDArray[np.float32]

    @property
    def scores(self) -> NDArray[Any]:
        """Shape (n_rows,)."""
        return np.array([answer["score"] for answer in self.answers])


@dataclass(frozen=True)
class Case:
    """The pipeline, in files.

    Parameters
    ----------
    pipeline : engine.Pipeline
    bundle : Path
    plain : Path
        ``model.json``, the trees alone.
    twin : Path
        A folder with ``train.parquet`` and ``model.json``, the trees on features in scikit-learn's order.
    ones, many : Rows
    """

    pipeline: engine.Pipeline
    bundle: Path
    plain: Path
    twin: Path
    ones: Rows
    many: Rows


def make_case(folder: Path) -> Case:
    """Fit, and write everything into a folder."""
    table = read_flights()
    pipeline = fit_flights(table)
    pipeline.save(folder / "bundle")
    plain, twin = folder / "plain", folder / "twin"
    for each in (plain, twin):
        each.mkdir()
    saved = model_of(pipeline)
    width = len(pipeline.trace.scores[0].features)
    (plain / "model.json").write_bytes(reordered(saved, range(width), width))

    train = training_rows(pipeline, table).select(list(pipeline.inputs))
    pq.write_table(train, twin / "train.parquet")
    prepare = preparation(numbers_of(pipeline), train.to_pandas())
    order = order_of(pipeline, prepare, table.slice(0, 20_000))
    theirs = prepare.transform(train[:1].to_pandas()).shape[1]
    (twin / "model.json").write_bytes(reordered(saved, order, theirs))

    columns = [*pipeline.inputs, *(name for name in pipeline.plan.keep if name not in pipeline.inputs)]
    chosen = np.random.default_rng(0).choice(table.num_rows, ONES + MANY, replace=False)
    picked = table.select(columns).take(pa.array(chosen))
    ones, many = (_rows(pipeline, part) for part in (picked[:ONES], picked[ONES:]))
    return Case(pipeline, folder / "bundle", plain / "model.json", twin, ones, many)


def _rows(pipeline: engine.Pipeline, table: pa.Table) -> Rows:
    given = table.to_pylist()
    answers = [pipeline.predict_one(row) for row in given]
    for row in given:
        row.update({name: _text(value) for name, value in row.items() if isinstance(value, datetime)})
    features = np.column_stack(list(features_of(pipeline, table).values())).astype(np.float32)
    # as they come back from JSON
    return Rows(table, given, json.loads(json.dumps(answers, default=float)), features)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
