"""The flights pipeline beside scikit-learn with the same XGBoost model, in one run.

    python benchmarks/flights.py [--rounds 200] [--repeats 5] [OVERRIDE ...]

Both prepare the same features (given in pandas to scikit-learn, as its users do) and score with the same
trees, so the answers are compared before the times. Prints the median of several runs in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

import engine
from engine.demo import read_flights
from engine.training.fit import label

FILLED = ["dep_delay", "dep_time"]


def preparation(pipeline: engine.Pipeline, train: pd.DataFrame) -> ColumnTransformer:
    """The same preparation in scikit-learn, fitted on the same rows."""
    plain = [name for name in _numbers(pipeline) if name not in (*FILLED, "distance")]
    onehot = OneHotEncoder(min_frequency=100, handle_unknown="ignore", sparse_output=False)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    filled = make_pipeline(SimpleImputer(strategy="median"), FunctionTransformer(_delay_and_speed))
    steps = [
        ("filled", filled, [*FILLED, "distance"]),
        ("far", FunctionTransformer(np.log1p), ["distance"]),
        ("plain", "passthrough", plain),
        ("gaps", MissingIndicator(features="all"), ["wind_gust", "pressure"]),
        ("clock", FunctionTransformer(_clock), ["time_hour"]),
        ("onehot", onehot, ["carrier", "origin"]),
        ("dest", ordinal, ["dest"]),
    ]
    return ColumnTransformer(steps).fit(train)


class Peer:
    """scikit-learn's preparation in front of the engine's own trees."""

    def __init__(self, pipeline: engine.Pipeline, train: pd.DataFrame, sample: pa.Table) -> None:
        self.prepare = preparation(pipeline, train)
        self.model = xgboost.XGBClassifier()
        self.model.load_model(bytearray(pipeline.learned["model"]["model"].tobytes()))
        self.order = self._order(pipeline, sample)

    def _order(self, pipeline: engine.Pipeline, sample: pa.Table) -> list[int]:
        """Where each feature of the model stands among the peer's; they are the same to the last digits."""
        names = [name for name, _ in pipeline.trace.scores[0].features]
        plan = replace(pipeline.plan, outputs=tuple(names), keep=())
        mine = engine.Pipeline(plan, pipeline.learned).predict_many(sample)
        theirs = np.asarray(self.prepare.transform(sample.to_pandas()), float)
        order = []
        for name in names:
            column = mine[name].to_numpy().astype(float)
            same = [
                i
                for i in range(theirs.shape[1])
                if np.allclose(column, theirs[:, i], rtol=1e-13, equal_nan=True)
            ]
            if not same:
                raise SystemExit(f"the two prepare {name} differently")
            order.append(same[0])
        return order

    def score(self, frame: pd.DataFrame) -> Any:
        features = np.asarray(self.prepare.transform(frame), np.float32)[:, self.order]
        return self.model.predict_proba(features)[:, 1]


def _delay_and_speed(x: Any) -> Any:
    delay, at, distance = np.asarray(x, float).T
    delay = delay.clip(-60, 600)
    return np.column_stack([delay, at, delay / (distance + 1)])


def _clock(x: pd.DataFrame) -> Any:
    at = x["time_hour"].dt
    return np.column_stack([at.month, at.day_of_week, at.hour])


def _numbers(pipeline: engine.Pipeline) -> list[str]:
    return [name for name, kind in pipeline.inputs.items() if kind == "number"]


def median_of(run: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("overrides", nargs="*", help="such as stages.model.early_stopping=null")
    given = arguments.parse_args()

    table = read_flights()
    config = engine.compose(["pipeline=flights", f"stages.model.rounds={given.rounds}", *given.overrides])
    pipeline = engine.fit(config, table)
    _, parts, _ = label(pipeline.plan, table, text=False)
    rows = table.filter(pc.is_valid(table["arr_delay"]))
    frame = rows.to_pandas()
    other = Peer(pipeline, table.take(pa.array(parts.train)).to_pandas(), rows.slice(0, 20_000))
    mine, theirs = pipeline.predict_many(rows)["score"].to_numpy(), other.score(frame)
    far = np.abs(mine - theirs).max()
    print(f"scores: {(mine == theirs).mean():.3%} equal to the bit, the farthest {far:.1e} apart")
    if far > 0.05 or (mine == theirs).mean() < 0.99:
        raise SystemExit("the two don't do the same work")

    threads = os.cpu_count() or 1
    one = rows.slice(0, 500).to_pylist()
    one_frames = [frame.iloc[[i]] for i in range(20)]
    pipeline.predict_one(one[0])
    times: dict[str, float] = {
        "engine, a batch": median_of(lambda: pipeline.predict_many(rows, threads=threads), given.repeats)
        / rows.num_rows,
        "scikit-learn, a batch": median_of(lambda: other.score(frame), given.repeats) / rows.num_rows,
        "engine, one row": median_of(lambda: [pipeline.predict_one(r) for r in one], given.repeats)
        / len(one),
        "scikit-learn, one row": median_of(lambda: [other.score(f) for f in one_frames], given.repeats)
        / len(one_frames),
    }
    machine = f"{platform.processor() or platform.machine()}, {threads} cores, XGBoost {xgboost.__version__}"
    print(f"flights: {rows.num_rows:,} rows, {_trees(pipeline)} trees, {machine}")
    for name, seconds in times.items():
        print(f"  {name:<24} {seconds * 1e6:>10.2f} µs a row")
    ratios = {
        "a batch": times["scikit-learn, a batch"] / times["engine, a batch"],
        "one row": times["scikit-learn, one row"] / times["engine, one row"],
    }
    print("  ratio: " + ", ".join(f"{name} {ratio:.1f}×" for name, ratio in ratios.items()))
    print(json.dumps({"microseconds": {k: v * 1e6 for k, v in times.items()}, "ratios": ratios}))


def _trees(pipeline: engine.Pipeline) -> int:
    return int(
        xgboost.Booster(
            model_file=bytearray(pipeline.learned["model"]["model"].tobytes())
        ).num_boosted_rounds()
    )


if __name__ == "__main__":
    main()
