"""``import engine``: build from models of one's own, save, load, and what loading refuses."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

import engine
from engine.bundle import Contents, read, write
from engine.config.config import Config
from engine.errors import BundleError, ConfigError, DataError, ModelError

NAMES = ("speed", "[load]", "heat")


def data(rows: int = 100) -> np.ndarray[Any, Any]:
    matrix = np.random.default_rng(0).normal(size=(rows, 3)) * 3
    matrix[::7, 0] = np.nan
    return matrix


def booster(names: tuple[str, ...] | None) -> xgboost.Booster:
    matrix = data()
    named = [name.strip("[]") for name in names] if names else None
    y = np.nan_to_num(matrix[:, 0]) > matrix[:, 1]
    train = xgboost.DMatrix(matrix, y, feature_names=named)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, train, 4)


def stated(model: Path | str, columns: Any = "numbers", **more: Any) -> Config:
    """A pipeline whose every stage states its numbers."""
    return Config(
        {
            "name": "mine",
            "inputs": dict.fromkeys(("speed", "load", "heat"), "number"),
            "stages": {
                "fill": {"use": "impute", "columns": ["speed"], "value": 1.5},
                "scale": {"use": "scale", "columns": ["heat"], "center": 2.0, "by": 4.0},
                "model": {"use": "xgboost", "columns": columns, "model": str(model)},
            },
            **more,
        }
    )


def oracle(model: xgboost.Booster, rows: pa.Table) -> Any:
    speed, load, heat = (rows.column(name).to_numpy() for name in ("speed", "load", "heat"))
    ready = np.stack([np.where(np.isnan(speed), 1.5, speed), load, (heat - 2.0) / 4.0], 1).astype(np.float32)
    model.feature_names = None
    return model.inplace_predict(ready)


def table() -> pa.Table:
    return pa.table(dict(zip(("speed", "load", "heat"), data().T, strict=True)))


@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize("named", [False, True])
def test_a_model_of_one_s_own(tmp_path: Path, form: str, named: bool) -> None:
    model = booster(NAMES if named else None)
    model.save_model(tmp_path / f"m.{form}")
    # names may come in any order; without names the order counts
    columns = ["heat", "speed", "load"] if named else ["speed", "load", "heat"]
    pipeline = engine.build(stated(tmp_path / f"m.{form}", columns))
    answers = pipeline.predict_many(table())
    assert (answers.column("score").to_numpy() == oracle(model, table())).all()
    for row, expected in zip(table().to_pylist()[:9], answers.to_pylist(), strict=False):
        assert pipeline.predict_one(row) == expected

    pipeline.save(tmp_path / "bundle")
    (tmp_path / f"m.{form}").unlink()  # the bundle has its own copy
    contents = read(tmp_path / "bundle")
    assert contents.version == pipeline.digest and not contents.metrics


def test_models_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    booster(None).save_model(path)
    with pytest.raises(ModelError) as caught:
        engine.build(stated(path, ["speed", "heat"]))
    assert str(caught.value) == (
        f"{path} takes 3 features, but 2 columns are selected: speed, heat\n"
        "  the model has no feature names, so columns are matched by their order"
    )
    booster(NAMES).save_model(path)
    with pytest.raises(ModelError) as caught:
        engine.build(stated(path, ["speed", "heat"]))
    assert str(caught.value) == (
        f"{path} takes 3 features by name, of which 1 are not selected:\n"
        "    'load': no such column.\n  selected, but not taken by the model: none"
    )
    path.write_text("{}")
    with pytest.raises(ModelError, match=f"^{path} "):
        engine.build(stated(path))


def test_what_learns_cannot_be_built() -> None:
    config = Config(
        {
            "name": "mine",
            "inputs": {"a": "number", "k": "category"},
            "stages": {
                "fill": {"use": "impute", "columns": ["a"]},
                "stated": {"use": "impute", "columns": ["a"], "value": 0},
                "city": {"use": "onehot", "columns": ["k"]},
                "model": {"use": "xgboost"},
            },
        }
    )
    with pytest.raises(ConfigError) as caught:
        engine.build(config)
    assert str(caught.value) == (
        "pipeline 'mine' has to be fitted first, and there is no data here\n"
        "  stages.fill: 'impute' learns from data with these options\n"
        "  stages.city: 'onehot' learns from data with these options\n"
        "  stages.model: 'xgboost' learns from data with these options\n"
        "  run: engine fit pipeline=mine source.path=PATH   or state what they learn"
    )


# -- save and load

FIT: dict[str, Any] = {
    "name": "mine",
    "inputs": {"a": "number", "b": "number", "k": "category"},
    "target": {"value": "y > 0"},
    "keep": ["id"],
    "golden": 16,
    "stages": {
        "fill": {"use": "impute", "columns": ["a"], "strategy": "mean"},
        "city": {"use": "onehot", "columns": ["k"]},
        "model": {"use": "xgboost", "rounds": 3, "params": {"max_depth": 3, "nthread": 1}},
        "decide": {"use": "threshold", "columns": ["score"], "at": 0.5, "into": "yes"},
        "word": {"use": "label", "columns": ["yes"], "labels": ["no", "yes"], "into": "word"},
    },
}


def labelled(rows: int = 150) -> pa.Table:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, rows))
    return pa.table(
        {
            "id": pa.array([[float("nan"), i] for i in range(rows)]),
            "a": pa.array(a, mask=rng.random(rows) < 0.1),
            "b": b,
            "k": rng.choice(["x", "y"], rows),
            "y": a + b,
        }
    )


@pytest.fixture(scope="module")
def pipeline() -> engine.Pipeline:
    return engine.fit(Config(FIT), labelled())


def test_round_trip(tmp_path: Path, pipeline: engine.Pipeline) -> None:
    folder = pipeline.save(tmp_path / "mine")
    assert folder == tmp_path / "mine" / "versions" / pipeline.version
    for path in (tmp_path / "mine", folder, str(folder)):
        loaded = engine.load(path)
        assert loaded.digest == pipeline.digest
        assert str(loaded.predict_many(labelled())) == str(pipeline.predict_many(labelled()))
        assert loaded.predict_one({"a": 1, "k": "x"}) == pipeline.predict_one({"a": 1, "k": "x"})
    assert loaded.inputs == pipeline.inputs and loaded.outputs == pipeline.outputs
    assert loaded.fitted is not None and pipeline.fitted is not None
    assert loaded.fitted.metrics == pipeline.fitted.metrics
    assert loaded.save(tmp_path / "copy").name == pipeline.version
    assert engine.load(tmp_path / "copy").digest == pipeline.digest


def test_a_version_that_is_not_made_current(tmp_path: Path, pipeline: engine.Pipeline) -> None:
    pipeline.save(tmp_path / "b")
    other = engine.fit(Config(FIT | {"seed": 5}), labelled())
    folder = other.save(tmp_path / "b", make_current=False)
    assert engine.load(tmp_path / "b").version == pipeline.version
    assert engine.load(folder).version == other.version


def relist(folder: Path, name: str, **more: Any) -> None:
    """Make the manifest agree with a file that was changed."""
    where = folder / "manifest.json"
    document = json.loads(where.read_bytes())
    content = (folder / name).read_bytes()
    document["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    where.write_text(json.dumps({**document, **more}))


def golden_of(pipeline: engine.Pipeline) -> pa.Table:
    assert pipeline.fitted is not None
    golden: pa.Table = pipeline.fitted.golden
    return golden


def answered(pipeline: engine.Pipeline, change: dict[str, Any]) -> pa.Table:
    """The golden rows, with the first answers changed."""
    golden = golden_of(pipeline)
    answers = golden.column("answer").to_pylist()
    answers[0].update(change)
    kind = golden.schema.field("answer").type
    return pa.table({"row": golden.column("row"), "answer": pa.array(answers, kind)})


def tampered(tmp_path: Path, pipeline: engine.Pipeline, golden: pa.Table, **more: Any) -> Path:
    folder = pipeline.save(tmp_path / "mine")
    with pa.ipc.new_file(folder / "golden.arrow", golden.schema) as writer:
        writer.write_table(golden)
    relist(folder, "golden.arrow", **more)
    return tmp_path / "mine"


@pytest.mark.parametrize("change", [{"score": 0.25}, {"yes": None}, {"word": "perhaps"}])
def test_golden_rows_that_answer_otherwise(
    tmp_path: Path, pipeline: engine.Pipeline, change: dict[str, Any]
) -> None:
    path = tampered(tmp_path, pipeline, answered(pipeline, change))
    ((name, expected),) = change.items()
    was = golden_of(pipeline).column("answer")[0].as_py()[name]
    with pytest.raises(BundleError) as caught:
        engine.load(path)
    assert str(caught.value) == (
        f"{path}: answers a golden row otherwise than when it was fitted\n"
        f"  golden row 0, column {name!r}: expected {expected!r}, found {was!r}\n"
        "  The model, a stage or a package changed what it computes; fit again on this machine"
    )
    assert engine.load(path, check=False).digest == pipeline.digest


def origin(tmp_path: Path, pipeline: engine.Pipeline) -> dict[str, Any]:
    """Of the manifest's keys those that say another machine wrote it."""
    manifest = json.loads((pipeline.save(tmp_path / "first") / "manifest.json").read_bytes())
    packages = {**manifest["packages"], "xgboost": "2.9.9"}
    return {"packages": packages}


