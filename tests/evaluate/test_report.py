"""Reports: what is in them is drawn, nothing in them is code of somebody else's, and nothing is fetched."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.evaluate import Evaluation, evaluate
from engine.evaluate.charts import charts
from engine.evaluate.page import write
from engine.evaluate.report import report
from engine.metric import Scored, Task
from tests.evaluate.made import NAMES, TARGETS, pipeline, table

FACTS = {
    "name": "<img src=x onerror=alert(2)>",
    "version": "0123456789ab",
    "part": "all",
    "target": "x > '<i>'",
    "weight": "<w>",
    "threshold": 0.5,
    "rows": 400,
    "unlabelled": 1234,
    "rejected": 0,
    "filtered": 0,
    "not_finite": 0,
}
WANTED = {
    "binary": ["ROC curve", "Precision and recall", "Calibration", "Scores by class", "Confusion matrix"],
    "margin": ["ROC curve", "Precision and recall", "Scores by class", "Confusion matrix"],
    "decision": ["Confusion matrix"],
    "classes": ["Confusion matrix", "Calibration"],
    "class": ["Confusion matrix"],
    "number": ["Predicted and actual", "Residuals", "Means by tenths"],
    "quantiles": ["Quantiles", "Predicted and actual of score_q0.125"],
    "counts": ["Predicted and actual", "Residuals", "Means by tenths"],
    "gamma": ["Predicted and actual", "Residuals", "Means by tenths"],
    "tweedie": ["Predicted and actual", "Residuals", "Means by tenths"],
    "ranking": ["NDCG by group"],
    "survival": ["Survival by thirds of risk"],
}


class Page(html.parser.HTMLParser):
    """What a browser would make of a page, as far as it matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem is None:
            self.words.append(data)

    @property
    def figures(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.scripts[1])
        return found


def hostile() -> tuple[Evaluation, pa.Table]:
    rows = table()
    return evaluate(pipeline("classes"), rows, by=["<b>kind</b>", "three"]), rows


@pytest.mark.parametrize("task", TARGETS)
def test_the_charts_of_each_task(task: str) -> None:
    import plotly.graph_objects

    found = evaluate(pipeline(task), table())
    drawn = charts(found.scored)
    assert [chart.title for chart in drawn] == WANTED[task]
    page = Page(report(found, FACTS))
    assert len(page.figures) == len(drawn)
    for figure in page.figures:
        # Plotly's own check of every property; colours of the page aside
        text = re.sub(r"var\(--[a-z0-9]+\)", "#123456", json.dumps([figure["data"], figure["layout"]]))
        data, layout = json.loads(text)
        plotly.graph_objects.Figure(data, layout)
        assert len(json.dumps(figure)) < 150_000


def test_what_comes_from_data_stays_text() -> None:
    found, _ = hostile()
    found = replace(found, metrics={**found.metrics, "<script>": 1.0})
    for segment in found.segments:
        assert isinstance(segment.metrics, dict)
        segment.metrics["<script>"] = 2.0
    text = report(found, FACTS)
    page = Page(text)
    assert page.tags.count("script") == 3 and "img" not in page.tags and "b" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    said = " ".join(page.words)
    for name in (*NAMES, FACTS["name"], FACTS["target"], FACTS["weight"], "<b>kind</b>"):
        assert str(name) in said
    # in charts Plotly reads some HTML, so texts come to it escaped
    axes = [axis for figure in page.figures if "title" in (axis := figure["layout"]["xaxis"])]
    (axis,) = (axis for axis in axes if axis["title"]["text"] == "decided for")
    assert set(axis["ticktext"]) == {
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        'B &amp; "b"',
        "c&lt;/script&gt;&lt;!--",
        "d",
    }
    for sign in "<>&":
        assert sign not in page.scripts[1]


def test_nothing_is_named_that_could_be_fetched() -> None:
    page = Page(report(hostile()[0], FACTS))
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "data", "action"}
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    policy = dict(page.attributes)
    assert "http-equiv" in policy
    assert any(value and value.startswith("default-src 'none'") for _, value in page.attributes)


def test_its_size_does_not_grow_with_the_rows() -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    p = rng.random(n)
    sizes = []
    for task, y in (("binary", rng.random(n) < p), ("number", p + rng.normal(size=n))):
        for rows in (20_000, n):
            made = Scored(Task(task), y[:rows].astype(float), p[:rows, None])
            drawn = [chart.data for chart in charts(made)]
            sizes.append(len(json.dumps(drawn, default=lambda a: a.tolist())))
    assert max(sizes) < 250_000
    assert sizes[1] < 1.2 * sizes[0] and sizes[3] < 1.2 * sizes[2]


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_of_few_rows_and_of_none(task: str, rows: int) -> None:
    whole = evaluate(pipeline(task), table()).scored
    few = whole.take(np.arange(rows))
    broken = replace(few, scores=np.full_like(few.scores, np.nan))
    for made in (few, broken, replace(few, weight=np.zeros(rows))):
        assert isinstance(charts(made), list)
    same = whole.take(np.zeros(50, np.int64))  # a single value, many times
    assert isinstance(charts(same), list)


def test_many_classes_are_bounded() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(60), 500)
    names = tuple(f"class {i}" for i in range(60))
    (matrix, _) = charts(Scored(Task("classes", names, names), rng.integers(0, 60, 500).astype(float), p))
    z = np.asarray(matrix.data[0]["z"])
    assert z.shape == (30, 30)
    assert matrix.layout["xaxis"]["ticktext"][-1] == "(31 others)"
    assert z.sum(axis=1) == pytest.approx(np.ones(30))


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    file.write_text("old")
    write(file, "new")
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(TypeError):
        write(file, None)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


# -- in a browser

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser is installed: {', '.join(_BROWSERS)}")
    return found


_PROBE = """<script>setTimeout(() => { document.body.dataset.fetched =
  JSON.stringify(performance.getEntriesByType("resource").map((found) => found.name)); }, 1000);</script>"""


def opened(browser: str, page: str, folder: Path) -> str:
    """What a browser made of a page; ``data-fetched`` is what it asked for, with its own ban lifted."""
    ban = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert ban.search(page)
    file = folder / "page.html"
    file.write_text(ban.sub("", page).replace("</body>", f"{_PROBE}</body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [browser, *flags, profile, "--virtual-time-budget=10000", "--dump-dom", file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "classes", "number", "ranking"])
def test_a_browser_draws_all_of_it_and_fetches_nothing(browser: str, task: str, tmp_path: Path) -> None:
    found = evaluate(pipeline(task), table(), by=["<b>kind</b>"])
    seen = opened(browser, report(found, FACTS), tmp_path)
    drawn = len(charts(found.scored)) + 1
    assert f'data-drawn="{drawn}"' in seen
    assert seen.count('class="main-svg"') >= drawn
    assert 'data-fetched="[]"' in seen
    without_scripts = re.sub(r"<script.*?</script>", "", seen, flags=re.DOTALL)
    assert "<script>" not in without_scripts and "<img" not in without_scripts


@pytest.mark.slow
def test_the_browser_would_tell_what_is_fetched(browser: str, tmp_path: Path) -> None:
    page = report(hostile()[0], FACTS).replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>')
    assert "http://127.0.0.1:9/x.png&quot;]" in opened(browser, page, tmp_path)
