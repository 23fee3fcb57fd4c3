"""``engine evaluate`` as it is typed: tables, JSON, segments, metrics, reports, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import engine.plugins
from tests.cli.conftest import Run, houses

EVALUATE = ("evaluate", "bundle=bundles/prices", "source.path=houses.parquet")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.plugins, "__path__", list(engine.plugins.__path__))


def test_the_keys_of_its_json(run: Run) -> None:
    found = json.loads(run(*EVALUATE, "by=city", "--json", conf=False).out)
    assert list(found) == [
        "name", "version", "part", "task", "target", "weight", "threshold", "rows", "unlabelled", "rejected",
        "filtered", "not_finite", "metrics", "by", "segments", "others",
    ]  # fmt: skip
    assert (found["part"], found["task"], found["target"]) == ("all", "number", "price")
    assert (found["weight"], found["threshold"], found["by"], found["others"]) == (None, None, ["city"], 0)
    assert list(found["metrics"]) == ["rmse", "mae", "mape", "r2"]
    assert sum(segment["rows"] for segment in found["segments"]) == found["rows"] == 392
    for segment in found["segments"]:
        assert list(segment) == ["values", "rows", "small", "metrics"]
        assert list(segment["values"]) == ["city"]
        assert list(segment["metrics"]) == list(found["metrics"])
    assert "segments" not in json.loads(run(*EVALUATE, "--json", conf=False).out)


def test_a_table_of_segments(run: Run, project: Path) -> None:
    rows = houses()
    # a segment in which all targets are the same has no r2
    price = np.where(np.array(rows["city"].to_pylist()) == "York", 50.0, rows["price"].to_numpy())
    rows = rows.set_column(rows.schema.names.index("price"), "price", pa.array(price))
    pq.write_table(rows.slice(0, 120), "some.parquet")
    ran = run("evaluate", "bundle=bundles/prices", "source.path=some.parquet", "by=[city]", conf=False)
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert [line[0] for line in lines[:4]] == ["rmse", "mae", "mape", "r2"]
    assert lines[4] == []
    assert lines[5] == ["city", "rows", "rmse", "mae", "mape", "r2"]
    assert sorted(line[0] for line in lines[6:]) == ["Bath", "Leeds", "York"]
    assert next(line for line in lines[6:] if line[0] == "York")[-1] == "–"
    assert all(line[2] == "*" for line in lines[6:])
    assert "*: fewer than 100 rows, so that its metrics say little" in ran.err


def test_missing_values_and_the_rest_in_a_table(run: Run, project: Path) -> None:
    rows = houses().append_column("street", pa.array([None, *(f"s{i % 40}" for i in range(399))]))
    pq.write_table(rows, "streets.parquet")
    given = ("evaluate", "bundle=bundles/prices", "source.path=streets.parquet", "by=[street,city]")
    ran = run(*given, "metrics=mae", conf=False)
    assert ran.code == 0, ran.err
    last = ran.out.splitlines()[-1]
    assert last.startswith("(") and " others)" in last
    told = json.loads(run(*given, "--json", conf=False).out)
    assert told["segments"][-1]["values"] is None
    assert told["others"] > 0 and len(told["segments"]) == 30
    one = run(*given[:3], "by=street", "metrics=mae", conf=False).out
    assert "others" in one


def test_on_a_terminal_it_is_drawn(run: Run, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    rows = houses().append_column("street", pa.array(["[bold]a[/bold]"] * 400))
    pq.write_table(rows, "streets.parquet")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    ran = run("evaluate", "bundle=bundles/prices", "source.path=streets.parquet", "by=street", conf=False)
    assert ran.code == 0, ran.err
    assert "[bold]a[/bold]" in ran.out
    assert "─" in ran.out


def test_a_csv_file_says_the_same(run: Run, project: Path) -> None:
    pyarrow.csv.write_csv(houses(), "houses.csv")
    given = ("evaluate", "bundle=bundles/prices", "by=[city,sold]", "--json")
    first = json.loads(run(*given, "source.path=houses.parquet", conf=False).out)
    second = json.loads(run(*given, "source.path=houses.csv", conf=False).out)
    assert first == second
    assert len(first["segments"]) > 3


def test_weights_of_a_source_without_them(run: Run, project: Path) -> None:
    rows = houses().append_column("w", pa.array([0.0, 1.0] * 200))
    pq.write_table(rows, "weighed.parquet")
    fit = ("fit", "pipeline=prices", "source.path=weighed.parquet", "weight=w", "bundle=bundles/weighed")
    assert run(*fit).code == 0
    given = ("evaluate", "bundle=bundles/weighed", "--json")
    found = json.loads(run(*given, "source.path=weighed.parquet", conf=False).out)
    assert (found["weight"], found["rows"]) == ("w", 392)
    plain = json.loads(run(*given, "source.path=weighed.parquet", "weight=null", conf=False).out)
    assert plain["weight"] is None and plain["metrics"] != found["metrics"]
    odd = rows.take(pa.array(range(1, 400, 2)))
    pq.write_table(odd.drop_columns("w"), "odd.parquet")
    half = json.loads(run(*given, "source.path=odd.parquet", "weight=null", conf=False).out)
    assert half["metrics"] == pytest.approx(found["metrics"])
    refused = run(*given, "source.path=odd.parquet", conf=False)
    assert refused.code == 2
    assert "there is no column 'w', which weight names" in refused.err


def test_a_report(run: Run, project: Path) -> None:
    Path("out.html").write_text("old")
    ran = run(*EVALUATE, "by=city", "report=out.html", "split.part=test", conf=False)
    assert ran.code == 0, ran.err
    assert "report: out.html" in ran.err
    page = Path("out.html").read_text()
    assert "<h2>Segments</h2>" in page and "the rows of the test part" in page


def test_all_mistakes_at_once(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(*EVALUATE, "by=[1]", "metrics=[{a: 1}]", "report=out.pdf", conf=False)
    assert ran.code == 2
    assert ran.err == (
        "3 mistakes in the config:\n\n"
        "by: expected names, found [1]\n  such as: by=[carrier,origin]\n  set by: command line\n\n"
        "metrics: expected names, found [{'a': 1}]\n"
        "  such as: metrics=[auc,log_loss]\n  set by: command line\n\n"
        "report: expected a file that ends in .html, found 'out.pdf'\n  set by: command line\n"
    )
    monkeypatch.setitem(sys.modules, "plotly", None)
    for given, said in (
        ("by=citty", "there is no column 'citty', which by names. Did you mean 'city'?"),
        ("by=size", "by: 'size' holds 350 different numbers; expected text, booleans, timestamps"),
        ("metrics=rmes", "metrics: no metric is called 'rmes'. Did you mean 'rmse'?"),
        ("metrics=auc", "'auc' is of binary, margin, decision; the scores of this model are of number"),
        ("report=no/out.html", "report: there is no folder no"),
        ("report=out.html", "report: its charts need Plotly: pip install 'inference-engine[report]'"),
    ):
        ran = run(*EVALUATE, given, conf=False)
        assert (ran.code, ran.out) == (2, "")
        assert said in ran.err


OWN = """
import numpy as np