def test_another_machine_s_golden_rows(tmp_path: Path, pipeline: engine.Pipeline) -> None:
    """Scores to 1e-6 relative, and decisions may sit on the edge."""
    elsewhere = origin(tmp_path, pipeline)
    score = golden_of(pipeline).column("answer")[0].as_py()["score"]
    near = {"score": float(np.nextafter(np.float32(score), np.float32(9))), "yes": None, "word": "perhaps"}
    path = tampered(tmp_path / "near", pipeline, answered(pipeline, near), **elsewhere)
    assert engine.load(path).digest == pipeline.digest
    with pytest.raises(BundleError, match="golden row 0, column 'score'"):
        engine.load(tampered(tmp_path / "here", pipeline, answered(pipeline, near)))
    far = answered(pipeline, {"score": score * (1 + 1e-5)})
    with pytest.raises(BundleError, match="golden row 0, column 'score'"):
        engine.load(tampered(tmp_path / "far", pipeline, far, **elsewhere))


def test_golden_rows_that_are_none(tmp_path: Path, pipeline: engine.Pipeline) -> None:
    golden = golden_of(pipeline)
    for number, (odd, rest) in enumerate(
        [
            (pa.table({"x": [1]}), "expected the columns row and answer, found x"),
            (pa.table({"row": [1], "answer": [2]}), "expected the columns row and answer, found row, answer"),
            (
                pa.table({"row": pa.array([{"a": 1.0}]), "answer": golden.column("answer").slice(0, 1)}),
                "the golden rows can't be scored: the table: the columns don't fit the pipeline's inputs",
            ),
        ]
    ):
        path = tampered(tmp_path / str(number), pipeline, odd)
        with pytest.raises(BundleError) as caught:
            engine.load(path)
        assert rest in str(caught.value)


