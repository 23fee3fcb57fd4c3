"""What callers have: frames, lists of rows and streams into `predict_many`, and the same kind out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import engine
from engine.config.config import Config
from engine.errors import DataError, RowError

KEEP = ("id", "n", "note")


def pipeline_of(**inputs: Any) -> engine.Pipeline:
    kinds = {"n": "number", "c": "category", "t": "timestamp", **inputs}
    stages = {
        "fill": {"use": "expr", "into": "filled", "value": "where(isnan(n), -1, n) * 2"},
        "parts": {"use": "calendar", "columns": ["t"], "parts": ["hour"]},
        "code": {"use": "expr", "into": "is_a", "value": "where(c == 'a', 1, 0)"},
    }
    outputs = ["filled", "t_hour", "is_a", "c", "t"]
    return engine.build(
        Config({"name": "p", "inputs": kinds, "keep": list(KEEP), "outputs": outputs, "stages": stages})
    )


@pytest.fixture(scope="module")
def pipeline() -> engine.Pipeline:
    return pipeline_of()


TABLE = pa.table(
    {
        "id": pa.array([7, 8, 9, 10]),
        "n": pa.array([1.5, None, float("inf"), -0.0]),
        "c": pa.array(["a", None, "b", ""]),
        "t": pa.array(
            [datetime(2013, 1, 1, 5), None, datetime(1960, 2, 29, 23), datetime(2000, 1, 1)],
            pa.timestamp("us"),
        ),
        "note": pa.array(["x", None, "é", "y"]),
        "spare": pa.array([1, 2, 3, 4]),
    }
)


def same(found: Any, wanted: Any) -> bool:
    return found == wanted or (found != found and wanted != wanted)


def test_pandas(pipeline: engine.Pipeline) -> None:
    frame = TABLE.to_pandas()
    frame.index = pd.Index(["w", "x", "y", "z"], name="key")
    frame["c"] = frame["c"].astype("category")
    frame["note"] = [("any", "object"), None, 3, "y"]
    answer = pipeline.predict_many(frame.drop(columns="note").assign(note=frame["note"].astype(str)))
    wanted = pipeline.predict_many(TABLE)
    assert isinstance(answer, pd.DataFrame) and list(answer.columns) == wanted.column_names
    assert answer.index.equals(frame.index)
    for name in ("filled", "t_hour", "is_a"):
        assert answer[name].to_numpy().tobytes() == wanted[name].to_numpy().tobytes()
    assert answer["id"].dtype == frame["id"].dtype
    assert frame.columns.tolist() == [*TABLE.column_names]


def test_pandas_keeps_the_types_of_what_is_kept(pipeline: engine.Pipeline) -> None:
    frame = TABLE.to_pandas()
    frame["id"] = pd.array([1, None, 3, 4], dtype="Int8")
    frame["note"] = pd.Categorical(["x", "y", "x", None])
    answer = pipeline.predict_many(frame)
    assert answer["id"].dtype == frame["id"].dtype and answer["note"].equals(frame["note"])


def test_pandas_with_rejects() -> None:
    pipeline = pipeline_of(n={"kind": "number", "missing": "reject"})
    frame = TABLE.to_pandas().set_index(pd.Index(list("wxyz")))
    answer, rejects = pipeline.predict_many(frame, rejects=True)
    assert answer.index.tolist() == ["w", "y", "z"] and answer["id"].tolist() == [7, 9, 10]
    assert rejects["row"].to_pylist() == [1]
    with pytest.raises(RowError, match="row 1: n: the value is missing"):
        pipeline.predict_many(frame)


def test_polars(pipeline: engine.Pipeline) -> None:
    frame = pl.from_arrow(TABLE)
    assert isinstance(frame, pl.DataFrame)
    frame = frame.with_columns(pl.col("c").cast(pl.Categorical))
    answer = pipeline.predict_many(frame)
    assert isinstance(answer, pl.DataFrame)
    wanted = pipeline.predict_many(TABLE)
    assert answer.columns == wanted.column_names
    for name in ("filled", "t_hour", "is_a"):
        assert answer[name].to_numpy().tobytes() == wanted[name].to_numpy().tobytes()
    assert answer["note"].to_list() == frame["note"].to_list()
    with pytest.raises(TypeError, match="LazyFrame; collect"):
        pipeline.predict_many(frame.lazy())


class Stream:
    """Nothing but the Arrow stream interface."""

    def __init__(self, table: pa.Table) -> None:
        self._reader = table.to_reader(2)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._reader.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_stream(pipeline: engine.Pipeline, wrapped: bool) -> None:
    answer = pipeline.predict_many(Stream(TABLE) if wrapped else TABLE.to_reader(3), threads=2)
    assert isinstance(answer, pa.RecordBatchReader)
    assert repr(answer.read_all().to_pylist()) == repr(pipeline.predict_many(TABLE).to_pylist())


def test_a_stream_is_scored_as_it_is_read(pipeline: engine.Pipeline) -> None:
    seen = []

    def batches() -> Any:
        for batch in TABLE.to_batches(1):
            seen.append(batch.num_rows)
            yield batch

    answer = pipeline.predict_many(pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
    assert seen == []
    assert answer.read_next_batch().num_rows == 1 and len(seen) == 1


def test_a_stream_names_the_row_that_is_refused() -> None:
    pipeline = pipeline_of(n={"kind": "number", "missing": "reject"})
    with pytest.raises(RowError, match="row 1: n: the value is missing"):
        pipeline.predict_many(TABLE.to_reader(1)).read_all()
    answer, rejects = pipeline.predict_many(TABLE.to_reader(1), rejects=True)
    assert isinstance(answer, pa.RecordBatchReader) and answer.read_all().num_rows == 3
    assert rejects["row"].to_pylist() == [1]


# -- lists of rows

cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["a", "b", "", "2013-01-01T05:00:00Z", "12"])
    | st.sampled_from(
        [Decimal("0.1"), np.float32(0.1), np.int8(3), pd.NA, pd.NaT, np.datetime64("2013-01-01")]
    )
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.sampled_from([[1], {"x": 1}, b"a", object])
)


@settings(max_examples=300)
@given(st.lists(st.dictionaries(st.sampled_from(["id", "n", "c", "t", "note", "other"]), cells), max_size=6))
@example([])
@example([{}])
@example([{"n": "x", "c": 5, "t": True, "note": [1]}, {"n": 1}])
@example([{"t": date(2013, 1, 1), "c": False}])
def test_a_list_of_rows_is_answered_as_its_rows_are(rows: list[dict[str, Any]]) -> None:
    pipeline = _PIPELINE[0]
    answers, rejects = pipeline.predict_many(rows, rejects=True)
    refused: dict[int, str] = {}
    for found in reversed(rejects.to_pylist()):
        refused[found["row"]] = found["reason"]
    left = iter(answers)
    for number, row in enumerate(rows):
        try:
            wanted = pipeline.predict_one(row)
        except RowError as error:
            assert refused[number] == str(error)
            continue
        assert number not in refused
        answer = next(left)
        assert list(answer) == list(wanted)
        for name in wanted:
            assert answer[name] is wanted[name] if name in KEEP else same(answer[name], wanted[name])
    assert next(left, None) is None


_PIPELINE = [pipeline_of()]


def test_odd_things_are_refused(pipeline: engine.Pipeline) -> None:
    with pytest.raises(TypeError, match="row 1: expected a mapping from input to value"):
        pipeline.predict_many([{"n": 1}, 5])
    with pytest.raises(TypeError, match="not dict; predict_one takes one mapping"):
        pipeline.predict_many({"n": 1})
    with pytest.raises(DataError, match="a column named 0: names must be text"):
        pipeline.predict_many(pd.DataFrame([[1.0]]))
    with pytest.raises(DataError, match=r"the frame can't be read: .*column n"):
        pipeline.predict_many(pd.DataFrame({"n": [1, "x"]}))


def test_nobody_looks_at_what_nothing_needs() -> None:
    pipeline = pipeline_of(unread="number")
    (answer,) = pipeline.predict_many([{"n": 1, "unread": "far"}])
    assert repr(answer) == repr(pipeline.predict_one({"n": 1, "unread": "far"}))
    frame = pd.DataFrame({"n": [1.0, 2.0], "c": ["a", "b"], "t": pd.NaT, "unread": 0.0})
    frame["id"] = [object(), 5]  # kept as it is, though Arrow has no type for it
    frame["note"] = frame["spare"] = [1, "x"]
    assert pipeline.predict_many(frame)["id"].tolist() == frame["id"].tolist()


@pytest.mark.parametrize("name", ["c", "other"])
def test_half_of_a_pair_is_no_text(pipeline: engine.Pipeline, name: str) -> None:
    row = {"n": 1, name: "a\ud800"}
    if name == "c":
        with pytest.raises(RowError, match="c: expected text, found text that is no UTF-8"):
            pipeline.predict_one(row)
        with pytest.raises(RowError, match="row 0: c: expected text, found text that is no UTF-8"):
            pipeline.predict_many([row])
    else:
        assert repr(pipeline.predict_many([row])[0]) == repr(pipeline.predict_one(row))


def test_frames_that_arrow_cannot_hold(pipeline: engine.Pipeline) -> None:
    with pytest.raises(DataError, match="several columns named 'n'"):
        pipeline.predict_many(pd.DataFrame([[1.0, 2.0]], columns=["n", "n"]))
    with pytest.raises(DataError, match=r"the frame can't be read: .*too large"):
        pipeline.predict_many(pd.DataFrame({"n": [10**30]}))
    with pytest.raises(DataError, match="'id' holds objects of Python"):
        pipeline.predict_many(pl.DataFrame({"id": pl.Series([object()], dtype=pl.Object)}))
    with pytest.raises(TypeError, match=r"not Series$"):
        pipeline.predict_many(pl.Series([1.0]))
