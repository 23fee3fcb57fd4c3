"""The same bits whatever the protocol: what a server answers is what `predict_many` says of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine
from engine.config.config import Config
from engine.pipeline import Pipeline

pytest.importorskip("tritonclient.grpc")

from ..random_pipelines import INPUTS, KINDS, TEXTS, pipelines, training_table
from .asking import (
    EPOCH,
    Answers,
    Asking,
    Column,
    Columns,
    Refused,
    as_a_whole,
    expected,
    height,
    in_raw,
    part,
    without_missing_texts,
)
from .running import serving

CLASSES, STRICT, REASONS = 356, 43, 8
"""Seeds of random pipelines: one of several classes, one that keeps a column, one that gives reasons."""
GROUPED: dict[str, Any] = {
    "name": "grouped",
    "inputs": dict(INPUTS) | {"c": {"kind": "number", "missing": "reject"}},
    "target": {"column": "y"},
    "split": {"kind": "random", "valid": 0.2, "test": 0.2},
    "golden": 0,
    "stages": {
        "hot": {"use": "onehot", "columns": ["m"]},
        "model": {"use": "xgboost", "rounds": 4, "params": {"max_depth": 3}},
        "place": {"use": "rank", "columns": ["score"]},
        "of_k": {"use": "rank", "columns": ["a"], "by": "k"},
        "shown": {"use": "top_k", "columns": ["score"], "k": 2},
        "shown_of_k": {"use": "top_k", "columns": ["score"], "by": "k", "k": 1},
    },
    "outputs": ["score", "place", "of_k", "shown", "shown_of_k", "t", "w", "k"],
}


def fitted() -> dict[str, Pipeline]:
    made: dict[str, dict[str, Any]] = {}
    for name, seed in (("classes", CLASSES), ("strict", STRICT), ("reasons", REASONS)):
        made[name] = {**pipelines(np.random.default_rng(seed)), "name": name}
    inputs = made["strict"]["inputs"]
    inputs |= {"d": {"kind": "number", "missing": "reject"}, "m": {"kind": "category", "unknown": "reject"}}
    assert made["reasons"]["stages"]["model"]["explain"]
    assert made["classes"]["target"] == {"column": "y_class"}
    assert made["strict"]["keep"] == ["b"]
    table = training_table(5)
    for name in ("c", "d"):  # which must not be missing for some
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].fill_null(0.25))
    return {name: engine.fit(Config(config), table) for name, config in {**made, "grouped": GROUPED}.items()}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Asking]]:
    """A server of each pipeline."""
    folder = tmp_path_factory.mktemp("protocols")
    environment = {"ENGINE_PLUGINS": KINDS}  # stages of the tests' own, which some of them have
    with ExitStack() as stack:
        found = {}
        waiting = []
        for name, pipeline in fitted().items():
            pipeline.save(folder / name)
            server = serving(
                f"bundle={folder / name}", "server.grpc_port=0", environment=environment, wait=False
            )
            waiting.append((name, pipeline, stack.enter_context(server)))
        for name, pipeline, running in waiting:  # they start beside one another
            running.event("ready")
            found[name] = Asking(running, pipeline)
            stack.callback(found[name].close)
        yield found


# -- what is asked

FLOATS = {"FP64": 64, "FP32": 32, "FP16": 16}
WHOLE = {"INT64": (-(2**63), 2**63 - 1), "UINT64": (0, 2**64 - 1), "INT8": (-128, 127)}
texts = st.one_of(
    st.none(),
    st.sampled_from([*TEXTS, "never seen", "e\u0301", "👩‍🚀", "a\0b", "inf", "null"]),
    st.text(max_size=3),
)
moments = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(
        lambda found: (found.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    ),
)


def numbers(datatype: str) -> st.SearchStrategy[Any]:
    if datatype == "BOOL":
        values: st.SearchStrategy[Any] = st.booleans()
    elif datatype in WHOLE:
        low, high = WHOLE[datatype]
        values = st.one_of(st.integers(low, high), st.integers(max(low, -3), 3))
    else:
        odd = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.0, -1.5]
        values = st.one_of(st.floats(width=FLOATS[datatype]), st.sampled_from(odd))  # type: ignore[arg-type]
    return st.one_of(st.none(), values, values, values)


@st.composite
def columns(draw: st.DrawFn, least: int = 1, most: int = 20) -> Columns:
    """Columns for all the inputs; a request can't have no rows in every protocol."""
    rows = draw(st.integers(least, most))

    def values(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=rows, max_size=rows))

    found = {}
    for name, kind in INPUTS.items():
        if kind == "number":
            datatype = draw(st.sampled_from(["FP64", "FP64", "BOOL", *FLOATS, *WHOLE]))
            found[name] = Column(kind, datatype, values(numbers(datatype)))
        elif kind == "timestamp":
            found[name] = Column(kind, "INT64", values(moments))
        else:
            found[name] = Column(kind, "BYTES", values(texts))
    return found


@st.composite
def known(draw: st.DrawFn) -> Columns:
    """Columns of which a strict pipeline takes most rows."""
    found = draw(columns())
    rows = height(found)
    seen = st.sampled_from([*TEXTS[:5], *TEXTS[:5], None, "never seen"] if draw(st.booleans()) else TEXTS[:5])
    found["m"] = Column("category", "BYTES", draw(st.lists(seen, min_size=rows, max_size=rows)))
    filled = [0.5 if value is None or value != value else value for value in found["d"].values]
    if found["d"].datatype in FLOATS and draw(st.booleans()):
        found["d"] = Column("number", found["d"].datatype, filled)
    return found


