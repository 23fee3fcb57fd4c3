"""The native scorer beside XGBoost, ONNX Runtime and treelite: the same rows, models and number of threads.

    python -m benchmarks.scoring [--quick] [--shapes 100x6 flights] [--threads 1 2] [--rows 1 1000 1000000]
                                 [--json FILE] [--csv FILE] [--picture FILE]

Answers are compared before anything is timed: XGBoost's to the bit, the others' to a tolerance. Times are
medians of several runs in turn. Who isn't installed is left out (``pip install 'inference-engine[bench]'``),
and so is a call that would take longer than ``--longest``. ``ENGINE_CPU=avx2`` or ``generic`` lowers the
processor.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from benchmarks.measure import machine, medians_in_turn
from engine.forest.forest import read_document, read_forest
from engine.forest.native import NativeScorer
from engine.forest.verify import release
from engine.jit.target import level

_FEATURES = 30
_LOSSGUIDE = {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 255}
SHAPES: dict[str, tuple[int, dict[str, Any]]] = {
    "100x6": (100, {"max_depth": 6}),
    "500x8": (500, {"max_depth": 8}),
    "1000x10": (1000, {"max_depth": 10}),
    "lossguide": (200, _LOSSGUIDE),
}
"""Rounds and parameters of the models on noise of 30 features; ``flights`` is the packaged pipeline's."""

_PACKAGES = ("xgboost", "onnxruntime", "onnxmltools", "treelite", "numba", "numpy")
_TOLERANCE = 1e-5
_ROWS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Peer:
    """Somebody who scores blocks of rows, shape (n_rows, n_features), on a number of threads."""

    name: str
    score: Callable[[Rows], Any]


@dataclass(frozen=True)
class Cell:
    """What was measured: the median of a call with so many rows.

    Parameters
    ----------
    shape : str
    threads, rows : int
    who : str
    microseconds : float
        For each row.
    times_xgboost : float or None
        How often as fast as XGBoost; None where XGBoost took too long to be asked.
    """

    shape: str
    threads: int
    rows: int
    who: str
    microseconds: float
    times_xgboost: float | None


# -- models and rows


def noise(n_rows: int, seed: int) -> Rows:
    """Features, one in twenty missing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_rows, _FEATURES), np.float32)
    x[rng.random(x.shape, np.float32) < 0.05] = np.nan
    return x


def load(shape: str, most: int, folder: Path) -> tuple[bytes, Rows]:
    """The model of a shape, which is trained once, and at least ``most`` rows for it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{shape}.ubj"
    if shape == "flights":
        return _flights(most)
    if not path.exists():
        rounds, params = SHAPES[shape]
        x = noise(100_000, 0)
        rng = np.random.default_rng(1)
        known = np.nan_to_num(x)
        y = known @ rng.normal(size=_FEATURES) + 3 * np.sin(3 * known[:, 0]) + rng.normal(size=len(x)) > 0
        matrix = xgboost.QuantileDMatrix(x, y)
        xgboost.train({"objective": "binary:logistic", "eta": 0.1, **params}, matrix, rounds).save_model(path)
    return path.read_bytes(), noise(most, 2)


