"""The flights, the engine's pipeline on them, and a scikit-learn pipeline that does the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import xgboost
from joblib import parallel_config  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

import engine
from benchmarks.measure import medians_in_turn
from benchmarks.preparation import preparation
from engine.training.fit import label

_PIECE = 250_000
"""Rows that scikit-learn takes at a time: a matrix of millions would need ten gigabytes."""


def fit_flights(table: pa.Table, overrides: Sequence[str] = ()) -> engine.Pipeline:
    """The packaged pipeline, fitted, with all of its 200 trees (no early stopping)."""
    config = engine.compose(["pipeline=flights", "stages.model.early_stopping=null", *overrides])
    return engine.fit(config, table)


def model_of(pipeline: engine.Pipeline) -> bytes:
    """The model that a pipeline learned, UBJSON."""
    return bytes(pipeline.learned["model"]["model"].tobytes())


def features_of(pipeline: engine.Pipeline, table: pa.Table) -> dict[str, NDArray[np.float64]]:
    """What the engine's preparation gives the model, by feature."""
    names = [name for name, _ in pipeline.trace.scores[0].features]
    plan = replace(pipeline.plan, outputs=tuple(names), keep=())
    found = engine.Pipeline(plan, pipeline.learned).predict_many(table)
    return {name: found[name].to_numpy().astype(float) for name in names}


def numbers_of(pipeline: engine.Pipeline) -> list[str]:
    """The inputs that are numbers."""
    return [name for name, kind in pipeline.inputs.items() if kind == "number"]


def training_rows(pipeline: engine.Pipeline, table: pa.Table) -> pa.Table:
    """The rows of the table that the pipeline learned from."""
    _, parts, _ = label(pipeline.plan, table, text=False)
    return table.take(pa.array(parts.train))


class Seen:
    """A scorer that keeps the features it was given."""

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer
        self.n_outputs = scorer.n_outputs
        self.used = scorer.used
        self.features: list[NDArray[np.float32]] = []

    def many(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of shape (n_rows, n_outputs)."""
        self.features.append(features.copy(order="F"))
        scores: NDArray[np.float32] = self._scorer.many(features)
        return scores


class Peer:
    """scikit-learn's preparation, fitted on the same rows, in front of the engine's own trees.

    Parameters
    ----------
    pipeline : engine.Pipeline
        Fitted on ``table``.
    table : pyarrow.Table
    threads : int
        For XGBoost; scikit-learn prepares in as many, or in one if that is faster here.

    Raises
    ------
    SystemExit
        The two prepare a feature differently.
    """

    def __init__(self, pipeline: engine.Pipeline, table: pa.Table, threads: int) -> None:
        train = training_rows(pipeline, table).to_pandas()
        prepare = preparation(numbers_of(pipeline), train)
        order = order_of(pipeline, prepare, table.slice(0, 20_000))
        width = prepare.transform(train[:1]).shape[1]
        model = xgboost.XGBClassifier()
        model.load_model(reordered(model_of(pipeline), order, width))
        model.set_params(n_jobs=threads)
        self._pipeline = Pipeline([("prepare", prepare), ("model", model)])
        if threads > 1:
            self._prepare_in(threads, table.slice(0, 100_000).to_pandas())

    def _prepare_in(self, threads: int, frame: pd.DataFrame) -> None:
        """Prepare in so many threads, or in one, as is faster."""

        def run(n_jobs: int | None) -> None:
            self._pipeline.set_params(prepare__n_jobs=n_jobs)
            self.score(frame)

        one, more = medians_in_turn([lambda: run(None), lambda: run(threads)], 1.0)
        self._pipeline.set_params(prepare__n_jobs=threads if more < one else None)

    def score(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        """The probability that each flight is late, shape (n_rows,)."""
        with parallel_config(backend="threading"):
            return np.concatenate(
                [
                    self._pipeline.predict_proba(frame[start : start + _PIECE])[:, 1]
                    for start in range(0, len(frame), _PIECE)
                ]
            )


def order_of(pipeline: engine.Pipeline, prepare: ColumnTransformer, sample: pa.Table) -> list[int]:
    """Where each feature of the model stands among scikit-learn's; they agree to the last digits."""
    theirs = np.asarray(prepare.transform(sample.to_pandas()), float)
    order = []
    for name, column in features_of(pipeline, sample).items():
        same = [
            i
            for i in range(theirs.shape[1])
            if np.allclose(column, theirs[:, i], rtol=1e-13, atol=0, equal_nan=True)
        ]
        if not same:
            raise SystemExit(f"the two prepare {name} differently")
        order.append(same[0])
    return order


def reordered(saved: bytes, order: Sequence[int], width: int) -> bytearray:
    """The same trees on features in scikit-learn's order, so that no matrix need be copied to reorder it."""
    document = json.loads(xgboost.Booster(model_file=bytearray(saved)).save_raw("json"))
    learner = document["learner"]
    learner["feature_names"] = learner["feature_types"] = []
    learner["learner_model_param"]["num_feature"] = str(width)
    for tree in learner["gradient_booster"]["model"]["trees"]:
        tree["split_indices"] = [order[feature] for feature in tree["split_indices"]]
        tree["tree_param"]["num_feature"] = str(width)
    return bytearray(json.dumps(document).encode())