def chunks(draw: st.DrawFn, rows: int) -> list[tuple[int, int]]:
    """The rows in several requests."""
    cuts = draw(st.lists(st.integers(1, max(rows - 1, 1)), max_size=3, unique=True))
    edges = [0, *sorted(cut for cut in cuts if cut < rows), rows]
    return list(pairwise(edges))


@st.composite
def requests(draw: st.DrawFn, of: st.SearchStrategy[Columns]) -> tuple[Columns, list[tuple[int, int]]]:
    found = draw(of)
    return found, chunks(draw, height(found))


# -- and what must come

RELAXED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def slices(answers: Answers, start: int, end: int) -> Answers:
    return answers if isinstance(answers, Refused) else answers[start:end]


def check_request(asking: Asking, asked: Columns, wanted: Answers, wanted_raw: Answers) -> None:
    """One request in each protocol; ``wanted_raw`` is of the same without missing texts."""
    rows = asking.rows(asked)
    assert asking.many(rows) == wanted
    assert asking.many(asking.rows(asked, texts=True), "/invocations") == wanted
    filled = without_missing_texts(asked)
    raw = in_raw(as_a_whole(wanted_raw), asking.pipeline)
    said, why = asking.oip(asked, binary=False, answer=False)
    assert said == as_a_whole(wanted)
    said, _ = asking.oip(asked, binary=True, answer=True, column=True)
    assert said == in_raw(as_a_whole(wanted), asking.pipeline)
    said, why = asking.oip(filled, binary=True, answer=True)
    assert said == raw
    for answers, message in (asking.raw(filled), asking.typed(filled)):
        if isinstance(raw, Refused):
            assert isinstance(answers, Refused)
            assert message == why  # which is all that gRPC has of it
        else:
            assert answers == raw


@pytest.mark.parametrize("name", ["classes", "strict", "reasons"])
def test_rows_of_their_own(servers: dict[str, Asking], name: str) -> None:
    """Where no row has to do with another, it doesn't matter which of them come together."""
    asking = servers[name]

    @RELAXED
    @given(request=requests(known() if name == "strict" else columns()))
    def run(request: tuple[Columns, list[tuple[int, int]]]) -> None:
        asked, cuts = request
        wanted = expected(asking.pipeline, asked)
        wanted_raw = expected(asking.pipeline, without_missing_texts(asked))
        assert [asking.one(row) for row in asking.rows(asked)] == wanted
        for start, end in cuts:
            check_request(
                asking, part(asked, start, end), slices(wanted, start, end), slices(wanted_raw, start, end)
            )

    run()


def test_a_request_is_a_group(servers: dict[str, Asking]) -> None:
    """Each request is a table of its own, whose groups must be whole."""
    asking = servers["grouped"]

    @RELAXED
    @given(
        request=requests(columns().map(with_runs)),
        sort=st.booleans(),
    )
    def run(request: tuple[Columns, list[tuple[int, int]]], sort: bool) -> None:
        asked, cuts = request
        if sort:
            order = sorted(range(height(asked)), key=lambda row: (asked["k"].values[row] or "",))
            asked = {
                name: Column(each.kind, each.datatype, [each.values[row] for row in order])
                for name, each in asked.items()
            }
        for start, end in cuts:
            asked_now = part(asked, start, end)
            wanted = expected(asking.pipeline, asked_now)
            check_request(
                asking, asked_now, wanted, expected(asking.pipeline, without_missing_texts(asked_now))
            )
            first = part(asked_now, 0, 1)
            assert [asking.one(asking.rows(first)[0])] == expected(asking.pipeline, first)

    run()


def with_runs(found: Columns) -> Columns:
    """The same with few groups, no missing one, and numbers that are all there now and then."""
    k = [value if value in TEXTS[:3] else "blue" for value in found["k"].values]
    c = found["c"]
    if c.datatype in FLOATS and c.values[0] is not None:
        c = Column(c.kind, c.datatype, [0.5 if v is None or v != v else v for v in c.values])
    return {**found, "k": Column("category", "BYTES", k), "c": c}


def test_a_group_in_two_places_is_refused_alike(servers: dict[str, Asking]) -> None:
    asking = servers["grouped"]
    rows = {name: Column(kind, "FP64", [1.0, 2.0, 3.0]) for name, kind in INPUTS.items() if kind == "number"}
    rows |= {name: Column("text", "BYTES", ["red", "blue", "red"]) for name in ("k", "m", "w")}
    rows |= {name: Column("timestamp", "INT64", [0, 1, -1]) for name in ("t", "u")}
    refused = Refused("data", None)
    check_request(asking, rows, refused, refused)


WRONG = st.sampled_from(["12", "", "nan", [1], [], {"a": 1}, True, 1e300, 7, -(2**70), "2020-02-30", 1.5])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    asked=columns(most=11),
    wrong=st.dictionaries(st.sampled_from(list(INPUTS)), st.tuples(st.integers(0, 10), WRONG), min_size=1),
)
def test_values_of_another_kind_are_refused_alike(
    asking: Asking, asked: Columns, wrong: dict[str, tuple[int, Any]]
) -> None:
    """Only JSON can hold them: a row, an array and a tensor of JSON."""
    rows = asking.rows(asked)
    for name, (place, value) in wrong.items():
        rows[place % len(rows)][name] = value
    each = [asking.one(row) for row in rows]
    assert asking.many(rows) == each
    assert asking.many(rows * 9) == each * 9
    if any(isinstance(value, list | dict) for _, value in wrong.values()):
        return  # which would be the rows of a tensor
    said, why = asking.json_tensors(rows)
    assert said == as_a_whole(each), why


@pytest.fixture(scope="module")
def asking(servers: dict[str, Asking]) -> Asking:
    return servers["classes"]
