"""Sources, sinks and scorers are plugins, found, bound and told of as stages are."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
import engine.plugins
from engine.cli.main import main
from engine.cli.schema import config_schema
from engine.config.config import Config
from engine.errors import ConfigError, DataError, ModelError
from engine.forest.by_plugin import scorer_by
from engine.registry import KINDS, PluginError, Registry
from engine.runtime.io import open_sink, open_source

JSONL_SOURCE = """
import json
from pathlib import Path

import pyarrow as pa

from engine.source import SourcePlugin, option, source


@source("jlines")
class Lines(SourcePlugin):
    '''Lines of JSON.'''

    extensions = (".jlines",)

    path: str = option(help="the file")
    skip: int = option(0, ge=0, help="lines to leave out at the top")

    def open(self):
        return Opened(Path(self.path), self.skip)


class Opened:
    text = False

    def __init__(self, path, skip):
        self.path = path
        lines = path.read_text().splitlines()[skip:]
        self._table = pa.Table.from_pylist([json.loads(line) for line in lines])
        self.schema, self.rows = self._table.schema, self._table.num_rows

    def files(self):
        return (self.path,)

    def batches(self, columns, batch_rows, coded=()):
        chosen = self._table.schema.names if columns is None else list(columns)
        yield from self._table.select(chosen).to_batches(batch_rows)

    def place(self, row):
        return f"{self.path}, row {row}"
"""

JSONL_SINK = """
import json
from pathlib import Path

from engine.runtime.io.sink import FileSink
from engine.sink import Mode, SinkPlugin, option, sink


@sink("jlines")
class Lines(SinkPlugin):
    '''Lines of JSON.'''

    extensions = (".jlines",)

    path: str = option(help="the file")
    mode: Mode = option("error", help="what happens to a file that is there")

    def open(self):
        return FileSink(Path(self.path), ".jlines", Part, lambda schema: None, mode=self.mode)


class Part:
    def __init__(self, file, schema):
        self._file = file.open("w")

    def write(self, batch):
        self._file.writelines(json.dumps(row) + "\\n" for row in batch.to_pylist())

    def close(self):
        self._file.close()

    abandon = close
"""

PLAIN = """
import numpy as np
import xgboost

from engine.scorer import ScorerPlugin, scorer


@scorer("kinds_plain")
class Plain(ScorerPlugin):
    '''XGBoost's own predictions.'''

    def make(self, model, where, *, trusted=False):
        return Scores(xgboost.Booster({"nthread": 1}, model_file=bytearray(model)))


class Scores:
    n_outputs, note = 1, "plain"

    def __init__(self, booster):
        self.booster = booster
        self.n_features = booster.num_features()
        self.used = frozenset(range(self.n_features))

    def many(self, features, threads=1):
        return self.booster.inplace_predict(features).reshape(-1, 1)

    def one(self, features, scores):
        scores[:] = self.many(features[None])[0]
"""

FLAT = """
import numpy as np

from engine.scorer import ScorerPlugin, scorer


@scorer("kinds_flat")
class Flat(ScorerPlugin):
    '''The same score for every row.'''

    def make(self, model, where, *, trusted=False):
        return Scores()


class Scores:
    n_features, n_outputs, used, note = 1, 1, frozenset({0}), "flat"

    def many(self, features, threads=1):
        return np.full((len(features), 1), 0.25, np.float32)

    def one(self, features, scores):
        scores[0] = 0.25
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.plugins, "__path__", list(engine.plugins.__path__))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: a process has one plugin of a name."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, name, text in (
        ("sources", "jlines", JSONL_SOURCE),
        ("sinks", "jlines", JSONL_SINK),
        ("scorers", "kinds_plain", PLAIN),
        ("scorers", "kinds_flat", FLAT),
        ("scorers", "kinds_fails", FLAT.replace("kinds_flat", "kinds_fails").replace("0.25,", "features.x,")),
        ("scorers", "kinds_refuses", FLAT.replace("kinds_flat", "kinds_refuses").replace("Scores()", "'no'")),
    ):
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import xgboost

    x = np.arange(40, dtype=np.float32).reshape(-1, 1)
    booster = xgboost.train({"max_depth": 2, "nthread": 1}, xgboost.DMatrix(x, x[:, 0] > 20), 3)
    file = tmp_path_factory.mktemp("model") / "m.ubj"
    booster.save_model(file)
    return file


