"""The native scorer beside XGBoost on the same rows, with the same number of threads, in one run.

    python benchmarks/scoring.py [--shapes 100x6 500x8] [--threads 1 2] [--rows 1 64 4096 100000]

Answers are compared to the bit before anything is timed. Times are medians of several runs in turn, in µs
a row; ONNX Runtime and treelite are timed too where they are installed (onnxruntime and onnxmltools;
treelite). Trained models are kept in ``--models``. ``ENGINE_CPU=avx2`` or ``generic`` lowers the processor.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from engine.forest.forest import read_document, read_forest
from engine.forest.native import NativeScorer
from engine.forest.verify import release
from engine.jit.target import level

FEATURES = 30
_LOSSGUIDE = {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 255}
SHAPES: dict[str, tuple[int, dict[str, Any]]] = {
    "100x6": (100, {"max_depth": 6}),
    "500x8": (500, {"max_depth": 8}),
    "1000x10": (1000, {"max_depth": 10}),
    "lossguide": (200, _LOSSGUIDE),
}
"""Rounds and parameters."""

Rows = NDArray[np.float32]
Scoring = Callable[[Rows], Any]


@dataclass(frozen=True)
class Peer:
    """Somebody who scores, on a number of threads."""

    name: str
    score: Scoring


def data(n_rows: int, seed: int) -> Rows:
    """Features, one in twenty missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, FEATURES)).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    return x


def model(shape: str, folder: Path) -> bytes:
    """The model of a shape, trained once."""
    path = folder / f"{shape}.ubj"
    if not path.exists():
        rounds, params = SHAPES[shape]
        x = data(100_000, 0)
        rng = np.random.default_rng(1)
        known = np.nan_to_num(x)
        y = known @ rng.normal(size=FEATURES) + 3 * np.sin(3 * known[:, 0]) + rng.normal(size=len(x)) > 0
        matrix = xgboost.QuantileDMatrix(x, y)
        xgboost.train({"objective": "binary:logistic", "eta": 0.1, **params}, matrix, rounds).save_model(path)
    return path.read_bytes()


def peers(saved: bytes, threads: int) -> list[Peer]:
    """The native scorer first, XGBoost second, then whoever is installed."""
    forest = read_forest(read_document(saved, "model"), "model", release(xgboost.__version__))
    native = NativeScorer(forest)
    booster = xgboost.Booster({"nthread": threads}, model_file=bytearray(saved))
    found = [
        Peer("native", lambda x: native.many(x, threads)),
        Peer("XGBoost", lambda x: booster.inplace_predict(x)),
    ]
    for make in (_onnx, _treelite):
        try:
            found.append(make(saved, threads))
        except ImportError:
            continue
    return found


def _onnx(saved: bytes, threads: int) -> Peer:
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = xgboost.XGBClassifier()
    booster.load_model(bytearray(saved))
    tensor = [("x", FloatTensorType([None, FEATURES]))]
    converted = onnxmltools.convert_xgboost(booster, initial_types=tensor)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options)
    return Peer("ONNX Runtime", lambda x: session.run(None, {"x": x})[1])


def _treelite(saved: bytes, threads: int) -> Peer:
    import treelite

    with tempfile.NamedTemporaryFile(suffix=".ubj") as file:
        file.write(saved)
        file.flush()
        forest = treelite.frontend.load_xgboost_model(file.name, format_choice="ubjson")
    return Peer("treelite GTIL", lambda x: treelite.gtil.predict(forest, x, nthread=threads))


def compare(shape: str, everybody: list[Peer], x: Rows) -> None:
    """See that the native bits are XGBoost's, in a block and row by row."""
    wanted = np.asarray(everybody[1].score(x)).reshape(len(x), -1)
    found = everybody[0].score(x)
    if found.tobytes() != wanted.tobytes():
        raise SystemExit(f"{shape}: the native scores differ from XGBoost's")
    for peer in everybody[2:]:
        other = np.asarray(peer.score(x), np.float32).reshape(len(x), -1)[:, -1]
        print(f"{shape}: {peer.name} differs by at most {np.abs(other - wanted[:, 0]).max():.1e}")


def times(everybody: list[Peer], x: Rows, seconds: float) -> list[float]:
    """Median µs a row of each, taken in turn."""
    taken: list[list[float]] = [[] for _ in everybody]
    repeats = []
    for peer in everybody:
        peer.score(x)
        start = time.perf_counter()
        peer.score(x)
        once = time.perf_counter() - start
        repeats.append(max(1, min(1000, int(seconds / 7 / once))))
    for _ in range(7):
        for peer, repeat, list_ in zip(everybody, repeats, taken, strict=True):
            start = time.perf_counter()
            for _ in range(repeat):
                peer.score(x)
            list_.append((time.perf_counter() - start) / repeat)
    return [statistics.median(list_) / len(x) * 1e6 for list_ in taken]


def one_row(saved: bytes, x: Rows) -> float:
    """Median µs of `NativeScorer.one`."""
    forest = read_forest(read_document(saved, "model"), "model", release(xgboost.__version__))
    native = NativeScorer(forest)
    scores = np.empty(1, np.float32)
    rows = list(x[:200])
    taken = []
    for _ in range(15):
        start = time.perf_counter()
        for row in rows:
            native.one(row, scores)
        taken.append((time.perf_counter() - start) / len(rows))
    return statistics.median(taken) * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 64, 4096, 20_000])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each cell of the table, about")
    parser.add_argument(
        "--models", type=Path, default=Path(tempfile.gettempdir()) / "engine-benchmark-models"
    )
    given = parser.parse_args()
    given.models.mkdir(parents=True, exist_ok=True)
    print(f"{platform.processor() or platform.machine()}, {level()}, XGBoost {xgboost.__version__}")
    print("| shape | threads | rows | who | µs a row | XGBoost / it |\n|---|---|---|---|---|---|")
    for shape in given.shapes:
        saved = model(shape, given.models)
        x = data(max(given.rows), 2)
        for threads in given.threads:
            everybody = peers(saved, threads)
            compare(shape, everybody, x[:5000])
            for n_rows in given.rows:
                taken = times(everybody, x[:n_rows], given.seconds)
                for peer, each in zip(everybody, taken, strict=True):
                    ratio = taken[1] / each
                    print(f"| {shape} | {threads} | {n_rows:,} | {peer.name} | {each:.3f} | {ratio:.1f} |")
        print(f"| {shape} | 1 | 1 | native, `one` | {one_row(saved, x):.2f} | |", flush=True)


if __name__ == "__main__":
    main()
