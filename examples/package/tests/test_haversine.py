"""Distances are those of the angle between two vectors."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import UserError
from engine.testing import run_stage

NAMES = ("lat", "lon", "to_lat", "to_lon")


def measure(*degrees: object, **options: float) -> np.ndarray:
    points = {name: np.atleast_1d(found).tolist() for name, found in zip(NAMES, degrees, strict=True)}
    return np.array(run_stage("haversine", points, into="way", **options)["way"])


def vectors(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def test_it_is_the_angle_between_vectors() -> None:
    rng = np.random.default_rng(0)
    lat, to_lat = rng.uniform(-90, 90, (2, 1000))
    lon, to_lon = rng.uniform(-180, 180, (2, 1000))
    cosine = (vectors(lat, lon) * vectors(to_lat, to_lon)).sum(axis=0)
    wanted = np.arccos(np.clip(cosine, -1, 1))
    np.testing.assert_allclose(measure(lat, lon, to_lat, to_lon, radius=1), wanted, atol=1e-6)


def test_london_to_paris_in_kilometres() -> None:
    assert measure(51.5074, -0.1278, 48.8566, 2.3522) == pytest.approx(343.6, abs=0.1)


def test_opposite_points_and_missing_ones() -> None:
    found = measure([0, 90, 0], [0, 0, 0], [0, -90, np.nan], [180, 0, 0], radius=1)
    np.testing.assert_allclose(found, [np.pi, np.pi, np.nan])


def test_another_number_of_columns_is_refused() -> None:
    with pytest.raises(UserError, match=r"takes four columns.* not 2: lat, lon"):
        run_stage("haversine", {"lat": [0.0], "lon": [0.0]}, into="way")