def _flights(most: int) -> tuple[bytes, Rows]:
    from benchmarks.flights import features_of, fit_flights, model_of
    from engine.demo import read_flights

    table = read_flights()
    pipeline = fit_flights(table)
    x = np.column_stack(list(features_of(pipeline, table).values())).astype(np.float32)
    return model_of(pipeline), np.tile(x, (-(-most // len(x)), 1))


# -- who scores


def peers(saved: bytes, n_features: int, threads: int) -> list[Peer]:
    """The native scorer first, XGBoost second, then whoever is installed."""
    forest = read_forest(read_document(saved, "model"), "model", release(xgboost.__version__))
    native = NativeScorer(forest)
    scores = np.empty((1, 1), np.float32)

    def score(x: Rows) -> Rows:
        if len(x) > 1:
            return native.many(x, threads)
        native.one(x[0], scores[0])  # as `predict_one` does
        return scores

    booster = xgboost.Booster({"nthread": threads}, model_file=bytearray(saved))
    booster.feature_names = None
    found = [Peer("native", score), Peer("XGBoost", lambda x: booster.inplace_predict(x))]
    for make in (_onnx, _treelite):
        try:
            found.append(make(saved, n_features, threads))
        except ImportError:
            continue
    return found


def _onnx(saved: bytes, n_features: int, threads: int) -> Peer:
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = xgboost.XGBClassifier()
    model.load_model(bytearray(saved))
    model.get_booster().feature_names = None  # the converter wants f0, f1, …
    tensor = [("x", FloatTensorType([None, n_features]))]
    converted = onnxmltools.convert_xgboost(model, initial_types=tensor)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options)
    wanted = [session.get_outputs()[1].name]
    return Peer("ONNX Runtime", lambda x: session.run(wanted, {"x": x})[0])


def _treelite(saved: bytes, n_features: int, threads: int) -> Peer:
    import treelite

    with tempfile.NamedTemporaryFile(suffix=".ubj") as file:
        file.write(saved)
        file.flush()
        forest = treelite.frontend.load_xgboost_model(file.name, format_choice="ubjson")
    return Peer("treelite GTIL", lambda x: treelite.gtil.predict(forest, x, nthread=threads))


def compare(shape: str, everybody: Sequence[Peer], x: Rows) -> None:
    """See that the native bits are XGBoost's, in a block and row by row, and that the others are near."""
    wanted = np.asarray(everybody[1].score(x)).reshape(len(x), -1)
    if everybody[0].score(x).tobytes() != wanted.tobytes():
        raise SystemExit(f"{shape}: the native scores differ from XGBoost's")
    for i in range(100):
        if everybody[0].score(x[i : i + 1]).tobytes() != wanted[i].tobytes():
            raise SystemExit(f"{shape}: the native score of row {i} alone differs from XGBoost's")
    for peer in everybody[2:]:
        other = np.asarray(peer.score(x), np.float32).reshape(len(x), -1)[:, -1]
        far = np.abs(other - wanted[:, 0]).max()
        if not far < _TOLERANCE:
            raise SystemExit(f"{shape}: {peer.name} differs from XGBoost by {far:.1e}")


# -- what is measured


def measure(
    shape: str,
    threads: int,
    everybody: Sequence[Peer],
    x: Rows,
    rows: Sequence[int],
    seconds: float,
    longest: float,
) -> list[Cell]:
    """The cells of a shape on so many threads, printed as they come."""
    found: list[Cell] = []
    known: dict[str, float] = {}
    for n_rows in sorted(rows):
        part = x[:n_rows]
        able = [peer for peer in everybody if n_rows <= 1000 or known.get(peer.name, 0) * n_rows <= longest]
        if not able:
            break
        medians = medians_in_turn([partial(peer.score, part) for peer in able], seconds)
        known.update((peer.name, median / n_rows) for peer, median in zip(able, medians, strict=True))
        names = [peer.name for peer in able]
        xgb = known["XGBoost"] if "XGBoost" in names else None
        for name in names:
            ratio = xgb / known[name] if xgb else None
            cell = Cell(shape, threads, n_rows, name, known[name] * 1e6, ratio)
            shown = f"{ratio:.1f}" if ratio else ""
            print(
                f"| {shape} | {threads} | {n_rows:,} | {name} | {cell.microseconds:.3f} | {shown} |",
                flush=True,
            )
            found.append(cell)
    return found


def main() -> None:
    """Print a table; write it, and a picture of it, where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--shapes", nargs="+", choices=[*SHAPES, "flights"], default=[*SHAPES, "flights"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rows", nargs="+", type=int, default=_ROWS, help="rows a call")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each cell of the table, about")
    parser.add_argument("--longest", type=float, default=20.0, help="seconds of a call that is still made")
    parser.add_argument("--quick", action="store_true", help="--seconds 0.1 --longest 0.5")
    parser.add_argument(
        "--models", type=Path, default=Path(tempfile.gettempdir()) / "engine-benchmark-models"
    )
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--csv", type=Path, help="write the table there")
    parser.add_argument("--picture", type=Path, help="draw rows/s against rows a call there (.png, .svg)")
    given = parser.parse_args()
    if given.quick:
        given.seconds, given.longest = 0.1, 0.5
    on = {**machine(*_PACKAGES), "instructions": level()}
    print(", ".join(f"{name} {value}" for name, value in on.items()))
    print("| shape | threads | rows | who | µs a row | XGBoost / it |\n|---|---|---|---|---|---|", flush=True)
    cells: list[Cell] = []
    for shape in given.shapes:
        saved, x = load(shape, max(5000, *given.rows), given.models)
        for threads in given.threads:
            everybody = peers(saved, x.shape[1], threads)
            compare(shape, everybody, x[:5000])
            cells += measure(shape, threads, everybody, x, given.rows, given.seconds, given.longest)
        write(cells, on, given)


def write(cells: Sequence[Cell], on: Mapping[str, str], to: argparse.Namespace) -> None:
    """What was measured so far, in the files that are wanted."""
    rows = [asdict(cell) for cell in cells]
    if to.json:
        to.json.write_text(json.dumps({"machine": on, "cells": rows}, indent=1) + "\n")
    if to.csv:
        with to.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    if to.picture:
        draw(cells, to.picture)


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Rows a second against rows a call, both logarithmic; a panel for each shape."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    shapes = list(dict.fromkeys(cell.shape for cell in cells))
    names = list(dict.fromkeys(cell.who for cell in cells))
    all_threads = sorted({cell.threads for cell in cells})
    columns = min(3, len(shapes))
    figure, panels = pyplot.subplots(
        -(-len(shapes) // columns), columns, figsize=(4.2 * columns, 7.4), sharex=True, squeeze=False
    )
    for panel, shape in zip(panels.flat, shapes, strict=False):
        for number, name in enumerate(names):
            for threads in all_threads:
                line = [c for c in cells if (c.shape, c.who, c.threads) == (shape, name, threads)]
                panel.loglog(
                    [c.rows for c in line],
                    [1e6 / c.microseconds for c in line],
                    color=f"C{number}",
                    linestyle="-" if threads == all_threads[-1] else ":",
                    marker=".",
                    label=f"{name}, {threads} thread{'s' if threads > 1 else ''}",
                )
        panel.set_title(shape)
        panel.grid(alpha=0.3)
    for panel in panels[:, 0]:
        panel.set_ylabel("rows a second")
    for panel in panels.flat[len(shapes) - columns : len(shapes)]:
        panel.set_xlabel("rows a call")
        panel.tick_params(labelbottom=True)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    for panel in panels.flat[len(shapes) :]:
        panel.axis("off")
    if len(shapes) < panels.size:
        panels.flat[-1].legend(handles, labels, loc="center", frameon=False)
    else:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(names))
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