def test_no_golden_rows(tmp_path: Path) -> None:
    pipeline = engine.fit(Config(FIT | {"golden": 0}), labelled())
    pipeline.save(tmp_path / "b")
    assert engine.load(tmp_path / "b").digest == pipeline.digest


# -- plugins

HALVE = '''
"""Halve."""

from engine.stage import ColumnStage, stage


@stage("halve", version={version})
class Halve(ColumnStage):
    """Halve."""

    def express(self, x, learned):
        return x / {by}
'''


def plugin(folder: Path, version: int = 1, by: float = 2.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "halve.py").write_text(HALVE.format(version=version, by=by))
    return folder


def halved(folder: Path, path: Path) -> engine.Pipeline:
    config = FIT | {"plugins": [str(folder)]}
    config["stages"] = {"half": {"use": "halve", "columns": ["a"]}, **FIT["stages"]}
    pipeline = engine.fit(Config(config), labelled())
    pipeline.save(path)
    return pipeline


LOAD = """
import sys
import engine
from engine.errors import EngineError
try:
    print(engine.load(sys.argv[1], plugins=sys.argv[2:]).digest)
except EngineError as error:
    print(error)
"""


def loaded_elsewhere(path: Path, *folders: Path) -> str:
    """What a process of its own, which has no plugin loaded yet, says of a bundle."""
    command = [sys.executable, "-c", LOAD, str(path), *map(str, folders)]
    environment = {**os.environ, "PYTHONPATH": str(Path(engine.__file__).parents[1])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_plugins_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    pipeline = halved(plugin(tmp_path / "one"), path)
    assert engine.load(path, plugins=[tmp_path / "one"]).digest == pipeline.digest
    assert loaded_elsewhere(path, tmp_path / "one") == pipeline.digest
    assert loaded_elsewhere(path) == (
        f"{path} was made with other plugins:\n  stage 'halve' is not installed here.\n"
        "  install those, or name their folder: plugins=[DIR]; or fit again with these"
    )
    assert loaded_elsewhere(path, plugin(tmp_path / "two", version=2)) == (
        f"{path} was made with other plugins:\n  stage 'halve' was of version 1, here it is of version 2\n"
        "  install those, or name their folder: plugins=[DIR]; or fit again with these"
    )
    found = loaded_elsewhere(path, plugin(tmp_path / "three", by=-3.0))
    assert found.startswith(f"{path}: answers a golden row otherwise than when it was fitted\n")


# -- other callers

APP = """
import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import engine


@hydra.main(version_base=None, config_path=None)
def app(config):
    loaded = engine.load(config.path)
    found = engine.compose(["pipeline=flights", "stages.decide.at=0.25"])
    assert found["stages"]["decide"]["at"] == 0.25
    assert GlobalHydra.instance().is_initialized()
    assert HydraConfig.get().job.name
    print(loaded.predict_one({"a": 1.0, "k": "x"}), config.other)


app()
"""


def test_inside_another_hydra_app(tmp_path: Path, pipeline: engine.Pipeline) -> None:
    pipeline.save(tmp_path / "b")
    (tmp_path / "app.py").write_text(APP)
    root = Path(engine.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "app.py", f"+path={tmp_path / 'b'}", "+other=7", "hydra.run.dir=out"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == f"{pipeline.predict_one({'a': 1.0, 'k': 'x'})} 7"


# -- evaluate


def test_evaluate_says_what_fit_said(pipeline: engine.Pipeline) -> None:
    from engine.evaluate import evaluate

    found = evaluate(pipeline, labelled(), part="test")
    assert pipeline.fitted is not None
    assert dict(found.metrics).items() >= dict(pipeline.fitted.metrics).items()
    assert found.rows == pipeline.fitted.rows["test"]
    whole = evaluate(pipeline, labelled().drop_columns(["id"]))
    assert (whole.rows, whole.unlabelled, whole.rejected) == (150, 0, 0)


def test_evaluate_by_classes_that_are_numbers() -> None:
    from engine.evaluate import evaluate

    stages = {"model": {**FIT["stages"]["model"], "objective": "multi:softprob"}}
    config = FIT | {"stages": stages, "target": {"column": "c"}, "keep": []}
    rows = labelled().append_column("c", pa.array(np.arange(150) % 3))
    pipeline = engine.fit(Config(config), rows)
    assert list(evaluate(pipeline, rows).metrics)[:2] == ["log_loss", "accuracy"]
    for odd, shown in (([3, 4] * 75, "3, 4"), ([0.5, 1] * 75, "0.5"), ([-1, 1] * 75, "-1")):
        other = rows.set_column(rows.schema.names.index("c"), "c", pa.array(np.array(odd)))
        with pytest.raises(DataError) as caught:
            evaluate(pipeline, other)
        assert str(caught.value) == f"target: the model's classes are 0 to 2, and the target has {shown}"


def test_contents_hold_what_a_pipeline_is(tmp_path: Path, pipeline: engine.Pipeline) -> None:
    """Anybody may write a bundle by hand and load it."""
    contents = read(pipeline.save(tmp_path / "a"))
    folder = write(tmp_path / "b", Contents(config=contents.config, learned=contents.learned))
    again = engine.load(folder)
    assert again.predict_one({"b": 1})["score"] == pipeline.predict_one({"b": 1})["score"]
