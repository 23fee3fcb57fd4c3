"""The promise: the same bits for the same row, one at a time or in any table, compiled or interpreted."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.api import build, fit
from engine.config.config import Config
from engine.errors import RowError
from engine.pipeline import Pipeline

from .random_pipelines import pipelines, tables, training_table

# Hypothesis picks the rows; the structures are picked by number, so that their kernels are cached.
STRUCTURES = 30


def bits(table: pa.Table) -> list[list[Any]]:
    """A table as values that are equal only when their bits are."""
    return [[exact(value) for value in column.to_pylist()] for column in table.columns]


def exact(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return value


def fitted(config: dict[str, Any], seed: int) -> Pipeline:
    return fit(Config(config), training_table(seed))


def check_parity(pipeline: Pipeline, table: pa.Table, data: st.DataObject) -> None:
    whole, rejects = pipeline.predict_many(table, rejects=True)
    expected = bits(whole)
    names = whole.schema.names
    refused = dict(zip(rejects["row"].to_pylist(), rejects["reason"].to_pylist(), strict=True))
    assert len(refused) + whole.num_rows == table.num_rows

    # one by one
    place = 0
    for i, row in enumerate(table.to_pylist()):
        sparse = {key: value for key, value in row.items() if value is not None}
        if i in refused:
            with pytest.raises(RowError) as caught:
                pipeline.predict_one(row)
            assert str(caught.value) == refused[i]
            continue
        answer = pipeline.predict_one(row)
        assert list(answer) == names
        assert [exact(value) for value in answer.values()] == [column[place] for column in expected]
        assert [exact(v) for k, v in pipeline.predict_one(sparse).items() if k in names] == [
            column[place] for column in expected
        ]
        place += 1

    # in other chunks, another order of columns, several threads
    order = data.draw(st.permutations(table.schema.names))
    cuts = sorted(data.draw(st.lists(st.integers(0, table.num_rows), max_size=3)))
    edges = [0, *cuts, table.num_rows]
    chunks = [table.slice(a, b - a).combine_chunks() for a, b in itertools.pairwise(edges)]
    shuffled = pa.concat_tables(chunks).select(order)
    for threads in (1, 3):
        again, gone = pipeline.predict_many(shuffled, threads=threads, rejects=True)
        assert bits(again) == expected
        assert gone.equals(rejects)
    parts = [pipeline.predict_many(chunk, rejects=True)[0] for chunk in chunks]
    assert bits(pa.concat_tables(parts)) == expected

    # by the interpreter
    oracle = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
    plain, gone = oracle.predict_many(table, rejects=True)
    assert bits(plain) == expected
    assert gone.equals(rejects)


@pytest.mark.parametrize("seed", range(STRUCTURES))
def test_compiled(seed: int) -> None:
    pipeline = fitted(pipelines(np.random.default_rng(seed)), seed)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(table=tables(), data=st.data())
    def check(table: pa.Table, data: st.DataObject) -> None:
        check_parity(pipeline, table, data)

    check()


@pytest.mark.parametrize("seed", range(1000, 1120))
def test_interpreted(seed: int) -> None:
    """Many more structures, where nothing needs to be compiled: rows against tables and chunks."""
    compiled = fitted_interpreted(pipelines(np.random.default_rng(seed)), seed)

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(table=tables(), data=st.data())
    def check(table: pa.Table, data: st.DataObject) -> None:
        check_parity(compiled, table, data)

    check()


def fitted_interpreted(config: dict[str, Any], seed: int) -> Pipeline:
    from engine.plan.build import build_plan
    from engine.training.fit import fit_plan

    config = config | {"golden": 0}
    plan = build_plan(Config(config))
    pipeline = fit_plan(plan, training_table(seed), progress=lambda *_: None, interpreted=True)
    assert pipeline.interpreted
    return pipeline


def test_a_zeros_sign_and_repeated_texts() -> None:
    """What is equal isn't always the same: -0.0 beside 0.0, and a text that two labels share."""
    order = {"use": "ordinal", "columns": ["k"], "categories": ["red", "green"]}
    stages: dict[str, Any] = {
        "plus": order | {"unknown": 0.0, "into": "plus"},
        "minus": order | {"unknown": -0.0, "into": "minus"},
        "filled": {"use": "impute", "columns": ["a"], "value": -0.0, "into": "filled"},
        "empty": {"use": "impute", "columns": ["a"], "value": 0.0, "into": "empty"},
        "flag": {"use": "expr", "value": "b > 0"},
        "same": {"use": "label", "columns": ["flag"], "labels": ["same", "same"], "into": "same"},
        "other": {"use": "label", "columns": ["flag"], "labels": ["a", "same"], "into": "other"},
        "turned": {"use": "label", "columns": ["flag"], "labels": ["same", "a"], "into": "turned"},
    }
    for name in ("same", "other", "turned"):
        stages[f"{name}_place"] = order | {"columns": [name], "categories": ["same"], "into": f"{name}_place"}
    signs = ("plus", "minus", "filled", "empty")
    stages |= {f"over_{name}": {"use": "expr", "value": f"1 / {name}"} for name in signs}
    stages["scaled"] = {"use": "expr", "value": "1 / (b * -0.0) + 1 / (0.0 * b)"}
    inputs = {"a": "number", "b": "number", "k": "category"}
    config = {"name": "zeros", "inputs": inputs, "stages": stages}
    pipeline = build(Config(config))
    table = pa.table(
        {"a": [0.0, -0.0, 2.0, None], "b": [1.0, -1.0, None, 2.0], "k": ["green", "blue", None, "red"]}
    )
    found = pipeline.predict_many(table).to_pydict()
    inf = math.inf
    assert found["over_plus"][1] == inf and found["over_minus"][1] == -inf
    assert found["over_filled"] == [inf, -inf, 0.5, -inf]
    assert found["over_empty"] == [inf, -inf, 0.5, inf]
    assert found["same"] == ["same"] * 4 and found["other"] == ["same", "a", "a", "same"]
    assert found["same_place"] == [0.0] * 4 and found["other_place"] == [0.0, -1.0, -1.0, 0.0]
    assert found["turned_place"] == [-1.0, 0.0, 0.0, -1.0]

    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        check_parity(pipeline, table, data)

    check()


@pytest.mark.parametrize("rows", [0, 1, 4095, 4096, 4097, 20_000])
@pytest.mark.parametrize("seed", [3, 5])
def test_block_edges(rows: int, seed: int) -> None:
    """Rows at and beside the edges of blocks have the bits that they have alone."""
    pipeline = fitted(pipelines(np.random.default_rng(seed)), seed)
    base = training_table(99).drop_columns(["y"])
    table = pa.concat_tables([base] * (rows // base.num_rows + 1)).slice(0, rows)
    whole = bits(pipeline.predict_many(table, threads=2, rejects=True)[0])
    once = bits(pipeline.predict_many(base, rejects=True)[0])
    for column, expected in zip(whole, once, strict=True):
        assert column == (expected * (rows // base.num_rows + 1))[: len(column)]
