"""Stages that need the rows of a group together."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.api import build, fit, load
from engine.errors import ConfigError, DataError, UserError
from engine.evaluate import evaluate
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.runtime.batch import run_batch
from engine.runtime.io import open_sink, open_source
from engine.runtime.rejects import Rejects
from engine.testing import run_stage

from ..random_pipelines import training_table
from .conftest import STAGES, config_of

SHARE: dict[str, Any] = {"use": "kind_share", "columns": ["a"], "by": "k"}
STAGE = {
    "far": {"use": "refuse_beyond", "columns": ["a"], "bound": 90},
    "twice": {"use": "expr", "value": "a * 2"},
    "share": SHARE | {"columns": ["twice"]},
    "next": {"use": "expr", "value": "where(group_best, group_share + 1, b)"},
}


def groups(sizes: list[int], seed: int = 0) -> pa.Table:
    """Groups of these sizes, with texts in no order."""
    rng = np.random.default_rng(seed)
    names = [None if i == 2 else f"g{(7 * i) % 1000}" for i in range(len(sizes))]
    rows = sum(sizes)
    keys = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    a = rng.integers(1, 100, rows).astype(float)
    return pa.table({"a": a, "b": rng.normal(size=rows), "k": pa.array(keys, pa.string())})


def exact(column: pa.ChunkedArray) -> list[str]:
    return [float(x).hex() for x in column.to_pylist()]


def by_hand(table: pa.Table) -> pa.Table:
    """Each group on its own: what the whole must be equal to."""
    runs = [list(found) for _, found in itertools.groupby(table.to_pylist(), key=lambda row: row["k"])]
    alone = build(config_of(STAGE | {"share": STAGE["share"] | {"by": None}}, keep=["k"]))
    return pa.concat_tables(
        [alone.predict_many(pa.Table.from_pylist(run, table.schema), rejects=True)[0] for run in runs]
    )


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), data=st.data())
def test_groups_alone_and_together(sizes: list[int], data: st.DataObject) -> None:
    table = groups(sizes)
    expected = by_hand(table)
    pipeline = build(config_of(STAGE, keep=["k"]))
    ends = list(itertools.accumulate(sizes))
    cuts = sorted(data.draw(st.sets(st.sampled_from(ends))) | {0, ends[-1]})
    parts = [table.slice(a, b - a) for a, b in itertools.pairwise(cuts)]
    for one in (pipeline, Pipeline(pipeline.plan, pipeline.learned, interpreted=True)):
        whole, rejects = one.predict_many(table, rejects=True)
        assert whole.equals(expected)
        assert whole.num_rows + rejects.num_rows == table.num_rows
        again = pa.concat_tables([one.predict_many(part, rejects=True)[0] for part in parts])
        assert again.equals(expected)
    row = {"a": 3.0, "b": 1.0, "k": "x"}
    single = pipeline.predict_many(pa.Table.from_pylist([row])).to_pylist()[0]
    assert pipeline.predict_one(row) == single


def test_threads_take_whole_groups() -> None:
    table = groups([3000, 900, 1, 5000, 4200, 2, 9000, 700], 1)
    pipeline = build(config_of(STAGE, keep=["k"]))
    expected = by_hand(table)
    assert pipeline.predict_many(table, rejects=True, threads=5)[0].equals(expected)
    alone = build(config_of(STAGE | {"share": STAGE["share"] | {"by": None}}))
    assert alone.predict_many(table, rejects=True, threads=5)[0].num_rows == expected.num_rows


KEYS: dict[str, tuple[list[Any], pa.DataType]] = {
    "number": ([1.0, 1.0, None, float("nan"), 0.0, -0.0], pa.float64()),
    "timestamp": ([datetime(2020, 1, 1), datetime(2020, 1, 1), None, None, *[datetime(1960, 1, 1)] * 2],
                  pa.timestamp("ms")),
    "text": (["x", "x", None, None, "y", "y"], pa.string()),
    "category": (["x", "x", None, None, "y", "y"], pa.string()),
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_by_an_input_of_each_kind(kind: str) -> None:
    values, dtype = KEYS[kind]
    config = config_of({"share": SHARE | {"by": "g"}}, {"a": "number", "g": kind})
    pipeline = build(config)
    table = pa.table({"a": [1.0, 3.0, 5.0, 5.0, 2.0, 6.0], "g": pa.array(values, dtype)})
    found = pipeline.predict_many(table).to_pydict()
    assert found["group_share"] == [0.25, 0.75, 0.5, 0.5, 0.25, 0.75]
    assert found["group_best"] == [False, True, True, False, False, True]
    again = pa.concat_tables([table, table.slice(0, 1)])
    with pytest.raises(DataError, match=r"row 6: the group .* of 'g' is seen in two places.*sort by 'g'"):
        pipeline.predict_many(again)
    assert pipeline.predict_one({"a": 2.0, "g": values[0]}) == {"group_share": 1.0, "group_best": True}


def test_a_value_that_is_refused_splits_no_group() -> None:
    pipeline = build(config_of({"share": SHARE | {"by": "g"}}, {"a": "number", "g": "number"}))
    table = pa.table({"a": ["1", "9", "3"], "g": ["5", "no", "5.0"]})
    found, bad = pipeline.score_batch(table, text=True)
    assert found["group_share"].to_pylist() == [0.25, 0.75]
    assert [(b.row, b.column, b.code) for b in bad] == [(1, "g", "invalid")]


@pytest.mark.parametrize("batch_rows", [1, 7, 64, 10_000])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_batch_cuts_between_groups(tmp_path: Path, batch_rows: int, suffix: str) -> None:
    table = groups([5, 1, 30, 2, 80, 3], 2)
    path = tmp_path / f"rows.{suffix}"
    if suffix == "csv":
        pc.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=11)
    pipeline = build(config_of(STAGE, keep=["k"]))
    sink = open_sink({"path": str(tmp_path / "out.parquet")})
    summary = run_batch(
        pipeline, open_source({"path": str(path)}), sink, rejects=Rejects(max=None), batch_rows=batch_rows
    )
    expected = by_hand(table)
    assert (summary.rows_in, summary.rows_out) == (table.num_rows, expected.num_rows)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(expected.schema.names).cast(expected.schema).equals(expected)


def test_batch_refuses_what_has_no_groups(tmp_path: Path) -> None:
    table = groups([5, 1, 3])
    pq.write_table(pa.concat_tables([table, table.slice(0, 2)]), tmp_path / "rows.parquet")
    source = open_source({"path": str(tmp_path / "rows.parquet")})
    sink = open_sink({"path": str(tmp_path / "out.parquet")})
    for batch_rows in (1, 4, 100):
        with pytest.raises(DataError, match=r"rows\.parquet, row 9: the group 'g0' of 'k' is seen in two"):
            run_batch(build(config_of(STAGE)), source, sink, rejects=Rejects(max=None), batch_rows=batch_rows)
    assert not (tmp_path / "out.parquet").exists()
    alone = build(config_of({"share": SHARE | {"by": None}}))
    with pytest.raises(ConfigError, match=r"stages\.share\.by: is needed in a batch"):
        run_batch(alone, source, sink)


def test_groups_that_no_output_needs(tmp_path: Path) -> None:
    table = groups([5, 1, 3])
    pq.write_table(pa.concat_tables([table, table]), tmp_path / "rows.parquet")
    stages = STAGE | {"sum": {"use": "expr", "value": "a + b"}}
    pipeline = build(
        config_of({label: stages[label] for label in ("twice", "share", "sum")}, outputs=["sum"])
    )
    assert pipeline.reads == ("a", "b")
    sink = open_sink({"path": str(tmp_path / "out.parquet")})
    source = open_source({"path": str(tmp_path / "rows.parquet")})
    assert run_batch(pipeline, source, sink, batch_rows=4).rows_out == 18


def test_groups_of_two_inputs_of_which_one_is_needed(tmp_path: Path) -> None:
    """What nobody needs is neither grouped by nor read: its values need not come together."""
    table = groups([5, 1, 3, 7]).append_column("other", pa.array([1.0, 2.0] * 8))
    inputs = {"a": "number", "b": "number", "k": "category", "other": "number"}
    unneeded = {"use": "kind_share", "columns": ["a"], "by": "other", "prefix": "other"}
    stages = {"twice": STAGE["twice"], "share": STAGE["share"], "unneeded": unneeded}
    both = build(config_of(stages, inputs))
    by = STAGE["share"]["by"]
    assert set(both.groups) == {by, "other"}
    with pytest.raises(DataError):
        both.predict_many(table)
    pipeline = build(config_of(stages, inputs, outputs=["group_share"]))
    assert pipeline.groups == (by,) and "other" not in pipeline.reads
    alone = build(config_of({label: stages[label] for label in ("twice", "share")}, inputs))
    expected = alone.predict_many(table)
    assert exact(pipeline.predict_many(table)["group_share"]) == exact(expected["group_share"])
    pq.write_table(table, tmp_path / "rows.parquet")
    source, sink = (str(tmp_path / f"{name}.parquet") for name in ("rows", "out"))
    run_batch(pipeline, open_source({"path": source}), open_sink({"path": sink}), batch_rows=4)
    assert exact(pq.read_table(sink)["group_share"]) == exact(expected["group_share"])


def training(**more: Any) -> Any:
    stages = {
        "share": SHARE | {"by": "g"},
        "model": {"use": "xgboost", "columns": ["group_share", "group_best", "b"], "rounds": 3},
        "best": {"use": "kind_share", "columns": ["score"], "by": "g", "prefix": "score"},
    }
    inputs = {"a": "number", "b": "number", "g": "number"}
    split = {"kind": "group", "column": "g", "valid": 0.2, "test": 0.2}
    return config_of(stages, inputs, **({"target": {"column": "y"}, "split": split} | more))


def test_fit(tmp_path: Path) -> None:
    table = training_table(4)
    table = table.append_column("g", pa.array(np.arange(300) // 7 * 3 % 101, pa.int64()))
    pipeline = fit(training(), table)
    loaded = load(pipeline.save(tmp_path / "bundle"), plugins=[STAGES])
    whole = loaded.predict_many(table)
    assert Pipeline(loaded.plan, loaded.learned, interpreted=True).predict_many(table).equals(whole)
    best = np.add.reduceat(whole["score_best"].to_numpy(zero_copy_only=False).astype(int), range(0, 300, 7))
    assert (best == 1).all()
    assert evaluate(pipeline, table).rows == 300
    assert "breaks the fusion; groups by 'g'" in pipeline.explain()
    with pytest.raises(DataError, match="groups of 'g' lie in train and in valid"):
        fit(training(split={"kind": "random", "valid": 0.3}), table)
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(300)))
    with pytest.raises(DataError, match=r"of the train rows, row \d+: the group .* in two places"):
        fit(training(), shuffled)


def test_mistakes_and_the_kit() -> None:
    with pytest.raises(ConfigError, match=r"stages\.share\.by: there is no input 'kk'\. Did you mean 'k'"):
        build(config_of({"share": SHARE | {"by": "kk"}}))
    config = training()
    config.data["stages"]["share"]["by"] = None
    table = training_table(4).append_column("g", pa.array(range(300)))
    with pytest.raises(UserError, match=r"stages\.share\.by: is needed where a later stage learns"):
        fit(config, table)
    found = run_stage(
        "kind_share",
        {"a": [1.0, 3.0, 5.0], "when": [*[datetime(2020, 1, 1, tzinfo=UTC)] * 2, None]},
        columns=["a"],
        by="when",
        registry=Registry([STAGES]),
    )
    assert found == {"group_share": [0.25, 0.75, 1.0], "group_best": [False, True, True]}