def scoring(model: Path, own: Path | None = None, **options: Any) -> Config:
    stage = {"use": "xgboost", "columns": "x", "model": str(model), **options}
    plugins = [str(own)] if own else []
    return Config({"name": "p", "inputs": {"x": "number"}, "stages": {"model": stage}, "plugins": plugins})


# -- found as stages are


def test_the_built_in_ones() -> None:
    registry = Registry()
    names = ["arrow", "csv", "jsonl", "parquet", "postgres"]
    assert registry.names("source") == registry.names("sink") == names
    assert registry.names("scorer") == ["native", "xgboost"]
    assert registry.definition("csv", "sink").place == "plugins/sinks/csv.py"
    assert registry.load("csv", "source") is not registry.load("csv", "sink")


def test_of_the_user(own: Path) -> None:
    registry = Registry([own])
    assert registry.definition("jlines", "source").origin == "folder"
    assert registry.load("jlines", "source").__module__ == "engine.plugins.sources.jlines"


def test_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "acme_sources-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-sources\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[engine.sources]\nkinds_acme = kinds_acme:Lines\n")
    (tmp_path / "kinds_acme.py").write_text(JSONL_SOURCE.replace('"jlines"', '"kinds_acme"'))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Registry().load("kinds_acme", "source").use == "kinds_acme"
    assert Registry().definition("kinds_acme", "source").origin == "acme-sources 2.0"


def test_a_folder_that_would_hide_the_engines_own(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "__init__.py").touch()
    with pytest.raises(PluginError, match="makes a package of a folder of plugins; remove the file"):
        Registry([tmp_path])


def test_two_of_a_name_stop_only_who_uses_it(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "csv.py").write_text(JSONL_SOURCE)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    registry = Registry([tmp_path])
    assert open_source({"path": str(tmp_path / "x.parquet")}, registry).rows == 1
    with pytest.raises(
        ConfigError, match=r"source\.use: two sources are called 'csv': plugins/sources/csv\.py"
    ):
        open_source({"use": "csv", "path": "x"}, registry)


# -- sources and sinks