from engine.metric import MetricPlugin, Scored, metric


@metric("evaluate_bias", greater_is_better=None)
class Bias(MetricPlugin):
    '''By how much scores are too high on average.'''

    tasks = ("number",)

    def measure(self, rows: Scored) -> float:
        return np.average(rows.score - rows.y, weights=rows.weight)
"""


def test_a_metric_of_ones_own(run: Run, project: Path) -> None:
    Path("own/metrics").mkdir(parents=True)
    Path("own/metrics/evaluate_bias.py").write_text(OWN)
    ran = run(*EVALUATE, "plugins=[own]", "metrics=[default,evaluate_bias]", "by=city", "--json", conf=False)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert list(found["metrics"])[-1] == "evaluate_bias"
    scored = engine.load("bundles/prices").predict_many(houses())["score"].to_numpy()
    price = houses()["price"].to_numpy()
    assert found["metrics"]["evaluate_bias"] == pytest.approx(np.nanmean(scored - price))
    assert (
        "evaluate_bias"
        not in json.loads(run(*EVALUATE, "plugins=[own]", "--json", conf=False).out)["metrics"]
    )
    listed = run("stages", "kind=metric", "plugins=[own]", conf=False).out
    assert "evaluate_bias" in listed and "auc " in listed and "clip" not in listed
    told = run("stages", "evaluate_bias", "kind=metric", "plugins=[own]", conf=False).out
    assert "of\n  number; neither way is better\n" in told
