"""Stages of timestamps, beside pandas: calendar, elapsed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.api import build
from engine.config.config import Config
from engine.demo import read_flights
from engine.errors import UserError
from engine.expr.calendar import PARTS
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.pipeline import Pipeline
from engine.schema import Kind
from engine.testing import run_stage
from engine.values import NAT

UNITS = {"seconds": 1e6, "minutes": 6e7, "hours": 3.6e9, "days": 8.64e10}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pipeline(stages: dict[str, Any], *inputs: str) -> Pipeline:
    return build(Config({"name": "times", "inputs": dict.fromkeys(inputs, "timestamp"), "stages": stages}))


def calendar_of_pandas(moments: Any) -> dict[str, Any]:
    at = moments.dt
    return {
        "year": at.year,
        "quarter": at.quarter,
        "month": at.month,
        "week": at.isocalendar().week,
        "day": at.day,
        "weekday": at.day_of_week,
        "hour": at.hour,
        "minute": at.minute,
        "day_of_year": at.day_of_year,
        "is_weekend": (at.day_of_week >= 5).where(moments.notna()),
    }


def check_calendar(moments: pa.Array) -> None:
    parts = pipeline({"parts": {"use": "calendar", "columns": ["at"], "parts": list(PARTS)}}, "at")
    found = parts.predict_many(pa.table({"at": moments}))
    plain = moments.cast(pa.timestamp("us", "UTC")).to_numpy(zero_copy_only=False)
    expected = calendar_of_pandas(pd.Series(plain.astype("datetime64[us]")))
    assert set(expected) == set(PARTS)
    for part, values in expected.items():
        wanted = values.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        np.testing.assert_array_equal(found[f"at_{part}"].to_numpy(), wanted, part)


@pytest.fixture(scope="module")
def hours() -> pa.Array:
    return read_flights()["time_hour"].combine_chunks()


def test_calendar_of_flights(hours: pa.Array) -> None:
    check_calendar(hours.take(pa.array(range(0, len(hours), 7))))


def test_calendar_of_all_years_with_gaps() -> None:
    rng = np.random.default_rng(0)
    first, last = -62_135_596_800_000_000, 253_402_300_799_999_999
    leap = [datetime(year, month, day, tzinfo=UTC) for year in (4, 1600, 1900, 1968, 2000, 2024, 2100)
            for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))]  # fmt: skip
    edges = [first, last, -1, 0, 1, None, *((moment - EPOCH) // timedelta(microseconds=1) for moment in leap)]
    moments = [*edges, *rng.integers(first, last, 20_000).tolist()]
    check_calendar(pa.array(moments, pa.timestamp("us", "UTC")))


@pytest.mark.parametrize("us", [-(2**63) + 1, 2**63 - 1, -62_135_596_800_000_001, 253_402_300_800_000_000])
def test_a_timestamp_outside_the_years_is_refused_before_a_stage_sees_it(us: int) -> None:
    stages = {"age": {"use": "elapsed", "columns": ["at"], "since": "2013-01-01"}}
    table = pa.table({"at": pa.array([us, 0], pa.timestamp("us"))})
    found, rejects = pipeline(stages, "at").predict_many(table, rejects=True)
    assert (found.num_rows, rejects["code"].to_pylist()) == (1, ["invalid"])


@pytest.mark.parametrize("unit", UNITS)
def test_elapsed_of_flights(hours: pa.Array, unit: str) -> None:
    rng = np.random.default_rng(1)
    left = hours.cast(pa.timestamp("us", "UTC"))
    came = pa.array(
        np.asarray(left.cast(pa.int64())) + rng.integers(-(10**9), 10**11, len(left)),
        pa.timestamp("us", "UTC"),
    )
    stages = {
        "air": {"use": "elapsed", "columns": ["left", "came"], "unit": unit},
        "age": {"use": "elapsed", "columns": ["left"], "since": "2013-07-01T00:00:00-04:00", "unit": unit},
    }
    found = pipeline(stages, "left", "came").predict_many(pa.table({"left": left, "came": came}))
    frame = pd.DataFrame({"left": left.to_pandas(), "came": came.to_pandas()})
    whole = (frame.came - frame.left).dt.as_unit("us").astype("int64").to_numpy()
    np.testing.assert_array_equal(found["air"].to_numpy(), whole / UNITS[unit])
    since = (frame.left - pd.Timestamp("2013-07-01T04:00:00Z")).dt.as_unit("us").astype("int64").to_numpy()
    np.testing.assert_array_equal(found["age"].to_numpy(), since / UNITS[unit])
    if unit == "seconds":  # pandas multiplies by 1e-6, which is not to the nearest
        seconds = (frame.came - frame.left).dt.total_seconds().to_numpy()
        np.testing.assert_array_max_ulp(found["air"].to_numpy(), seconds, 1)


moments = st.one_of(
    st.none(),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)).map(
        lambda d: d.replace(tzinfo=UTC)
    ),
)


@settings(deadline=None)
@given(st.lists(st.tuples(moments, moments), min_size=1), st.sampled_from(list(UNITS)))
def test_elapsed_is_exact(pairs: list[tuple[datetime | None, datetime | None]], unit: str) -> None:
    data = {"a": [EPOCH, *(a for a, _ in pairs)], "b": [EPOCH, *(b for _, b in pairs)]}
    found = run_stage("elapsed", data, columns=["a", "b"], unit=unit)["elapsed"][1:]
    for (a, b), value in zip(pairs, found, strict=True):
        if a is None or b is None:
            assert math.isnan(value)
        else:
            assert value == float((b - a) // timedelta(microseconds=1)) / UNITS[unit]


def test_the_sign_and_the_ways_to_state_a_moment() -> None:
    data = {"at": [datetime(2013, 1, 1), datetime(2013, 1, 3, 12), None]}
    for since in (
        "2013-01-02",
        "2013-01-02T00:00Z",
        "2013-01-02 00:00:00",
        "2013-01-01T19:00:00.000000-05:00",
    ):
        found = run_stage("elapsed", data, since=since, unit="days", into="days")
        assert repr(found) == "{'days': [-1.0, 1.5, nan]}"


@given(
    st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 2), min_size=1),
    st.integers(-(2**63) + 1, 2**63 - 1),
)
def test_any_whole_numbers_a_stage_may_have_made(pairs: list[tuple[int, int]], moment: int) -> None:
    later, earlier = (Expr.input(name, Kind.TIMESTAMP) for name in "ab")
    leaves = {
        ("input", "a"): np.array([a for a, _ in pairs]),
        ("input", "b"): np.array([b for _, b in pairs]),
    }
    found: Any = interpret([later.since(earlier), later.since(moment)], leaves, len(pairs))
    for (a, b), between, since in zip(pairs, *(column.tolist() for column in found), strict=True):
        for other, value in ((b, between), (moment, since)):
            if NAT in (a, other):
                assert math.isnan(value)
            elif abs(a - other) < 2**63:
                assert value == float(a - other)
            else:
                assert math.isclose(value, a - other, rel_tol=1e-15)


SINCE = "since must be a moment such as 2013-01-01T18:30:00Z, or a date, not "


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (["a"], {}, "elapsed takes two columns, from and to, or one and since; not 1: a"),
        (["a", "b", "c"], {}, "elapsed takes two columns, from and to, or one and since; not 3: a, b, c"),
        (["a", "b"], {"since": "2013-01-01"}, "elapsed takes one column where since is given, not 2: a, b"),
        (["a"], {"since": "yesterday"}, f"{SINCE}'yesterday' (str)"),
        (["a"], {"since": "2013-02-29"}, f"{SINCE}'2013-02-29' (str)"),
        (["a"], {"since": "0001-01-01T00:00+01:00"}, f"{SINCE}a time outside the years 1 to 9999"),
    ],
)
def test_mistakes(columns: list[str], options: dict[str, Any], message: str) -> None:
    data = {name: [datetime(2013, 1, 1)] for name in "abc"}
    with pytest.raises(UserError) as caught:
        run_stage("elapsed", data, columns=columns, **options)
    assert str(caught.value) == message


def test_a_date_in_a_config(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    stage = "{use: elapsed, columns: [at], since: 2013-01-01, unit: hours}"
    text = f"inputs: {{at: timestamp}}\nstages: {{age: {stage}}}\n"
    (tmp_path / "pipeline" / "ages.yaml").write_text(f"# @package _global_\n{text}")
    config = engine.compose(["pipeline=ages"], config_dir=str(tmp_path))
    assert engine.build(config).predict_one({"at": datetime(2013, 1, 1, 6)}) == {"age": 6.0}
    overrides = ["pipeline=ages", "stages.age.since=2013-01-01T05:00:00Z", "stages.age.unit=minutes"]
    config = engine.compose(overrides, config_dir=str(tmp_path))
    assert engine.build(config).predict_one({"at": datetime(2013, 1, 1, 6)}) == {"age": 60.0}
    with pytest.raises(UserError, match=r"stages\.age\.unit: 'unit' of 'elapsed' must be one of"):
        engine.build(engine.compose(["pipeline=ages", "stages.age.unit=weeks"], config_dir=str(tmp_path)))
