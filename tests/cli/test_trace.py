"""`engine trace`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

import engine
from tests.cli.conftest import Run

TRACE = ("trace", "bundle=bundles/prices")
ROW = '{"size": 30, "rooms": 11, "city": "Bath", "id": 7}'


def test_a_typed_row(run: Run) -> None:
    ran = run(*TRACE, f"row={ROW}", conf=False)
    assert (ran.code, ran.err) == (0, "")
    text = ran.out
    answer = engine.load("bundles/prices").predict_one(json.loads(ROW))
    assert "  sold   missing" in text  # an input
    assert "squeeze: clip\n  rooms  11.0 → 9.0\n" in text
    assert "fill: impute\n  size  30.0, as before\n" in text
    assert "  city_Bath   1.0\n  city_Leeds  0.0\n" in text
    assert "features can change a score)\n" in text
    assert (
        f"\nanswer\n  id     7\n  score  {answer['score']!r}\n  dear   {str(answer['dear']).lower()}\n"
        in text
    )


def test_as_json(run: Run) -> None:
    ran = run(
        *TRACE, 'row={"city": "Bath", "sold": "2020-01-05T10:00:00Z", "rooms": "inf"}', "--json", conf=False
    )
    found = json.loads(ran.out)
    pipeline = engine.load("bundles/prices")
    assert (found["name"], found["version"], found["refused"]) == ("prices", pipeline.version, None)
    assert found["inputs"] == {"size": None, "rooms": "inf", "city": "Bath", "sold": "2020-01-05T10:00:00Z"}
    assert [stage["label"] for stage in found["stages"]] == ["fill", "city", "squeeze", "model", "decide"]
    fill = found["stages"][0]["columns"]
    assert fill[0]["before"] is None and fill[0]["value"] > 0 and not fill[0]["made"]
    assert found["stages"][2]["columns"] == [
        {"name": "rooms", "dtype": "float64", "made": False, "value": 9.0, "before": "inf"}
    ]
    answer = pipeline.predict_one({"city": "Bath", "rooms": float("inf")})
    assert found["answer"] == answer


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("number", [0, 57, 399])
def test_a_row_of_a_source(run: Run, project: Path, suffix: str, number: int) -> None:
    table = pq.read_table("houses.parquet").drop_columns(["price"])
    if suffix == "csv":
        pc.write_csv(table, "houses.csv")
    ran = run(*TRACE, f"source.path=houses.{suffix}", f"row={number}", "--json", conf=False)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    batch = run("batch", *TRACE[1:], f"source.path=houses.{suffix}", "sink.path=out.parquet", conf=False)
    assert batch.code == 0
    scored = pq.read_table("out.parquet").slice(number, 1).to_pylist()[0]
    assert found["answer"] == scored
    assert found["inputs"]["city"] == table["city"][number].as_py()
    assert found["inputs"]["size"] == table["size"][number].as_py()


def test_rows_that_are_refused(run: Run, project: Path) -> None:
    Path("bad.csv").write_text("id,size,rooms,city,sold\n1,many,3,Bath,\n2,30,3,York,2020-01-01\n")
    ran = run(*TRACE, "source.path=bad.csv", "row=0", conf=False)
    assert ran.code == 0
    assert "refused: size: expected a number, found 'many'" in ran.out
    assert "not reached: fill, city, squeeze, model, decide" in ran.out
    assert "the row is refused by an input" in ran.err
    assert run(*TRACE, "source.path=bad.csv", "row=1", conf=False).err == ""
    found = json.loads(run(*TRACE, 'row={"rooms": "x"}', "--json", conf=False).out)
    assert found["answer"] is None and found["stages"] == []
    assert found["refused"]["column"] == "rooms" and found["refused"]["code"] == "invalid"


def test_overrides_and_a_pipeline_that_learns_nothing(run: Run) -> None:
    ran = run(*TRACE, f"row={ROW}", "stages.decide.at=-1000", conf=False)
    assert "decide: threshold\n  dear  true" in ran.out
    ran = run("trace", "pipeline=stated", 'row={"size": 12, "sise": 2}')
    assert "squeeze: clip\n  size  12.0 → 9.0\n\ndouble: expr\n  twice  18.0" in ran.out
    assert ran.err == "row: 'sise' is no input, and is ignored. Did you mean 'size'?\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "row: is not given\n  such as row='{"),
        (["row={size: 3}"], "row: can't be read as JSON: Expecting property name"),
        (["row=[1]"], "row: is no JSON object and no number from 0: [1]"),
        (["row=-1", "source.path=houses.parquet"], "row: is no JSON object and no number from 0: -1"),
        (["row=true"], "row: is no JSON object and no number from 0: True"),
        (["row=3"], "source.path: row=3 is a row of a source"),
        (["row=400", "source.path=houses.parquet"], "there is no row 400; it holds 400 rows, the f"),
        (["row={}", "source.path=houses.parquet"], "source: is given, and the row is typed"),
        (["row=0", "source.path=nowhere.parquet"], "nowhere.parquet"),
        (["row=" + "[" * 100_000], "row: can't be read as JSON"),
        (["row={}", "sink.path=x.csv"], "engine trace doesn't take 'sink'"),
    ],
)  # fmt: skip
def test_mistakes(argv: list[str], message: str, run: Run) -> None:
    ran = run(*TRACE, *argv, conf=False)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_a_pipeline_that_is_not_fitted(run: Run) -> None:
    ran = run("trace", "pipeline=prices", "row={}")
    assert ran.code == 2 and "has to be fitted first" in ran.err


def test_many_columns_of_one_value_are_told_together(run: Run, project: Path) -> None:
    categories: Any = [f"c{i}" for i in range(30)]
    Path("conf/pipeline/wide.yaml").write_text(
        "# @package _global_\ninputs: {k: category}\nstages:\n"
        f"  one: {{use: onehot, columns: [k], categories: {{k: {json.dumps(categories)}}}}}\n"
    )
    out = run("trace", "pipeline=wide", 'row={"k": "c3"}').out
    assert "one: onehot\n  k_c3  1.0\n  29 columns  0.0: k_c0, k_c1" in out
    pq.write_table(pa.table({"k": ["", " c", "missing", None]}), "k.parquet")
    for number, text in enumerate(["''", "' c'", "'missing'", "missing"]):
        assert (
            f"inputs\n  k  {text}\n"
            in run("trace", "pipeline=wide", "source.path=k.parquet", f"row={number}").out
        )