def test_a_batch_from_and_to_a_format_of_ones_own(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.jlines").write_text('{"x": -1}\n{"x": 1}\n{"x": null}\n')
    Path("conf/pipeline").mkdir(parents=True)
    Path("conf/pipeline/p.yaml").write_text(
        "# @package _global_\ninputs: {x: {kind: number, missing: reject}}\n"
        "stages: {one: {use: clip, columns: x, lo: 0}}\n"
    )
    given = ("pipeline=p", "--config-dir", "conf", f"plugins=[{own}]", "source.path=in.jlines")
    assert main(["batch", *given, "sink.path=out.jlines", "rejects.max=1"]) == 0
    assert Path("out.jlines").read_text() == '{"x": 0.0}\n{"x": 1.0}\n'
    assert "2" in Path("out.rejects.csv").read_text()
    assert main(["check", *given, "source.skip=-1", "source.skipp=2", "sink.path=other.csv"]) == 2
    assert capsys.readouterr().err.endswith(
        "2 mistakes in the config:\n\n"
        "source.skipp: 'jlines' has no option 'skipp'. Did you mean 'skip'?\n"
        "  options: path: str (required), skip: int = 0\n"
        f"  set by: command line        source defined in: {own}/sources/jlines.py\n\n"
        "source.skip: 'skip' of 'jlines' must be at least 0, not -1\n"
        "  options: path: str (required), skip: int = 0\n"
        f"  set by: command line        source defined in: {own}/sources/jlines.py\n"
    )


def test_mistakes_of_both_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/pipeline").mkdir(parents=True)
    Path("conf/pipeline/p.yaml").write_text(
        "# @package _global_\ninputs: {x: number}\nstages: {one: {use: clip, columns: x, lo: 0}}\n"
    )
    given = ("pipeline=p", "--config-dir", "conf", "source.path=in.csv", "sink.path=out.csv")
    assert main(["batch", *given, "source.use=csv", "source.delimiter=no", "sink.mode=replce"]) == 2
    assert capsys.readouterr().err == (
        "2 mistakes in the config:\n\n"
        "source.delimiter: expected one character, found 'no'\n  set by: command line\n\n"
        "sink.mode: 'mode' of 'csv' must be one of 'error', 'append', 'replace', not 'replce'."
        " Did you mean 'replace'?\n"
        "  options: path: str (required), mode: 'error' | 'append' | 'replace' = 'error',"
        " compression: 'gz' | 'zst' | None = null, delimiter: str = ',',"
        " storage: dict[str, str | bool] = {}\n"
        "  set by: command line        sink built in: plugins/sinks/csv.py\n"
    )


def test_auto_goes_by_extension(own: Path, tmp_path: Path) -> None:
    registry = Registry([own])
    (tmp_path / "in.jlines").write_text('{"x": -1}\n')
    assert open_source({"path": str(tmp_path / "in.jlines")}, registry).rows == 1
    assert open_sink({"path": str(tmp_path / "out.jlines")}, registry).extension == ".jlines"
    assert open_sink({"path": str(tmp_path / "out"), "format": "jlines"}, registry).is_folder
    with pytest.raises(DataError, match=r"no format has the extension '\.xlsx'; there are .*\.csv.*\.jlines"):
        open_sink({"path": "x.xlsx"}, registry)


def test_two_that_take_one_extension(own: Path, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "kinds_lines.py").write_text(JSONL_SOURCE.replace('"jlines"', '"kinds_lines"'))
    (tmp_path / "in.jlines").write_text('{"x": -1}\n')
    registry = Registry([own, tmp_path])
    with pytest.raises(ConfigError, match=r"jlines, kinds_lines all take files that end in \.jlines"):
        open_source({"path": str(tmp_path / "in.jlines")}, registry)
    with pytest.raises(ConfigError, match=r"say which: source\.use=jlines"):
        open_source({"path": str(tmp_path)}, registry)
    assert open_source({"path": str(tmp_path / "in.jlines"), "use": "kinds_lines"}, registry).rows == 1


# -- scorers


def test_a_scorer_of_ones_own(own: Path, model: Path) -> None:
    pipeline = engine.build(scoring(model, own, scorer="kinds_plain"))
    assert "then 'model': plain" in pipeline.explain()
    rows = pa.table({"x": np.arange(40.0)})
    assert pipeline.predict_many(rows) == engine.build(scoring(model)).predict_many(rows)
    assert pipeline.predict_one({"x": 3.0})["score"] == pipeline.predict_many(rows)["score"][3].as_py()


def test_a_scorer_that_gives_other_scores_is_refused(own: Path, model: Path) -> None:
    with pytest.raises(
        ModelError,
        match=r"the model: the scorer 'kinds_flat' doesn't give XGBoost's own scores: in a block it gave "
        r".*0\.25.* where XGBoost gives .*; use scorer: auto or xgboost",
    ):
        engine.build(scoring(model, own, scorer="kinds_flat")).predict_one({"x": 3.0})


def test_a_scorer_that_fails_is_told_with_its_place(own: Path, model: Path) -> None:
    with pytest.raises(
        ModelError, match=r"the scorer 'kinds_fails' failed: .*kinds_fails\.py, line 19: AttributeError"
    ):
        engine.build(scoring(model, own, scorer="kinds_fails")).predict_one({"x": 3.0})


def test_xgboosts_answers_are_kept_for_the_next_comparison(
    own: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.forest.verify.checks_folder", lambda: tmp_path)
    plugin = Registry([own]).load("kinds_plain", "scorer")()
    scorer_by(plugin, model.read_bytes(), "m", trusted=True)
    monkeypatch.setattr("engine.forest.by_plugin.predict", lambda *_: pytest.fail("asked again"))
    scorer_by(plugin, model.read_bytes(), "m", trusted=True)
    flat = Registry([own]).load("kinds_flat", "scorer")()
    with pytest.raises(ModelError, match="m: the scorer 'kinds_flat' doesn't give XGBoost's own scores"):
        scorer_by(flat, model.read_bytes(), "m", trusted=True)


def test_a_plugin_sees_no_damaged_model(own: Path, model: Path) -> None:
    plugin = Registry([own]).load("kinds_fails", "scorer")()
    for data in (b"", b"this is no model", model.read_bytes()[:-9]):
        with pytest.raises(ModelError, match=r"^m is (empty|damaged|no XGBoost model)"):
            scorer_by(plugin, data, "m")


def test_a_scorer_is_looked_up_in_the_pipelines_own_registry(own: Path, model: Path) -> None:
    Registry([own])  # another pipeline's of this process
    with pytest.raises(ConfigError, match="there is no scorer 'kinds_plain'"):
        engine.build(scoring(model, scorer="kinds_plain"))


def test_the_engines_scorers_by_name(model: Path) -> None:
    table = pa.table({"x": np.arange(40.0)})
    scores = [
        engine.build(scoring(model, scorer=name)).predict_many(table)["score"]
        for name in ("auto", "native", "xgboost")
    ]
    assert scores[0] == scores[1] == scores[2]


def test_mistakes_in_a_scorer(own: Path, model: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"there is no scorer 'nativ'\. Did you mean 'native'\? There are: auto"
    ):
        engine.build(scoring(model, scorer="nativ"))
    with pytest.raises(
        ModelError, match="the model can't be scored by 'kinds_refuses': no; use scorer: auto"
    ):
        engine.build(scoring(model, own, scorer="kinds_refuses")).predict_one({"x": 1.0})


# -- shown


def test_the_list_has_a_section_for_each_kind(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", f"plugins=[{own}]"]) == 0
    heads = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:1].isupper()]
    assert heads == [kind.upper() for kind in KINDS]
    assert main(["stages", "kind=source", "--json", f"plugins=[{own}]"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(item["plugin"], item["name"], item["from"]) for item in listed] == [
        ("source", "arrow", "built in"),
        ("source", "csv", "built in"),
        ("source", "jlines", "folder"),
        ("source", "jsonl", "built in"),
        ("source", "parquet", "built in"),
        ("source", "postgres", "built in"),
    ]


def test_one_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "csv", "kind=sink"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("csv: sink, version 1, from plugins/sinks/csv.py (built in)\n")
    assert "  mode         'error' | 'append' | 'replace' = 'error'" in out
    assert main(["stages", "csv"]) == 2
    assert "there is a source of that name" in capsys.readouterr().err
    assert main(["stages", "kind=sauce"]) == 2
    assert "there is no kind of plugin 'sauce'. Did you mean 'source'?" in capsys.readouterr().err


def test_the_schema_knows_them(own: Path) -> None:
    schema = config_schema(Registry([own]))
    source = schema["properties"]["source"]["anyOf"][0]
    names = ["arrow", "csv", "jlines", "jsonl", "parquet", "postgres"]
    assert source["properties"]["use"]["enum"] == ["auto", *names, None]
    assert "skip" in source["properties"]
    scorer = schema["$defs"]["stage.xgboost"]["properties"]["scorer"]["anyOf"][0]
    assert scorer == {
        "enum": ["auto", "kinds_fails", "kinds_flat", "kinds_plain", "kinds_refuses", "native", "xgboost"]
    }


# -- installed


@pytest.mark.slow
def test_a_wheel_holds_them(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(root)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for kind in KINDS:
        for name in Registry().names(kind):
            place = Registry().definition(name, kind).place
            assert f"engine/{place}" in held
    assert "engine/conf/pipeline/flights.yaml" in held
    code = (
        "from engine.registry import *; found = Registry();"
        "print([found.load(name, kind).use for kind in KINDS for name in found.names(kind)])"
    )
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "'native'" in done.stdout and "'clip'" in done.stdout
